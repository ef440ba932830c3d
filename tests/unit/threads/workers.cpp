// Two workers on threads of their own, as causewayd runs them: traffic both ways through a tunnel, new sources to learn
// all the time, and a configuration that changes under it. No frame may get lost or overtake another of its flow.
// Flow rules come and go beside it, by the control thread alone.
#include <spdlog/spdlog.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "control/gateway/apply.h"
#include "control/gateway/gateway.h"
#include "control/yaml/load.h"
#include "dataplane/spsc_ring.h"
#include "dataplane/wire/ethernet.h"
#include "pmd/flow_rules.h"
#include "tests/catch.h"
#include "tests/support/mbufs.h"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr uint16_t kWorkers = 2;
constexpr uint32_t kFlows = 32;          // each way
constexpr uint32_t kInFlight = 1000;     // frames
constexpr uint32_t kFrames = 100'000;    // each way
constexpr auto kEndlessly = 100s;        // a machine this slow fails the test
constexpr uint32_t kFramesASource = 64;  // then a flow goes on with another source MAC

// Ethernet, IPv4, UDP without checksum, 22 bytes (scapy). The last 8 will be the flow and the frame's number.
constexpr const char* kPlainHex =
    "02000000020102000000000008004500003200010000401166b60a0100010a01000203e807d0001e0000000000000000000000000000000000"
    "00000000000000";
// The same to another destination, in GENEVE with VNI 123 (scapy).
constexpr const char* kTunnelHex =
    "020000000001020000000002080045000064000040004011e247ac1f0002ac1f00019c4017c1005000000000655800007b0002000000010102"
    "000000000008004500003200010000401166b60a0100010a01000203e807d0001e00000000000000000000000000000000000000000000000"
    "0";
constexpr size_t kInnerSourceFromEnd = 64 - 6;  // where the source MAC stands

// What a flow's last hop expects next. A plain number: only one worker has the flow at any time, and hands it over
// in good order.
struct Flow {
  uint32_t next = 0;
  uint32_t wrong = 0;
};
using Flows = std::array<Flow, kFlows>;

// A device's rules. It marks each frame with what the last rule said, right or wrong.
class Rules final : public FlowRules {
 public:
  Handle install(const FlowRule& rule, std::string&) override {
    look();
    mark = rule.mark;
    ++installed;
    return this;
  }
  void remove(Handle) override {
    look();
    --installed;
  }
  bool count(Handle, FlowCount&) override {
    look();
    return false;
  }

  std::atomic<uint32_t> mark = 0;
  std::atomic<size_t> installed = 0;
  std::atomic<size_t> calls = 0;
  std::atomic<size_t> calls_by_others = 0;

 private:
  void look() {
    ++calls;
    if (std::this_thread::get_id() != control_thread_) ++calls_by_others;
  }
  const std::thread::id control_thread_ = std::this_thread::get_id();
};

// Queues between the test's thread and the workers.
class QueuePort final : public Port {
 public:
  QueuePort(const PortOptions& options, Flows* sink) : name_(options.name), sink_(sink) {
    for (uint16_t i = 0; i < options.wanted_rx_queues(); ++i) rx_.push_back(std::make_unique<Ring>(kInFlight));
    for (uint16_t i = 0; i < options.tx_queues; ++i) tx_.push_back(std::make_unique<Ring>(4 * kInFlight));
  }

  bool deliver(uint16_t queue, rte_mbuf* frame) { return rx_[queue]->push(frame); }
  template <typename Use>
  void take_sent(Use&& use) {
    for (const auto& ring : tx_) {
      for (rte_mbuf* frame = nullptr; ring->pop(frame);) use(frame);
    }
  }

