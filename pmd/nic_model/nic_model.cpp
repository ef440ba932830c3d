#include "pmd/nic_model/nic_model.h"

#include <rte_spinlock.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>

#include "dataplane/frame/intent.h"
#include "pmd/ethdev/ethdev_offload.h"
#include "pmd/ethdev/ethdev_receive.h"
#include "pmd/kernel/kernel_queue.h"
#include "pmd/nic_model/nic_lro.h"
#include "pmd/nic_model/nic_receive.h"
#include "pmd/nic_model/nic_switch.h"
#include "pmd/nic_model/nic_transmit.h"

namespace causeway {
namespace {

struct Tunnel {
  Outer outer4;
  Outer outer6;
  NicFeature feature4;
  NicFeature feature6;
  uint64_t offload;
};
constexpr std::array<Tunnel, 3> kTunnels{{
    {Outer::geneve4, Outer::geneve6, NicFeature::geneve_tso_ipv4, NicFeature::geneve_tso_ipv6,
     RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO},
    {Outer::vxlan4, Outer::vxlan6, NicFeature::vxlan_tso_ipv4, NicFeature::vxlan_tso_ipv6,
     RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO},
    {Outer::gre4, Outer::gre6, NicFeature::gre_tso_ipv4, NicFeature::gre_tso_ipv6, RTE_ETH_TX_OFFLOAD_GRE_TNL_TSO},
}};

// The RTE_ETH_TX_OFFLOAD_* of such a NIC.
uint64_t offered_by(const NicFeatures& without) {
  const auto has = [&](NicFeature feature) { return !without.has(feature); };
  uint64_t offered = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  if (!has(NicFeature::checksum)) return offered;
  offered |= RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
             RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM;
  if (has(NicFeature::tso_ipv4) || has(NicFeature::tso_ipv6)) offered |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
  if (has(NicFeature::udp_segmentation)) offered |= RTE_ETH_TX_OFFLOAD_UDP_TSO;
  if (has(NicFeature::outer_checksum)) offered |= RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM;
  for (const Tunnel& tunnel : kTunnels) {
    if (has(tunnel.feature4) || has(tunnel.feature6)) offered |= tunnel.offload;
  }
  return offered;
}

// DPDK's offloads don't tell IP versions apart: the model does.
TxCapabilities refined(TxCapabilities caps, const NicFeatures& without) {
  const auto take = [&](Outer outer, unsigned bits) {
    caps.can[static_cast<size_t>(outer)] &= static_cast<uint8_t>(~bits);
  };
  for (const Tunnel& tunnel : kTunnels) {
    constexpr unsigned kCuts = TxCapabilities::kTcp | TxCapabilities::kUdp | TxCapabilities::kOuterChecksum |
                               TxCapabilities::kKeepsOuterChecksum;
    if (without.has(tunnel.feature4)) take(tunnel.outer4, kCuts);
    if (without.has(tunnel.feature6)) take(tunnel.outer6, kCuts);
  }
  for (size_t i = 0; i < kOuters; ++i) {
    const auto outer = static_cast<Outer>(i);
    if (without.has(NicFeature::outer_checksum_kept)) take(outer, TxCapabilities::kKeepsOuterChecksum);
    if (without.has(NicFeature::tso_ipv4)) take(outer, TxCapabilities::kTcp4 | TxCapabilities::kUdp4);
    if (without.has(NicFeature::tso_ipv6)) take(outer, TxCapabilities::kTcp6 | TxCapabilities::kUdp6);
  }
  return caps;
}

struct alignas(64) NicTxQueue {
  NicTxQueue(rte_mempool* pool, const NicFeatures& misreport) : transmit(pool, misreport) {}

  NicTransmit transmit;
  std::vector<rte_mbuf*> wire;
  PortCounter errors;
};

class NicModel final : public Port {
 public:
  NicModel(std::unique_ptr<Port> cable, const PortOptions& options, const NicModelSettings& settings)
      : cable_(std::move(cable)),
        mtu_(cable_->mtu()),
        settings_(settings),
        pool_(options.pool),
        rx_(settings, options.wanted_rx_queues()) {
    for (uint16_t i = 0; i < options.tx_queues; ++i) tx_.emplace_back(options.pool, settings.misreport);
    rte_spinlock_init(&rx_lock_);
  }
  ~NicModel() override {
    if (switch_ != nullptr) switch_->remove(switch_port_);
    rx_.drop_all();
  }

