// A port made of two queues: the test fills the one and looks into the other. One thread.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/frame/intent.h"
#include "pmd/error.h"
#include "pmd/port.h"
#include "tests/support/mbufs.h"

namespace causeway::test {

// A frame that was transmitted.
struct Sent {
  Bytes bytes;
  uint16_t segments = 1;
  uint16_t shortest_segment = 0;  // bytes
  uint64_t intent_flags = 0;
  Intent intent{};  // where a flag is set
};

class MemoryPort : public Port {
 public:
  MemoryPort(const PortOptions& options, TxCapabilities capabilities, const MacAddress& own_mac)
      : name_(options.name),
        mac_(options.mac.is_zero() ? own_mac : options.mac),
        mtu_(options.mtu != 0 ? options.mtu : uint16_t{1500}),
        waiting_(options.wanted_rx_queues()),
        tx_queues_(options.tx_queues),
        capabilities_(capabilities) {}
  ~MemoryPort() override {
    for (auto& queue : waiting_) {
      for (rte_mbuf* m : queue) rte_pktmbuf_free(m);
    }
  }

  void deliver(rte_mbuf* m, uint16_t queue = 0) { waiting_.at(queue).push_back(m); }
  std::vector<Sent> take_sent() { return std::exchange(sent_, {}); }
  std::weak_ptr<const bool> hold_device() const { return device_; }  // expires when the port closes
  void set_link(bool up) { link_up_ = up; }
  // As if somebody had deleted the interface.
  void vanish() { gone_ = true; }
  bool gone() const noexcept override { return gone_; }
  // So many frames it still takes; then its transmit queue is full.
  void set_room(size_t frames) { room_ = frames; }
  // What the host's kernel has there, as of the next look.
  void set_host_network(HostNetwork network) { host_network_ = std::move(network); }
  std::optional<HostNetwork> host_network() const override { return host_network_; }
  // What is longer it refuses for good, as a kernel does beyond its MTU.
  void set_longest(uint32_t bytes) { longest_ = bytes; }

  uint16_t rx_burst(uint16_t number, rte_mbuf** frames, uint16_t count) noexcept override {
    auto& queue = waiting_[number];
    uint16_t got = 0;
    for (; got < count && !queue.empty(); ++got) {
      frames[got] = queue.front();
      queue.pop_front();
    }
    return got;
  }
  uint16_t tx_burst(uint16_t, rte_mbuf** frames, uint16_t count) noexcept override {
    uint16_t taken = 0;
    refused_ = false;
    for (; taken < count && room_ != 0; ++taken, --room_) {
      rte_mbuf* const m = frames[taken];
      refused_ = m->pkt_len > longest_;
      if (refused_) break;
      uint16_t shortest = m->data_len;
      for (const rte_mbuf* s = m; s != nullptr; s = s->next) shortest = std::min(shortest, s->data_len);
      sent_.push_back(
          {to_bytes(m), m->nb_segs, shortest, m->ol_flags & kIntentFlags, has_intent(m) ? intent_of(m) : Intent{}});
      rte_pktmbuf_free(m);
    }
    return taken;
  }

  bool refused(uint16_t) const noexcept override { return refused_; }

  const std::string& name() const noexcept override { return name_; }
  const char* kind() const noexcept override { return "memory"; }
  MacAddress mac() const noexcept override { return mac_; }
  uint16_t mtu() const noexcept override { return mtu_; }
  uint16_t rx_queues() const noexcept override { return static_cast<uint16_t>(waiting_.size()); }
  uint16_t tx_queues() const noexcept override { return tx_queues_; }
  RxSpread rx_spread() const noexcept override { return RxSpread::kernel; }
  bool link_up() const noexcept override { return link_up_; }
  TxCapabilities capabilities() const noexcept override { return capabilities_; }
  PortDeviceStats device_stats() const noexcept override { return {}; }
  Error set_mtu(uint16_t mtu) override {
    mtu_ = mtu;
    return {};
  }
  Error set_mac(const MacAddress& mac) override {
    mac_ = mac;
    return {};
  }

 private:
  std::shared_ptr<const bool> device_ = std::make_shared<const bool>(true);
  std::string name_;
  MacAddress mac_;
  uint16_t mtu_;
  std::vector<std::deque<rte_mbuf*>> waiting_;  // by rx queue
  uint16_t tx_queues_;
  TxCapabilities capabilities_;
  bool link_up_ = true;
  bool gone_ = false;
  HostNetwork host_network_;
  size_t room_ = SIZE_MAX;
  uint32_t longest_ = UINT32_MAX;
  bool refused_ = false;
  std::vector<Sent> sent_;
};

}  // namespace causeway::test
