// Sends stamped frames into one memif port of a switch and takes them back from another one; says how long they were on
// their way: first as fast as it goes, then at shares of the rate that came back. The switch owns the sockets.
//
//   latency_probe IN-SOCKET OUT-SOCKET SECONDS CORE    one line of JSON for each
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr uint16_t kBurst = 32;
constexpr uint16_t kDescriptors = 1024;
constexpr unsigned kBuffers = 8191;
constexpr size_t kMostSamples = 4'000'000;
constexpr double kWarmUpS = 0.5;
constexpr double kLinkS = 10;

// An Ethernet, IPv4 and UDP header, and the send time in 18 bytes of payload.
constexpr size_t kFrameBytes = 60;
constexpr size_t kStampOffset = 44;
constexpr std::array<uint8_t, 42> kHeaders{
    0x02, 0x02, 0,    0,  0, 0,  0x02, 0x01, 0,  0,  0,    0,    0x08, 0,                        // Ethernet
    0x45, 0,    0,    46, 0, 0,  0x40, 0,    64, 17, 0xae, 0x99, 198,  18, 0, 0, 198, 19, 0, 0,  // IPv4
    0x04, 0,    0x04, 0,  0, 26, 0,    0};                                                       // UDP without checksum

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "latency_probe: %s\n", what.c_str());
  std::exit(1);
}

void open_port(uint16_t port, rte_mempool* pool) {
  const rte_eth_conf conf{};
  if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
      rte_eth_rx_queue_setup(port, 0, kDescriptors, SOCKET_ID_ANY, nullptr, pool) != 0 ||
      rte_eth_tx_queue_setup(port, 0, kDescriptors, SOCKET_ID_ANY, nullptr) != 0 || rte_eth_dev_start(port) != 0) {
    fail("cannot start a port");
  }
}

void wait_for_link(uint16_t port) {
  const uint64_t until = rte_rdtsc() + static_cast<uint64_t>(kLinkS * static_cast<double>(rte_get_tsc_hz()));
  rte_eth_link link{};
  while (rte_eth_link_get_nowait(port, &link) != 0 || link.link_status == 0) {
    if (rte_rdtsc() > until) fail("nobody at the other end");
    rte_delay_us_sleep(1000);
  }
}

class Probe {
 public:
  Probe(rte_mempool* pool, double rate) : pool_(pool), per_cycle_(rate / static_cast<double>(rte_get_tsc_hz())) {
    samples_.reserve(kMostSamples);
  }

  // Counts from `from` on.
  void run(uint64_t from, uint64_t until) {
    double due = 0;
    for (uint64_t before = rte_rdtsc(), now = before; now < until; now = rte_rdtsc()) {
      due = per_cycle_ == 0 ? kBurst : std::min<double>(due + static_cast<double>(now - before) * per_cycle_, kBurst);
      before = now;
      if (due >= 1) due -= send(static_cast<uint16_t>(due), now >= from);
      receive(from);
    }
    for (const uint64_t end = until + rte_get_tsc_hz() / 100; rte_rdtsc() < end;) receive(from);
  }

  double per_second(double seconds) const { return static_cast<double>(received_) / seconds; }

  void report(double share, double seconds) {
    std::sort(samples_.begin(), samples_.end());
    const auto at = [&](double share) {
      if (samples_.empty()) return 0.0;
      const auto place = static_cast<size_t>(share * static_cast<double>(samples_.size() - 1));
      return static_cast<double>(samples_[place]) * 1e6 / static_cast<double>(rte_get_tsc_hz());
    };
    std::printf(
        "{\"share\": %.1f, \"sent\": %lu, \"received\": %lu, \"per_second\": %.0f, \"p50_us\": %.2f, \"p99_us\": %.2f, "
        "\"p999_us\": %.2f, \"max_us\": %.2f}\n",
        share, sent_, received_, per_second(seconds), at(0.5), at(0.99), at(0.999), at(1));
  }

 private:
  uint16_t send(uint16_t count, bool counts) {
    std::array<rte_mbuf*, kBurst> frames;
    if (rte_pktmbuf_alloc_bulk(pool_, frames.data(), count) != 0) return 0;
    const uint64_t stamp = rte_rdtsc();
    for (uint16_t i = 0; i < count; ++i) {
      auto* const bytes = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(frames[i], kFrameBytes));
      std::memcpy(bytes, kHeaders.data(), kHeaders.size());
      std::memcpy(bytes + kStampOffset, &stamp, sizeof(stamp));
    }
    const uint16_t taken = rte_eth_tx_burst(0, 0, frames.data(), count);
    rte_pktmbuf_free_bulk(frames.data() + taken, count - taken);
    if (counts) sent_ += taken;
    return count;  // what the ring refused is not sent later: the rate is the rate
  }

  void receive(uint64_t from) {
    std::array<rte_mbuf*, 2 * kBurst> frames;
    const uint16_t count = rte_eth_rx_burst(1, 0, frames.data(), frames.size());
    if (count == 0) return;
    const uint64_t now = rte_rdtsc();
    for (uint16_t i = 0; i < count; ++i) {
      uint64_t stamp = 0;
      std::memcpy(&stamp, rte_pktmbuf_mtod_offset(frames[i], const uint8_t*, kStampOffset), sizeof(stamp));
      if (rte_pktmbuf_pkt_len(frames[i]) != kFrameBytes || stamp < from || stamp > now) continue;
      ++received_;
      if (samples_.size() < kMostSamples)
        samples_.push_back(static_cast<uint32_t>(std::min<uint64_t>(now - stamp, ~0U)));
    }
    rte_pktmbuf_free_bulk(frames.data(), count);
  }

  rte_mempool* pool_;
  double per_cycle_;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
  std::vector<uint32_t> samples_;  // cycles
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) fail("usage: latency_probe IN-SOCKET OUT-SOCKET SECONDS CORE");
  const auto device = [](const char* name, const char* socket) {
    return std::string("--vdev=") + name + ",role=client,socket-abstract=no,socket=" + socket;
  };
  std::vector<std::string> arguments{"latency_probe",
                                     "--no-huge",
                                     "--no-shconf",
                                     "-m",
                                     "128",
                                     "--no-pci",
                                     "--no-telemetry",
                                     "--log-level=*:error",
                                     "-l",
                                     argv[4],
                                     device("net_memif0", argv[1]),
                                     device("net_memif1", argv[2])};
  std::vector<char*> words;
  for (std::string& argument : arguments) words.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(words.size()), words.data()) < 0) fail("the EAL does not start");
  rte_mempool* const pool =
      rte_pktmbuf_pool_create("probe", kBuffers, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr) fail("no memory");
  for (const uint16_t port : {uint16_t{0}, uint16_t{1}}) open_port(port, pool);
  for (const uint16_t port : {uint16_t{0}, uint16_t{1}}) wait_for_link(port);
  const double seconds = std::atof(argv[3]);
  const auto hz = static_cast<double>(rte_get_tsc_hz());
  double most = 0;
  for (const double share : {1.0, 0.1, 0.5, 0.9}) {
    Probe probe(pool, share * most);
    const uint64_t from = rte_rdtsc() + static_cast<uint64_t>(kWarmUpS * hz);
    probe.run(from, from + static_cast<uint64_t>(seconds * hz));
    probe.report(share, seconds);
    if (most == 0) most = probe.per_second(seconds);
  }
  std::fflush(stdout);
  std::_Exit(0);  // the switch goes on; nothing here needs to be put in order
}
