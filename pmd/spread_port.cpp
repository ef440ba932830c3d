#include "pmd/spread_port.h"

#include <rte_mbuf.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "dataplane/batch.h"
#include "dataplane/counters.h"
#include "dataplane/flow/innermost_flow.h"
#include "dataplane/spsc_ring.h"
#include "pmd/file_descriptor.h"

namespace causeway {
namespace {

constexpr size_t kRingFrames =
    1024;  // of each other queue: some 50 us at 20 Mpps, as long as a worker without one sleeps

class SpreadPort final : public Port {
 public:
  SpreadPort(std::unique_ptr<Port> device, uint16_t queues) : device_(std::move(device)), queues_(queues) {
    for (uint16_t queue = 1; queue < queues; ++queue) {
      rings_.push_back(std::make_unique<SpscRing<rte_mbuf*>>(kRingFrames));
    }
  }
  ~SpreadPort() override {
    for (const auto& ring : rings_) {
      rte_mbuf* frame = nullptr;
      while (ring->pop(frame)) rte_pktmbuf_free(frame);
    }
  }
  SpreadPort(const SpreadPort&) = delete;
  SpreadPort& operator=(const SpreadPort&) = delete;

  uint16_t rx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    if (queue == 0) return receive(frames, count);
    SpscRing<rte_mbuf*>& ring = *rings_[queue - 1U];
    uint16_t taken = 0;
    while (taken < count && ring.pop(frames[taken])) ++taken;
    return taken;
  }
  uint16_t tx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    return device_->tx_burst(queue, frames, count);
  }
  bool refused(uint16_t queue) const noexcept override { return device_->refused(queue); }
  // Who has only handed frames on has none of its own, and yet no time to sleep.
  int rx_fd(uint16_t queue) const noexcept override {
    if (queue != 0) return -1;
    return handed_on_ ? readable_.get() : device_->rx_fd(0);
  }

  uint16_t rx_queues() const noexcept override { return queues_; }
  RxSpread rx_spread() const noexcept override { return RxSpread::inner; }
  PortDeviceStats device_stats() const noexcept override {
    PortDeviceStats stats = device_->device_stats();
    stats.rx_missed += missed_.get();
    return stats;
  }

  void look() override { device_->look(); }
  bool gone() const noexcept override { return device_->gone(); }
  std::vector<int> descriptors() const override { return device_->descriptors(); }
  const std::string& name() const noexcept override { return device_->name(); }
  const char* kind() const noexcept override { return device_->kind(); }
  MacAddress mac() const noexcept override { return device_->mac(); }
  uint16_t mtu() const noexcept override { return device_->mtu(); }
  uint16_t tx_queues() const noexcept override { return device_->tx_queues(); }
  bool equal_queues() const noexcept override { return device_->equal_queues(); }
  bool link_up() const noexcept override { return device_->link_up(); }
  TxCapabilities capabilities() const noexcept override { return device_->capabilities(); }
  std::string lacks(Outer outer, uint8_t bits) const override { return device_->lacks(outer, bits); }
  Error set_mtu(uint16_t mtu) override { return device_->set_mtu(mtu); }
  Error set_mac(const MacAddress& mac) override { return device_->set_mac(mac); }
  SwitchRules* switch_rules() noexcept override { return device_->switch_rules(); }
  SwitchPort switch_port() const override { return device_->switch_port(); }
  std::optional<HostNetwork> host_network() const override { return device_->host_network(); }
  Error set_host_path(bool on) override { return device_->set_host_path(on); }
  bool lro() const noexcept override { return device_->lro(); }
  bool loop(rte_mbuf* frame, std::vector<Received>& received) override { return device_->loop(frame, received); }
  uint16_t merge(rte_mbuf** frames, uint16_t count) override { return device_->merge(frames, count); }
  void distrust_rx_checksums() override { device_->distrust_rx_checksums(); }

 private:
  uint16_t receive(rte_mbuf** frames, uint16_t count) noexcept {
    const uint16_t received = device_->rx_burst(0, frames, count);
    uint16_t kept = 0;
    handed_on_ = received != 0;
    for (uint16_t i = 0; i < received; ++i) {
      rte_mbuf* const frame = frames[i];
      const auto queue = static_cast<uint16_t>((uint64_t{innermost_entropy(frame)} * queues_) >> 32);
      if (queue == 0) {
        frames[kept++] = frame;
      } else if (!rings_[queue - 1U]->push(frame)) {
        rte_pktmbuf_free(frame);
        missed_.add(1);
      }
    }
    return kept;
  }

  std::unique_ptr<Port> device_;
  uint16_t queues_;
  std::vector<std::unique_ptr<SpscRing<rte_mbuf*>>> rings_;  // of the queues but the first
  // Of whoever polls queue 0.
  Counter missed_;
  bool handed_on_ = false;
  const FileDescriptor readable_{eventfd(1, EFD_CLOEXEC)};
};

}  // namespace

std::unique_ptr<Port> spread_over(std::unique_ptr<Port> device, uint16_t queues) {
  return std::make_unique<SpreadPort>(std::move(device), queues);
}

}  // namespace causeway