  uint16_t rx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    uint16_t got = 0;
    while (got < count && rx_[queue]->pop(frames[got])) {
      frames[got]->ol_flags |= RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
      frames[got++]->hash.fdir.hi = rules.mark;
    }
    // Frames in hand for a while: who takes the queue over too soon overtakes them.
    if (got != 0 && ++bursts_[queue] % 8 == 0) std::this_thread::sleep_for(50us);
    return got;
  }
  uint16_t tx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    for (uint16_t i = 0; i < count; ++i) {
      if (rte_pktmbuf_mtod(frames[i], const EthernetHeader*)->ethertype.get() == kEtherTypeArp) {  // an announcement
        rte_pktmbuf_free(frames[i]);
        continue;
      }
      check(frames[i]);
      if (!tx_[queue]->push(frames[i])) return i;
    }
    return count;
  }

  const std::string& name() const noexcept override { return name_; }
  const char* kind() const noexcept override { return "memory"; }
  MacAddress mac() const noexcept override { return {{0x02, 0, 0, 0, 0, 1}}; }
  uint16_t mtu() const noexcept override { return 1500; }
  uint16_t rx_queues() const noexcept override { return static_cast<uint16_t>(rx_.size()); }
  uint16_t tx_queues() const noexcept override { return static_cast<uint16_t>(tx_.size()); }
  RxSpread rx_spread() const noexcept override { return RxSpread::outer; }
  bool link_up() const noexcept override { return true; }
  TxCapabilities capabilities() const noexcept override { return {}; }
  PortDeviceStats device_stats() const noexcept override { return {}; }
  Error set_mtu(uint16_t) override { return {}; }
  Error set_mac(const MacAddress&) override { return {}; }
  FlowRules* flow_rules() noexcept override { return &rules; }

  Rules rules;

 private:
  using Ring = SpscRing<rte_mbuf*>;

  void check(const rte_mbuf* frame) noexcept {
    std::array<uint32_t, 2> tail;
    std::memcpy(tail.data(), rte_pktmbuf_mtod_offset(frame, const char*, frame->data_len - sizeof(tail)), sizeof(tail));
    Flow& flow = (*sink_)[tail[0] % kFlows];
    flow.wrong += tail[1] != flow.next ? 1 : 0;
    flow.next = tail[1] + 1;
  }

  std::string name_;
  Flows* sink_;
  std::array<uint32_t, 2> bursts_{};
  std::vector<std::unique_ptr<Ring>> rx_;
  std::vector<std::unique_ptr<Ring>> tx_;
};

std::string yaml(const std::string& lan_workers, const std::string& up_workers, bool more) {
  return "version: 1\nsystem: {workers: " + std::to_string(kWorkers) +
         "}\nethernets:\n"
         "  lan0: {" +
         lan_workers + "}\n  up0: {macaddress: 02:00:00:00:00:01, addresses: [172.31.0.1/24], " + up_workers +
         "neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]}\n" + (more ? "  more0: {}\n" : "") +
         "tunnels:\n  gnv0: {mode: geneve, id: 123, local: 172.31.0.1, remote: 172.31.0.2}\n" +
         (more ? "  gnv1: {mode: geneve, id: 124, local: 172.31.0.1, remote: 172.31.0.2}\n" : "") +
         "bridges:\n  br0:\n    interfaces: [lan0, gnv0]\n    static-macs:\n"
         "      - {mac: 02:00:00:00:02:01, port: gnv0}\n      - {mac: 02:00:00:00:01:01, port: lan0}\n" +
         (more ? "  br1: {interfaces: [more0, gnv1]}\n" : "");
}

const std::vector<std::string>& configurations() {
  static const std::vector<std::string> all{
      yaml("", "", false),
      yaml("rx-workers: [1, 0]", "rx-workers: [0, 1], ", true),
      yaml("rx-workers: [0, 0]", "rx-workers: [1, 1], ", false),
      yaml("", "rx-workers: [1, 0], ", true),
      yaml("rx-workers: [1, 1]", "rx-workers: [0, 0], ", true),
  };
  return all;
}

config::Config load(const std::string& text) {
  std::vector<config::ConfigError> errors;
  auto config = config::load_config("threads.yaml", text, errors);
  for (const auto& error : errors) FAIL_CHECK(error.to_string());
  return config.value();
}

// Frames into one port, and whether they come out of the other.
struct Stream {
  Stream(const std::string& hex, uint8_t end) : bytes(from_hex(hex)), place(end) {}

  // The next frame, and the queue that RSS would put it on.
  rte_mbuf* make(rte_mempool* pool, uint16_t& queue) {
    const uint32_t flow = made % kFlows;
    const uint32_t number = made / kFlows;
    ++made;
    const std::array<uint32_t, 2> tail{flow, number};
    const uint32_t source = number / kFramesASource;
    const std::array<uint8_t, 6> mac{0x02,
                                     place,
                                     static_cast<uint8_t>(flow),
                                     static_cast<uint8_t>(source >> 16),
                                     static_cast<uint8_t>(source >> 8),
                                     static_cast<uint8_t>(source)};
    std::memcpy(bytes.data() + bytes.size() - sizeof(tail), tail.data(), sizeof(tail));
    std::memcpy(bytes.data() + bytes.size() - kInnerSourceFromEnd, mac.data(), mac.size());
    queue = static_cast<uint16_t>(flow % 2);
    return to_mbuf(pool, bytes);
  }

