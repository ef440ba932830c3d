// Any device DPDK has a driver for: a PCI NIC by its address, or a vdev by its string.
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_spinlock.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <optional>
#include <string_view>

#include "dataplane/frame/intent.h"
#include "pmd/driver_words.h"
#include "pmd/eal.h"
#include "pmd/ethdev/ethdev_attach.h"
#include "pmd/ethdev/ethdev_flows.h"
#include "pmd/ethdev/ethdev_offload.h"
#include "pmd/ethdev/ethdev_receive.h"
#include "pmd/kernel/kernel_queue.h"
#include "pmd/kernel/linux_interface.h"
#include "pmd/port.h"

namespace causeway {
namespace {

constexpr uint16_t kRxDescriptors = 1024;
constexpr uint16_t kTxDescriptors = 1024;
// Frames with an Intent are translated and sent in runs of this many.
constexpr uint16_t kChunk = 32;
// Ethernet header with two VLAN tags in front of `mtu` bytes.
constexpr uint32_t kL2Bytes = 14 + 8;

// The Linux interface that a virtual device stands on, where its devargs name one.
std::optional<LinuxInterface> interface_under(const std::string& devargs) {
  constexpr std::string_view kKey = ",iface=";
  const size_t key = devargs.find(kKey);
  if (key == std::string::npos) return std::nullopt;
  const size_t begin = key + kKey.size();
  OpenError ignored;  // then it isn't one of ours to see
  return LinuxInterface::find(devargs.substr(begin, devargs.find(',', begin) - begin), ignored);
}

// Drivers state an MTU, a frame length, or both.
uint32_t largest_mtu(const rte_eth_dev_info& info) {
  if (info.max_mtu != UINT16_MAX) return info.max_mtu;
  static constexpr uint32_t kOverhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
  return std::min<uint32_t>(UINT16_MAX, info.max_rx_pktlen - kOverhead);
}

// What RSS hashes: addresses and ports, the innermost ones where the device looks into tunnels. Over outer headers a
// tunnel's flows still differ by their UDP source port (RFC 7348 section 5, RFC 8926 section 3.3); GRE's don't.
uint64_t rss_of(const rte_eth_dev_info& info) {
  constexpr uint64_t kFlow = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP;
  const uint64_t offered = info.flow_type_rss_offloads;
  const bool innermost = (offered & RTE_ETH_RSS_LEVEL_INNERMOST) == RTE_ETH_RSS_LEVEL_INNERMOST;
  return (offered & kFlow) | (innermost ? RTE_ETH_RSS_LEVEL_INNERMOST : 0);
}

RxSpread spread_of(const rte_eth_dev_info& info) {
  const uint64_t rss = rss_of(info);
  if ((rss & ~RTE_ETH_RSS_LEVEL_MASK) == 0) return RxSpread::none;
  return (rss & RTE_ETH_RSS_LEVEL_MASK) != 0 ? RxSpread::inner : RxSpread::outer;
}

struct alignas(64) EthdevQueue {
  PortCounter errors;
};

class EthdevPort final : public Port {
 public:
  EthdevPort(const PortOptions& options, uint16_t port, std::optional<LinuxInterface> interface)
      : name_(options.name), port_(port), pool_(options.pool), interface_(std::move(interface)) {}
  ~EthdevPort() override;

  Error configure(const PortOptions& options);
  Error start(const PortOptions& options);

  // Pulled out; or the Linux interface under it (AF_XDP's, say) is no more, which drivers don't notice.
  void look() override { gone_ = rte_eth_dev_is_removed(port_) == 1 || (interface_ && !interface_->look()); }
  bool gone() const noexcept override { return gone_; }

  uint16_t rx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    const uint16_t received = rte_eth_rx_burst(port_, queue, frames, count);
    if (hands_over_tx_flags_) [[unlikely]] {
      for (uint16_t i = 0; i < received; ++i) frames[i]->ol_flags &= ~RTE_MBUF_F_TX_OFFLOAD_MASK;
    }
    if (judges_checksums_) [[unlikely]] {
      for (uint16_t i = 0; i < received; ++i) outermost_verdicts(frames[i]);
    }
    if (lro_) [[unlikely]] {
      const uint16_t kept = take_rx_work(frames, received, mtu_, lro_says_);
      rx_[queue].errors.add(uint64_t{received} - kept);
      return kept;
    }
    return received;
  }

