// A VLAN of another port (IEEE 802.1Q): what is sent here leaves there with a tag. Nothing is received here: the worker
// that polls the device sorts its frames by their tags (dataplane/ingress/vlan.h).
#include <rte_mbuf.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "dataplane/frame/vlan_tag.h"
#include "pmd/port.h"

namespace causeway {
namespace {

class VlanPort final : public Port {
 public:
  VlanPort(const PortOptions& options, Port& link, uint16_t id)
      : name_(options.name), link_(link), id_(id), mtu_(options.mtu), tx_(options.tx_queues) {
    // Inside a tunnel a device would have to skip the tag in front of it; few can, and none says so.
    const TxCapabilities capabilities = link.capabilities();
    capabilities_.multi_segment = capabilities.multi_segment;
    capabilities_.can[static_cast<size_t>(Outer::none)] = capabilities.can[static_cast<size_t>(Outer::none)];
  }

  uint16_t rx_burst(uint16_t, rte_mbuf**, uint16_t) noexcept override { return 0; }

  uint16_t tx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    // Encap leaves room for the tag (encap.h), so that a frame without it is a rare one.
    uint16_t tagged = 0;
    while (tagged < count && push_tag(frames[tagged], id_)) ++tagged;
    const uint16_t sent = tagged == 0 ? uint16_t{0} : link_.tx_burst(queue, frames, tagged);
    for (uint16_t i = sent; i < tagged; ++i) pop_tag(frames[i]);  // still the caller's, as it gave them
    tx_[queue].refused = sent < tagged && link_.refused(queue);
    if (sent < tagged || tagged == count) return sent;
    rte_pktmbuf_free(frames[tagged]);
    tx_[queue].dropped.store(tx_[queue].dropped.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return static_cast<uint16_t>(sent + 1);
  }

  bool refused(uint16_t queue) const noexcept override { return tx_[queue].refused; }

  const std::string& name() const noexcept override { return name_; }
  const char* kind() const noexcept override { return "vlan"; }
  MacAddress mac() const noexcept override { return link_.mac(); }
  uint16_t mtu() const noexcept override { return mtu_ != 0 ? std::min(mtu_, link_.mtu()) : link_.mtu(); }
  uint16_t rx_queues() const noexcept override { return 0; }
  uint16_t tx_queues() const noexcept override { return link_.tx_queues(); }
  RxSpread rx_spread() const noexcept override { return link_.rx_spread(); }
  bool link_up() const noexcept override { return link_.link_up(); }
  TxCapabilities capabilities() const noexcept override { return capabilities_; }
  std::string lacks(Outer outer, uint8_t bits) const override {
    return outer == Outer::none ? link_.lacks(outer, bits) : "not behind a VLAN tag";
  }
  PortDeviceStats device_stats() const noexcept override {
    PortDeviceStats stats;
    for (const TxQueue& queue : tx_) stats.tx_errors += queue.dropped.load(std::memory_order_relaxed);
    return stats;
  }
  Error set_mtu(uint16_t mtu) override {
    mtu_ = mtu;
    return {};
  }
  Error set_mac(const MacAddress&) override { return "a VLAN has its link's MAC address"; }

 private:
  struct alignas(64) TxQueue {  // of the one thread that writes it
    std::atomic<uint64_t> dropped{0};
    bool refused = false;  // see PortIo
  };

  std::string name_;
  Port& link_;
  uint16_t id_;
  uint16_t mtu_;  // 0: the link's
  TxCapabilities capabilities_;
  std::vector<TxQueue> tx_;
};

}  // namespace

std::unique_ptr<Port> open_vlan_port(const PortOptions& options, Port& link, uint16_t id) {
  return std::make_unique<VlanPort>(options, link, id);
}

}  // namespace causeway
