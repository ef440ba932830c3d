// Source and sink of test traffic: sends the frames its settings describe, and swallows what it is given.
#include <rte_cycles.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <functional>

#include "pmd/generator/generator_flows.h"
#include "pmd/generator/generator_frame.h"
#include "pmd/kernel/kernel_queue.h"
#include "pmd/port.h"

namespace causeway {

ZipfTable::ZipfTable(uint32_t flows) {
  static constexpr size_t kPoints = size_t{1} << kPointBits;
  double total = 0;
  for (uint32_t rank = flows; rank > 0; --rank) total += 1.0 / rank;  // the small ones first
  points_.reserve(kPoints + 1);
  double below = 0;  // of the ranks in front of `rank`
  for (uint32_t rank = 0; rank < flows; ++rank) {
    const double share = 1.0 / (rank + 1.0) / total;
    while (points_.size() < kPoints && static_cast<double>(points_.size()) / kPoints < below + share) {
      points_.push_back(rank + (static_cast<double>(points_.size()) / kPoints - below) / share);
    }
    below += share;
  }
  points_.resize(kPoints + 1, std::nextafter(static_cast<double>(flows), 0.0));
}

namespace {

constexpr uint16_t kBurst = 64;
constexpr uint16_t kDefaultMtu = 1500;

// A locally administered address, the same for the same name.
MacAddress mac_of_name(const std::string& name) {
  return MacAddress::from_u64(0x0200'0000'0000 | (std::hash<std::string>{}(name)&0xff'ffff));
}

// What one worker has to itself.
struct alignas(64) GeneratorQueue {
  GeneratorQueue(FlowSequence its_flows, Pacer its_pacer, uint64_t limit)
      : flows(std::move(its_flows)), pacer(its_pacer), left(limit) {}
  FlowSequence flows;
  Pacer pacer;
  uint64_t left;    // frames until the limit
  size_t size = 0;  // of the next frame, an index
  PortCounter missed;
};

class GeneratorPort final : public Port {
 public:
  GeneratorPort(const PortOptions& options, const GeneratorSettings& settings)
      : name_(options.name),
        mac_(options.mac.is_zero() ? mac_of_name(options.name) : options.mac),
        tx_queues_(options.tx_queues),
        pool_(options.pool),
        paced_(settings.rate != 0),
        frames_(settings, mac_) {
    const uint16_t largest = *std::ranges::max_element(settings.frame_bytes);
    mtu_ = options.mtu != 0 ? options.mtu : std::max<uint16_t>(kDefaultMtu, largest);
    const uint16_t queues = settings.rx_queues;
    const double per_cycle = static_cast<double>(settings.rate) / queues / static_cast<double>(rte_get_tsc_hz());
    for (uint16_t queue = 0; queue < queues; ++queue) {
      const uint64_t share = settings.limit / queues + (queue < settings.limit % queues ? 1 : 0);
      const uint64_t limit = settings.flows == 0 ? 0 : settings.limit == 0 ? UINT64_MAX : share;
      queues_.emplace_back(FlowSequence(settings, queue), Pacer(per_cycle), limit);
    }
  }

  uint16_t rx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    GeneratorQueue& q = queues_[queue];
    count = static_cast<uint16_t>(std::min<uint64_t>({count, kBurst, q.left}));
    if (q.left == 0) return 0;  // nothing is due any more, and so nothing is missed
    if (paced_) {
      count = q.pacer.due(rte_rdtsc(), count, q.left);
      q.missed.set(q.pacer.missed());
    }
    if (count == 0) return 0;
    if (rte_pktmbuf_alloc_bulk(pool_, frames, count) != 0) {
      q.pacer.put_back(count);
      return 0;
    }
    std::array<uint32_t, kBurst> flows;
    q.flows.next(flows.data(), count);
    for (uint16_t i = 0; i < count; ++i) {
      frames_.write(frames[i], flows[i], q.size);
      if (++q.size == frames_.sizes()) q.size = 0;
    }
    q.left -= count;
    return count;
  }

  uint16_t tx_burst(uint16_t, rte_mbuf** frames, uint16_t count) noexcept override {
    rte_pktmbuf_free_bulk(frames, count);
    return count;
  }

  const std::string& name() const noexcept override { return name_; }
  const char* kind() const noexcept override { return "generator"; }
  MacAddress mac() const noexcept override { return mac_; }
  uint16_t mtu() const noexcept override { return mtu_; }
  uint16_t rx_queues() const noexcept override { return static_cast<uint16_t>(queues_.size()); }
  uint16_t tx_queues() const noexcept override { return tx_queues_; }
  RxSpread rx_spread() const noexcept override { return RxSpread::outer; }  // as RSS would do it
  bool link_up() const noexcept override { return true; }
  // A wire takes no super-packets: what is counted here is what would be on it.
  TxCapabilities capabilities() const noexcept override { return {.multi_segment = true}; }
  PortDeviceStats device_stats() const noexcept override {
    PortDeviceStats stats;
    for (const GeneratorQueue& queue : queues_) stats.rx_missed += queue.missed.get();
    return stats;
  }
  Error set_mtu(uint16_t mtu) override {
    mtu_ = mtu;
    return {};
  }
  // Its frames are addressed to it: config/plan has the port opened anew.
  Error set_mac(const MacAddress&) override { return "a generator's MAC address is set when it is opened"; }

  const GeneratorFrames& frames() const noexcept { return frames_; }

 private:
  std::string name_;
  MacAddress mac_;
  uint16_t mtu_ = 0;
  uint16_t tx_queues_;
  rte_mempool* pool_;
  bool paced_;
  GeneratorFrames frames_;
  std::deque<GeneratorQueue> queues_;
};

}  // namespace

std::unique_ptr<Port> open_generator_port(const PortOptions& options, const GeneratorSettings& settings,
                                          OpenError& error) {
  error = OpenError{};
  auto port = std::make_unique<GeneratorPort>(options, settings);
  const int room = rte_pktmbuf_data_room_size(options.pool) - RTE_PKTMBUF_HEADROOM;
  if (port->frames().largest_bytes() > room) {
    error = "its frames need buffers of " + std::to_string(port->frames().largest_bytes()) + " bytes, there are " +
            std::to_string(room);
    return nullptr;
  }
  return port;
}

}  // namespace causeway