  uint16_t tx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    // A device that does nothing for us gets nothing but complete frames.
    if (tx_offloads_ == 0) return send(queue, frames, count);
    // tx_offload means something to a driver only under a tx flag, so frames without one go as they are.
    uint64_t flags = 0;
    for (uint16_t i = 0; i < count; ++i) flags |= frames[i]->ol_flags;
    if ((flags & RTE_MBUF_F_TX_OFFLOAD_MASK) != 0) [[unlikely]] {
      return tx_burst_with_intents(queue, frames, count);
    }
    return send(queue, frames, count);
  }

  const std::string& name() const noexcept override { return name_; }
  const char* kind() const noexcept override { return "dpdk"; }
  MacAddress mac() const noexcept override { return mac_; }
  uint16_t mtu() const noexcept override { return mtu_; }
  uint16_t rx_queues() const noexcept override { return rx_queues_; }
  uint16_t tx_queues() const noexcept override { return static_cast<uint16_t>(tx_.size()); }
  bool equal_queues() const noexcept override { return is_memif_; }
  bool link_up() const noexcept override;
  RxSpread rx_spread() const noexcept override { return rx_spread_; }
  TxCapabilities capabilities() const noexcept override { return capabilities_; }
  std::string lacks(Outer outer, uint8_t bits) const override { return lacking_flags(offered_, outer, bits); }
  PortDeviceStats device_stats() const noexcept override;
  Error set_mtu(uint16_t mtu) override;
  Error set_mac(const MacAddress& mac) override;
  FlowRules* flow_rules() noexcept override { return flows_ ? &*flows_ : nullptr; }
  bool lro() const noexcept override { return lro_; }
  SwitchRules* switch_rules() noexcept override { return switch_ ? &*switch_ : nullptr; }
  SwitchPort switch_port() const override { return {switch_domain_, port_}; }