  std::string choose(const PortOptions& options) {
    rte_eth_dev_info info{};
    info.driver_name = "nic-model";
    info.tx_offload_capa = offered_by(settings_.without);
    if (!settings_.without.has(NicFeature::rx_checksum)) info.rx_offload_capa = RTE_ETH_RX_OFFLOAD_CHECKSUM;
    info.rx_offload_capa |= RTE_ETH_RX_OFFLOAD_SCATTER;
    if (!settings_.without.has(NicFeature::lro)) info.rx_offload_capa |= RTE_ETH_RX_OFFLOAD_TCP_LRO;
    const EthdevOffloads offloads = choose_offloads(info, options.offloads);
    offered_ = info.tx_offload_capa;
    tunnels_ = offloads.tunnels;
    capabilities_ = refined(offloads.capabilities, settings_.without);
    judges_checksums_ = (offloads.rx & RTE_ETH_RX_OFFLOAD_CHECKSUM) != 0;
    if (offloads.lro) lro_.emplace(settings_.misreport);
    const bool no_marks = settings_.without.has(NicFeature::flow_mark);
    if (options.underlay && options.offloads.flow != Toggle::off && !no_marks) flows_.emplace(settings_);
    if (!settings_.switch_name.empty()) join_switch(options.offloads.elephants != Toggle::off);
    return offloads.error;
  }

  uint16_t rx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    rte_spinlock_lock(&rx_lock_);
    uint16_t received = cable_->rx_burst(0, frames, count);
    if (lro_) received = lro_->merge(frames, received);
    for (uint16_t i = 0; i < received; ++i) {
      if (is_switched(frames[i])) continue;
      if (rx_.enqueue(rx_.look_at(frames[i], judges_checksums_ && trusted_, flow_engine()), frames[i])) continue;
      rte_pktmbuf_free(frames[i]);
      missed_.add(1);
    }
    const uint16_t taken = rx_.take(queue, frames, count);
    const uint16_t kept = lro_ ? take_rx_work(frames, taken, mtu_, LroSays::length) : taken;
    rx_errors_.add(uint64_t{taken} - kept);
    rte_spinlock_unlock(&rx_lock_);
    return kept;
  }

  uint16_t tx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    NicTxQueue& tx = tx_[queue];
    for (uint16_t i = 0; i < count; ++i) {
      if (!work_on(tx, frames[i])) tx.errors.add(1);
    }
    size_t sent = 0;
    for (uint16_t taken = 1; sent < tx.wire.size() && taken != 0; sent += taken) {
      const auto left = static_cast<uint16_t>(std::min<size_t>(tx.wire.size() - sent, 512));
      const std::unique_lock guard =
          switch_ != nullptr ? std::unique_lock(cable_lock_) : std::unique_lock<std::mutex>();
      taken = cable_->tx_burst(queue, &tx.wire[sent], left);
      if (taken == left || !cable_->refused(queue)) continue;
      rte_pktmbuf_free(tx.wire[sent + taken]);
      tx.errors.add(1);
      ++taken;
    }
    tx.errors.add(tx.wire.size() - sent);
    for (size_t i = sent; i < tx.wire.size(); ++i) rte_pktmbuf_free(tx.wire[i]);
    tx.wire.clear();
    return count;
  }

  // One queue may be filled by a worker that polls another.
  int rx_fd(uint16_t) const noexcept override { return rx_.queues() == 1 ? cable_->rx_fd(0) : -1; }

  const std::string& name() const noexcept override { return cable_->name(); }
  const char* kind() const noexcept override { return "nic-model"; }
  void look() override {
    cable_->look();
    mtu_ = cable_->mtu();
  }
  bool gone() const noexcept override { return cable_->gone(); }
  MacAddress mac() const noexcept override { return cable_->mac(); }
  uint16_t mtu() const noexcept override { return mtu_; }
  uint16_t rx_queues() const noexcept override { return rx_.queues(); }
  uint16_t tx_queues() const noexcept override { return static_cast<uint16_t>(tx_.size()); }
  RxSpread rx_spread() const noexcept override { return RxSpread::outer; }
  bool link_up() const noexcept override { return cable_->link_up(); }
  TxCapabilities capabilities() const noexcept override { return capabilities_; }
  std::string lacks(Outer outer, uint8_t bits) const override { return lacking_flags(offered_, outer, bits); }
  Error set_mtu(uint16_t mtu) override {
    Error error = cable_->set_mtu(mtu);
    mtu_ = cable_->mtu();
    return error;
  }
  Error set_mac(const MacAddress& mac) override { return cable_->set_mac(mac); }
  Error set_host_path(bool on) override { return cable_->set_host_path(on); }
  FlowRules* flow_rules() noexcept override { return flow_engine(); }
  SwitchRules* switch_rules() noexcept override { return switch_flows_ ? &*switch_flows_ : nullptr; }
  SwitchPort switch_port() const override { return {settings_.switch_name, switch_port_}; }