  Bytes bytes;
  uint8_t place;
  Flows flows{};
  uint32_t made = 0;
  uint32_t back = 0;
  std::array<std::deque<rte_mbuf*>, 2> refused;  // by a full queue
};

}  // namespace

TEST_CASE("two workers under traffic, learning and changes lose nothing and keep every flow's order", "[threads]") {
  spdlog::set_level(spdlog::level::warn);
  const MbufPool pool(8191);
  Stream encap(kPlainHex, 0x10);
  Stream decap(kTunnelHex, 0x20);
  std::map<std::string, QueuePort*> ports;
  {
    config::Config config = load(configurations().front());
    Gateway gateway(config.system, pool, [&](const config::Ethernet&, const PortOptions& options, OpenError&) {
      auto port = std::make_unique<QueuePort>(options, options.name == "up0" ? &encap.flows : &decap.flows);
      ports[options.name] = port.get();
      return port;
    });
    config::Config nothing;
    nothing.system = config.system;
    REQUIRE(apply_config(gateway, nothing, config).empty());
    QueuePort& lan = *ports.at("lan0");
    QueuePort& up = *ports.at("up0");
    REQUIRE(lan.rx_queues() == 2);
    gateway.start_workers();

    const auto feed = [&](Stream& stream, QueuePort& port) {
      for (uint16_t queue = 0; queue < 2; ++queue) {
        auto& waiting = stream.refused[queue];
        while (!waiting.empty() && port.deliver(queue, waiting.front())) waiting.pop_front();
      }
      for (int i = 0; i < 64 && stream.made < kFrames && stream.made - stream.back < kInFlight; ++i) {
        uint16_t queue = 0;
        rte_mbuf* const frame = stream.make(pool, queue);
        if (!stream.refused[queue].empty() || !port.deliver(queue, frame)) stream.refused[queue].push_back(frame);
      }
    };
    const auto collect = [](Stream& stream, QueuePort& port) {
      port.take_sent([&](rte_mbuf* frame) {
        ++stream.back;
        rte_pktmbuf_free(frame);
      });
    };
    const auto deadline = Clock::now() + kEndlessly;
    size_t changes = 0;
    for (uint64_t turn = 1; encap.back + decap.back < 2 * kFrames && Clock::now() < deadline; ++turn) {
      feed(encap, lan);
      feed(decap, up);
      collect(encap, up);
      collect(decap, lan);
      gateway.serve_workers();
      if (turn % 8 == 0) {
        gateway.tick();
        config::Config next = load(configurations()[++changes % configurations().size()]);
        CHECK(apply_config(gateway, config, next).empty());
        config = std::move(next);
      }
      std::this_thread::yield();
    }
    CHECK(encap.back == kFrames);
    CHECK(decap.back == kFrames);
    CHECK(changes > 20);
    gateway.tick();
    CHECK(up.rules.installed == gateway.tunnels().all().size());
    CHECK(up.rules.calls > changes / 2);
    CHECK(up.rules.calls_by_others == 0);
    for (const auto& worker : gateway.workers()) {
      worker->stop();
      const WorkerCounters& counters = worker->counters();
      CHECK(counters.rx_packets.get() > kFrames / 20);
      for (size_t i = 0; i < kDropReasons; ++i) {
        CAPTURE(kDropReasonText[i].name);
        CHECK(counters.drops[i].get() == 0);
      }
    }
    gateway.serve_workers();
    CHECK(gateway.fdb().bridge(gateway.bridges().find("br0")->index).macs > 2);
  }
  for (const Stream* stream : {&encap, &decap}) {
    for (uint32_t flow = 0; flow < kFlows; ++flow) {
      CAPTURE(stream->place, flow);
      CHECK(stream->flows[flow].wrong == 0);
      CHECK(stream->flows[flow].next == kFrames / kFlows);
    }
  }
}

}  // namespace causeway::test