 private:
  Error set_up_queues(const rte_eth_dev_info& info);
  rte_eth_conf device_conf(const rte_eth_dev_info& info, uint32_t mtu) const;
  void receive_what_is_meant_for_us(bool underlay);
  uint16_t tx_burst_with_intents(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept;
  bool prepare(uint16_t queue, rte_mbuf*& frame) noexcept;
  uint16_t send_translated(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept;
  uint16_t send_shared(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept;

  uint16_t send(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept {
    if (device_tx_queues_ >= tx_.size()) [[likely]] {
      return rte_eth_tx_burst(port_, queue, frames, count);
    }
    return send_shared(queue, frames, count);
  }

  std::string name_;
  uint16_t port_;
  uint16_t rx_queues_ = 0;
  uint16_t device_tx_queues_ = 0;  // fewer than tx_.size(): several workers share one
  RxSpread rx_spread_ = RxSpread::none;
  bool is_memif_ = false;
  bool hands_over_tx_flags_ = false;
  bool judges_checksums_ = false;  // an underlay whose device says what it thinks of them
  bool lro_ = false;
  LroSays lro_says_ = LroSays::length;
  bool started_ = false;
  std::atomic<uint16_t> mtu_ = 0;
  MacAddress mac_;
  TxCapabilities capabilities_;
  TunnelFlags tunnel_flags_{};
  uint64_t offered_ = 0;  // rte_eth_dev_info::tx_offload_capa
  uint64_t rx_offloads_ = 0;
  uint64_t tx_offloads_ = 0;
  rte_mempool* pool_;
  std::optional<LinuxInterface> interface_;
  bool gone_ = false;
  std::optional<EthdevFlows> flows_;
  std::optional<EthdevSwitch> switch_;
  std::string switch_domain_;
  std::deque<EthdevQueue> rx_;
  std::deque<EthdevQueue> tx_;
  std::vector<rte_spinlock_t> tx_locks_;  // one per device queue, used only while queues are shared
};

EthdevPort::~EthdevPort() {
  flows_.reset();
  if (started_) rte_eth_dev_stop(port_);
  detach_ethdev(port_);
}

rte_eth_conf EthdevPort::device_conf(const rte_eth_dev_info& info, uint32_t mtu) const {
  rte_eth_conf conf{};
  conf.rxmode.mtu = mtu;
  conf.rxmode.offloads = rx_offloads_;
  if (lro_) conf.rxmode.max_lro_pkt_size = std::min(info.max_lro_pkt_size, kMaxLroBytes);
  conf.txmode.offloads = tx_offloads_;
  if (rx_queues_ > 1 && rx_spread_ != RxSpread::none) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = rss_of(info);
  }
  return conf;
}

Error EthdevPort::configure(const PortOptions& options) {
  rte_eth_dev_info info{};
  int result = rte_eth_dev_info_get(port_, &info);
  if (result != 0) return dpdk_error("device information", result);
  if (info.max_rx_queues < options.rx_queues) {
    return "the device has " + std::to_string(info.max_rx_queues) + " rx queues, " + std::to_string(options.rx_queues) +
           " were asked for";
  }
  rx_spread_ = spread_of(info);
  rx_queues_ = options.wanted_rx_queues();
  if (options.rx_queues == 0) {
    rx_queues_ = rx_spread_ == RxSpread::none ? uint16_t{1} : std::clamp<uint16_t>(rx_queues_, 1, info.max_rx_queues);
  }
  for (uint16_t i = 0; i < rx_queues_; ++i) rx_.emplace_back();
  if (info.max_tx_queues == 0) return "the device has no tx queue";
  // memif's two ends need as many queues each way (rx of the one, tx of the other), or their link stays down; how many
  // workers the other end has we don't know.
  is_memif_ = std::string_view(info.driver_name) == "net_memif";
  device_tx_queues_ = is_memif_ ? rx_queues_ : std::min(options.tx_queues, info.max_tx_queues);
  for (uint16_t i = 0; i < options.tx_queues; ++i) tx_.emplace_back();
  tx_locks_.resize(device_tx_queues_);
  for (rte_spinlock_t& lock : tx_locks_) rte_spinlock_init(&lock);
  // A ring gives us the sender's mbufs as they are; all others fill ol_flags themselves.
  hands_over_tx_flags_ = std::string_view(info.driver_name) == "net_ring";

  const EthdevOffloads offloads = choose_offloads(info, options.offloads);
  if (!offloads.error.empty()) return offloads.error;
  capabilities_ = offloads.capabilities;
  tunnel_flags_ = offloads.tunnels;
  offered_ = info.tx_offload_capa;
  judges_checksums_ = options.underlay && (offloads.rx & RTE_ETH_RX_OFFLOAD_CHECKSUM) != 0;
  lro_ = offloads.lro;
  lro_says_ = offloads.lro_says;
  rx_offloads_ = offloads.rx;
  tx_offloads_ = offloads.tx;

  uint16_t device_mtu = 0;
  rte_eth_dev_get_mtu(port_, &device_mtu);
  const uint16_t mtu = options.mtu != 0 ? options.mtu : device_mtu != 0 ? device_mtu : uint16_t{RTE_ETHER_MTU};
  if (mtu > largest_mtu(info)) {
    return "mtu " + std::to_string(mtu) + " is more than the device's " + std::to_string(largest_mtu(info));
  }
  if (mtu + kL2Bytes + RTE_PKTMBUF_HEADROOM > rte_pktmbuf_data_room_size(pool_)) {
    rx_offloads_ |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
  }
  if (options.underlay && options.offloads.flow != Toggle::off) {
    uint64_t wanted = RTE_ETH_RX_METADATA_USER_MARK;  // some drivers hand over no marks unasked
    rte_eth_rx_metadata_negotiate(port_, &wanted);
  }
  const rte_eth_conf conf = device_conf(info, mtu);
  result = rte_eth_dev_configure(port_, rx_queues_, device_tx_queues_, &conf);
  if (result != 0) return dpdk_error("rte_eth_dev_configure", result);
  if (Error error = set_up_queues(info)) return error;

  if (Error error = set_mtu(mtu)) return error;
  rte_ether_addr address{};
  rte_eth_macaddr_get(port_, &address);
  std::memcpy(mac_.bytes.data(), address.addr_bytes, mac_.bytes.size());
  if (!options.mac.is_zero()) {
    if (Error error = set_mac(options.mac)) return error;
  }
  if (info.switch_info.domain_id != RTE_ETH_DEV_SWITCH_DOMAIN_ID_INVALID) {
    switch_domain_ = std::to_string(info.switch_info.domain_id);
  }
  return {};
}

Error EthdevPort::start(const PortOptions& options) {
  const int result = rte_eth_dev_start(port_);
  if (result != 0) return dpdk_error("rte_eth_dev_start", result);
  started_ = true;
  receive_what_is_meant_for_us(options.underlay && !options.promiscuous);
  if (options.underlay && options.offloads.flow != Toggle::off && knows_rte_flow(port_)) flows_.emplace(port_);
  const bool elephants = !switch_domain_.empty() && options.offloads.elephants != Toggle::off;
  if (elephants && knows_rte_flow(port_)) switch_.emplace(port_);
  return {};
}

Error EthdevPort::set_up_queues(const rte_eth_dev_info& info) {
  uint16_t rx_descriptors = kRxDescriptors;
  uint16_t tx_descriptors = kTxDescriptors;
  int result = rte_eth_dev_adjust_nb_rx_tx_desc(port_, &rx_descriptors, &tx_descriptors);
  if (result != 0) return dpdk_error("descriptors", result);
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(port_));
  // Transmit queues first: net_tap of DPDK 24.11 segments nothing on a queue whose receiving side is there already.
  rte_eth_txconf tx_conf = info.default_txconf;
  tx_conf.offloads = tx_offloads_;
  for (uint16_t queue = 0; queue < device_tx_queues_; ++queue) {
    result = rte_eth_tx_queue_setup(port_, queue, tx_descriptors, socket, &tx_conf);
    if (result != 0) return dpdk_error("tx queue " + std::to_string(queue), result);
  }
  fill_mempool(pool_);  // drivers that share it with a device take it as it is now
  rte_eth_rxconf rx_conf = info.default_rxconf;
  rx_conf.offloads = rx_offloads_;
  for (uint16_t queue = 0; queue < rx_queues_; ++queue) {
    result = rte_eth_rx_queue_setup(port_, queue, rx_descriptors, socket, &rx_conf, pool_);
    if (result != 0) return dpdk_error("rx queue " + std::to_string(queue), result);
  }
  return {};
}

// Tunnels need our own MAC and multicast only, bridges everything. Devices that filter nothing don't
// know these calls.
void EthdevPort::receive_what_is_meant_for_us(bool underlay) {
  rte_ether_addr address{};
  rte_eth_macaddr_get(port_, &address);
  const bool mac_is_the_devices = std::memcmp(mac_.bytes.data(), address.addr_bytes, mac_.bytes.size()) == 0;
  const bool filtered = underlay && mac_is_the_devices && rte_eth_allmulticast_enable(port_) == 0;
  if (!filtered) rte_eth_promiscuous_enable(port_);
}

bool EthdevPort::link_up() const noexcept {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(port_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

PortDeviceStats EthdevPort::device_stats() const noexcept {
  PortDeviceStats stats;
  rte_eth_stats device{};
  if (rte_eth_stats_get(port_, &device) == 0) {
    stats.rx_missed = device.imissed + device.rx_nombuf;
    stats.rx_errors = device.ierrors;
    stats.tx_errors = device.oerrors;
  }
  for (const EthdevQueue& queue : rx_) stats.rx_errors += queue.errors.get();
  for (const EthdevQueue& queue : tx_) stats.tx_errors += queue.errors.get();
  return stats;
}

Error EthdevPort::set_mtu(uint16_t mtu) {
  const int result = rte_eth_dev_set_mtu(port_, mtu);
  // A device without the call has no limit of its own below max_mtu.
  if (result != 0 && result != -ENOTSUP) return dpdk_error("mtu " + std::to_string(mtu), result);
  mtu_ = mtu;
  return {};
}

Error EthdevPort::set_mac(const MacAddress& mac) {
  rte_ether_addr address{};
  std::memcpy(address.addr_bytes, mac.bytes.data(), mac.bytes.size());
  const int result = rte_eth_dev_default_mac_addr_set(port_, &address);
  if (result != 0 && result != -ENOTSUP) return dpdk_error("macaddress", result);
  mac_ = mac;
  if (result == -ENOTSUP && started_) rte_eth_promiscuous_enable(port_);
  return {};
}

uint16_t EthdevPort::send_shared(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept {
  const auto device_queue = static_cast<uint16_t>(queue % device_tx_queues_);
  rte_spinlock_lock(&tx_locks_[device_queue]);
  const uint16_t sent = rte_eth_tx_burst(port_, device_queue, frames, count);
  rte_spinlock_unlock(&tx_locks_[device_queue]);
  return sent;
}

uint16_t EthdevPort::tx_burst_with_intents(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept {
  uint16_t taken = 0;
  while (taken < count) {
    const auto chunk = std::min<uint16_t>(kChunk, static_cast<uint16_t>(count - taken));
    const uint16_t sent = send_translated(queue, frames + taken, chunk);
    taken = static_cast<uint16_t>(taken + sent);
    if (sent < chunk) break;
  }
  return taken;
}

// Makes the frame ready for the driver; false: it can't be sent. `frame` is replaced by a copy where its
// headers are shared with others (a flooded frame's), because checksums are written into them.
bool EthdevPort::prepare(uint16_t queue, rte_mbuf*& frame) noexcept {
  if (!has_intent(frame)) {
    frame->ol_flags &= ~RTE_MBUF_F_TX_OFFLOAD_MASK;
    return true;
  }
  if (!RTE_MBUF_DIRECT(frame) || rte_mbuf_refcnt_read(frame) > 1) {
    rte_mbuf* copy = rte_pktmbuf_copy(frame, pool_, 0, UINT32_MAX);
    if (copy == nullptr) return false;
    rte_pktmbuf_free(frame);
    frame = copy;
  }
  const auto device_queue = static_cast<uint16_t>(queue % device_tx_queues_);
  return translate_intent(frame, tunnel_flags_) && rte_eth_tx_prepare(port_, device_queue, &frame, 1) == 1;
}

// Sends up to kChunk frames in order. Those the device didn't take stay the caller's, with their Intent.
uint16_t EthdevPort::send_translated(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept {
  std::array<uint64_t, kChunk> flags;
  std::array<uint64_t, kChunk> intents;
  std::array<rte_mbuf*, kChunk> good;
  std::array<uint16_t, kChunk> good_at;  // index in `frames`
  uint16_t ready = 0;
  for (uint16_t i = 0; i < count; ++i) {
    flags[i] = frames[i]->ol_flags & kIntentFlags;
    intents[i] = frames[i]->tx_offload;
    if (!prepare(queue, frames[i])) continue;
    // Finished in software: on another try it has nothing left to ask for.
    if ((frames[i]->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK) == 0) flags[i] = 0;
    good[ready] = frames[i];
    good_at[ready++] = i;
  }
  const uint16_t sent = send(queue, good.data(), ready);
  const uint16_t taken = sent == ready ? count : good_at[sent];

  uint16_t next_good = 0;
  for (uint16_t i = 0; i < taken; ++i) {
    if (next_good < ready && good_at[next_good] == i) {
      ++next_good;
      continue;
    }
    rte_pktmbuf_free(frames[i]);
    tx_[queue].errors.add(1);
  }
  for (uint16_t i = taken; i < count; ++i) {
    frames[i]->ol_flags = (frames[i]->ol_flags & ~RTE_MBUF_F_TX_OFFLOAD_MASK) | flags[i];
    frames[i]->tx_offload = intents[i];
  }
  return taken;
}

}  // namespace

std::unique_ptr<Port> open_ethdev_port(const PortOptions& options, const std::string& devargs, OpenError& error) {
  error = OpenError{};
  const uint16_t port_id = attach_ethdev(devargs, error.text);
  error.kind = OpenError::Kind::failed;
  if (!error.empty()) return nullptr;
  auto port = std::make_unique<EthdevPort>(options, port_id, interface_under(devargs));
  DriverWords words;
  error = port->configure(options);
  if (error.empty()) error = OpenError{port->start(options).text(), OpenError::Kind::failed};
  if (error.empty()) return port;
  if (const std::string said = words.take(); !said.empty()) error.text += ": " + said;
  return nullptr;
}

}  // namespace causeway