  bool loop(rte_mbuf* frame, std::vector<Received>& received) override {
    NicTxQueue tx(pool_, settings_.misreport);
    work_on(tx, frame);
    for (rte_mbuf* m : tx.wire) received.push_back({m, rx_.look_at(m, judges_checksums_, flow_engine())});
    return true;
  }
  bool lro() const noexcept override { return lro_.has_value(); }
  uint16_t merge(rte_mbuf** frames, uint16_t count) override {
    return lro_ ? take_rx_work(frames, lro_->merge(frames, count), mtu(), LroSays::length) : count;
  }
  void distrust_rx_checksums() override { trusted_ = false; }

  PortDeviceStats device_stats() const noexcept override {
    PortDeviceStats stats = cable_->device_stats();
    stats.rx_missed += missed_.get();
    stats.rx_errors += rx_errors_.get();
    for (const NicTxQueue& queue : tx_) stats.tx_errors += queue.errors.get();
    stats.tx_errors += switch_errors_.get();
    return stats;
  }

 private:
  void join_switch(bool with_rules) {
    switch_ = NicSwitch::of(settings_.switch_name);
    switch_port_ = switch_->add([this](rte_mbuf* frame) {
      const std::scoped_lock guard(cable_lock_);
      if (cable_->tx_burst(0, &frame, 1) == 1) return true;
      rte_pktmbuf_free(frame);
      return false;
    });
    if (with_rules) switch_flows_.emplace(settings_, switch_port_);
  }

  // True: a rule of the switch has taken it. A frame with work left to do never was on a wire. Under rx_lock_.
  bool is_switched(rte_mbuf* frame) {
    if (!switch_flows_ || has_intent(frame)) return false;
    const auto verdict = switch_flows_->classify(NicBytes(frame));
    if (!verdict) return false;
    if (!switch_->forward(frame, *verdict)) switch_errors_.add(1);
    return true;
  }

  NicFlows* flow_engine() noexcept { return flows_ ? &*flows_ : nullptr; }

  // Takes the frame; what comes of it stands in tx.wire. Headers are written to, so one that is shared is copied, as
  // ethdev_port does.
  bool work_on(NicTxQueue& tx, rte_mbuf* frame) {
    if (!has_intent(frame)) {
      frame->ol_flags &= ~RTE_MBUF_F_TX_OFFLOAD_MASK;
      return tx.transmit.transmit(frame, tx.wire);
    }
    if (!RTE_MBUF_DIRECT(frame) || rte_mbuf_refcnt_read(frame) > 1) {
      rte_mbuf* const copy = rte_pktmbuf_copy(frame, pool_, 0, UINT32_MAX);
      rte_pktmbuf_free(frame);
      frame = copy;
    }
    if (frame == nullptr) return false;
    if (translate_intent(frame, tunnels_)) return tx.transmit.transmit(frame, tx.wire);
    rte_pktmbuf_free(frame);
    return false;
  }

  std::unique_ptr<Port> cable_;
  std::atomic<uint16_t> mtu_;  // the cable's
  NicModelSettings settings_;
  rte_mempool* pool_;
  uint64_t offered_ = 0;
  TunnelFlags tunnels_{};
  TxCapabilities capabilities_;
  bool judges_checksums_ = false;
  std::atomic<bool> trusted_ = true;  // what it thinks of received checksums
  std::optional<NicFlows> flows_;
  std::optional<NicLro> lro_;
  std::shared_ptr<NicSwitch> switch_;
  uint16_t switch_port_ = 0;
  std::optional<NicFlows> switch_flows_;
  std::mutex cable_lock_;      // over the cable's sending side, where others of the switch send, too
  PortCounter switch_errors_;  // under rx_lock_
  PortCounter missed_;
  PortCounter rx_errors_;
  rte_spinlock_t rx_lock_;  // over the cable's receiving side and rx_
  NicReceive rx_;
  std::deque<NicTxQueue> tx_;
};

}  // namespace

PortOptions cable_options(PortOptions options) {
  options.rx_queues = 1;
  options.offloads = {Toggle::off, Toggle::off, Toggle::off, Toggle::off, Toggle::off, Toggle::off};
  return options;
}

std::unique_ptr<Port> make_nic_model(std::unique_ptr<Port> cable, const PortOptions& options,
                                     const NicModelSettings& settings, std::string& error) {
  auto port = std::make_unique<NicModel>(std::move(cable), options, settings);
  error = port->choose(options);
  if (!error.empty()) return nullptr;
  return port;
}

std::unique_ptr<Port> open_nic_model(const PortOptions& options, const NicModelSettings& settings, OpenError& error) {
  const PortOptions cable = cable_options(options);
  std::unique_ptr<Port> port;
  if (settings.over == NicModelSettings::Over::dpdk) {
    port = open_ethdev_port(cable, settings.devargs, error);
  } else if (settings.over == NicModelSettings::Over::tap) {
    port = open_tap_port(cable, error);
  } else {
    port = open_packet_port(cable, error);
  }
  return port != nullptr ? make_nic_model(std::move(port), options, settings, error.text) : nullptr;
}

}  // namespace causeway
