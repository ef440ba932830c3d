// An existing Linux interface (veth, physical NIC) through AF_PACKET sockets with virtio-net headers:
// the kernel's super-packets come and go whole.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cstring>
#include <deque>
#include <span>
#include <tuple>

#include "pmd/kernel/interface_lock.h"
#include "pmd/kernel/kernel_queue.h"
#include "pmd/kernel/linux_interface.h"
#include "pmd/kernel/read_host_network.h"
#include "pmd/kernel/redirect.h"
#include "pmd/kernel/tunnel_tap.h"
#include "pmd/port.h"
#include "pmd/socket_options.h"
#include "pmd/system_error.h"

namespace causeway {
namespace {

constexpr int kSocketRxBytes = 8 << 20;
constexpr int kSocketTxBytes = 4 << 20;
// PACKET_FANOUT_FLAG_IGNORE_OUTGOING (linux/if_packet.h since 5.12): the group has its own copy of
// PACKET_IGNORE_OUTGOING.
constexpr int kFanoutIgnoreOutgoing = 0x4000;
constexpr const char* kNeedsTap = "packet sockets take no tunnels; offloads.tunnel-tso: on puts a TAP in front";

std::string bind_to(int fd, int interface, uint16_t protocol) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = interface;
  return bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? "" : system_error("bind");
}

// A socket that is bound to nothing yet. PACKET_VNET_HDR comes first: frames queued before it is set
// would be read without a header.
FileDescriptor open_socket(std::string& error) {
  FileDescriptor fd(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) {
    error = system_error("packet socket");
  } else if (!set_option(fd.get(), SOL_PACKET, PACKET_VNET_HDR, 1)) {
    error = system_error("PACKET_VNET_HDR");
  }
  return fd;
}

FileDescriptor open_tx_socket(int interface, std::string& error) {
  FileDescriptor fd = open_socket(error);
  if (!error.empty()) return fd;
  if (!set_option(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, kSocketTxBytes)) {
    set_option(fd.get(), SOL_SOCKET, SO_SNDBUF, kSocketTxBytes);
  }
  error = bind_to(fd.get(), interface, 0);  // protocol 0: sends, and receives nothing
  return fd;
}

bool take_all(int fd) noexcept { return set_option(fd, SOL_SOCKET, SO_DETACH_FILTER, 0); }

FileDescriptor open_rx_socket(int interface, bool promiscuous, bool one_of_several, std::string& error) {
  FileDescriptor fd = open_socket(error);
  if (!error.empty()) return fd;
  packet_mreq membership{};
  membership.mr_ifindex = interface;
  membership.mr_type = promiscuous ? PACKET_MR_PROMISC : PACKET_MR_ALLMULTI;
  if (!set_option(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, kSocketRxBytes)) {
    set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, kSocketRxBytes);
  }
  // Until a socket is in its group it would get a copy of every frame, and it can't join before it is bound.
  if (one_of_several && !take_nothing(fd.get())) {
    error = system_error("SO_ATTACH_FILTER");
  } else if (!set_option(fd.get(), SOL_PACKET, PACKET_AUXDATA, 1)) {
    error = system_error("PACKET_AUXDATA");
  } else if (!set_option(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)) {
    error = system_error("PACKET_IGNORE_OUTGOING");
  } else if (!set_option(fd.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)) {
    error = system_error("PACKET_ADD_MEMBERSHIP");
  } else {
    error = bind_to(fd.get(), interface, ETH_P_ALL);
  }
  return fd;
}

// Frames of one flow stay on one socket: the kernel hashes what it dissects, a tunnel's inner or outer addresses and
// ports. Not PACKET_FANOUT_ROLLOVER, which would put a flow's next frame on another queue when its own is full. The
// first socket makes the group and learns its number.
std::string join_fanout(int fd, int& group) {
  const bool first = group < 0;
  int value = (PACKET_FANOUT_HASH | kFanoutIgnoreOutgoing) << 16;
  value |= first ? PACKET_FANOUT_FLAG_UNIQUEID << 16 : group;
  if (!set_option(fd, SOL_PACKET, PACKET_FANOUT, value)) return system_error("PACKET_FANOUT");
  socklen_t size = sizeof(value);
  if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &value, &size) != 0) return system_error("PACKET_FANOUT");
  group = value & 0xffff;
  return {};
}

// The kernel strips the outermost VLAN tag and hands it over beside the frame.
std::optional<VlanTag> stripped_tag(const msghdr& message) noexcept {
  for (const cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
       control = CMSG_NXTHDR(const_cast<msghdr*>(&message), const_cast<cmsghdr*>(control))) {
    if (control->cmsg_level != SOL_PACKET || control->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata data{};
    std::memcpy(&data, CMSG_DATA(control), sizeof(data));
    if ((data.tp_status & TP_STATUS_VLAN_VALID) == 0) return std::nullopt;
    const bool has_tpid = (data.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
    return VlanTag{has_tpid ? data.tp_vlan_tpid : uint16_t{ETH_P_8021Q}, data.tp_vlan_tci};
  }
  return std::nullopt;
}

ReadResult read_socket(int fd, iovec* iov, int iov_count) noexcept {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(tpacket_auxdata))> control;
  msghdr message{};
  message.msg_iov = iov;
  message.msg_iovlen = static_cast<size_t>(iov_count);
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t bytes = recvmsg(fd, &message, MSG_DONTWAIT);
  if (bytes < 0) return {bytes};
  if ((message.msg_flags & MSG_TRUNC) != 0) {
    errno = EMSGSIZE;
    return {-1};
  }
  return {bytes, stripped_tag(message)};
}

ssize_t write_socket(int fd, iovec* iov, int iov_count) noexcept {
  msghdr message{};
  message.msg_iov = iov;
  message.msg_iovlen = static_cast<size_t>(iov_count);
  return sendmsg(fd, &message, MSG_DONTWAIT);
}

class PacketPort final : public Port {
 public:
  PacketPort(const PortOptions& options, LinuxInterface interface, InterfaceLock lock,
             std::optional<TunnelTap> tunnel_tap, const TxCapabilities& capabilities)
      : name_(options.name),
        interface_(std::move(interface)),
        lock_(std::move(lock)),
        tunnel_tap_(std::move(tunnel_tap)),
        capabilities_(capabilities) {}

  Error open_queues(const PortOptions& options) {
    std::string error;
    int group = -1;
    const uint16_t queues = options.wanted_rx_queues();
    for (uint16_t i = 0; i < queues && error.empty(); ++i) {
      sockets_.push_back(
          open_rx_socket(interface_.index(), !options.underlay || options.promiscuous, queues > 1, error));
      if (error.empty() && queues > 1) error = join_fanout(sockets_.back().get(), group);
      rx_.emplace_back(sockets_.back().get(), options.pool, kVnetBytes);
    }
    for (const KernelRxQueue& queue : rx_) {
      if (error.empty() && queues > 1 && !take_all(queue.fd)) error = system_error("SO_DETACH_FILTER");
    }
    for (uint16_t i = 0; i < options.tx_queues && error.empty(); ++i) {
      if (tunnel_tap_) {  // several threads may write to it
        tx_.emplace_back(tunnel_tap_->fd(), kVnetTunnelBytes);
        continue;
      }
      sockets_.push_back(open_tx_socket(interface_.index(), error));
      tx_.emplace_back(sockets_.back().get(), kVnetBytes);
    }
    return error;
  }

  // The sockets of another process: bound, in their group, with what waits in them.
  Error take_over_queues(const PortOptions& options, std::span<const int> sockets) {
    for (const int socket : sockets) {
      sockets_.push_back(FileDescriptor::duplicate(socket));
      if (!sockets_.back().valid()) return system_error("a socket that was handed over");
    }
    const uint16_t queues = options.wanted_rx_queues();
    for (uint16_t i = 0; i < queues; ++i) rx_.emplace_back(sockets_[i].get(), options.pool, kVnetBytes);
    for (uint16_t i = 0; i < options.tx_queues; ++i) {
      if (tunnel_tap_) {
        tx_.emplace_back(tunnel_tap_->fd(), kVnetTunnelBytes);
      } else {
        tx_.emplace_back(sockets_[size_t{queues} + i].get(), kVnetBytes);
      }
    }
    return {};
  }

  uint16_t rx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    const int fd = rx_[queue].fd;
    return receive_burst(rx_[queue], frames, count, [fd](iovec* iov, int n) { return read_socket(fd, iov, n); });
  }
  uint16_t tx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    const int fd = tx_[queue].fd;
    if (tunnel_tap_) {
      return send_burst(tx_[queue], frames, count, [fd](iovec* iov, int n) { return writev(fd, iov, n); });
    }
    return send_burst(tx_[queue], frames, count, [fd](iovec* iov, int n) { return write_socket(fd, iov, n); });
  }
  bool refused(uint16_t queue) const noexcept override { return tx_[queue].refused; }
  int rx_fd(uint16_t queue) const noexcept override { return rx_[queue].fd; }

  void look() override {
    const uint16_t before = mtu();
    gone_ = !interface_.look();
    // Where that fails the interface is about to go, which the next look says.
    if (tunnel_tap_ && mtu() != before) std::ignore = tunnel_tap_->set_mtu(mtu());
  }
  // A socket of an interface that has been removed, or was in another namespace for a while, hears nothing any more.
  bool gone() const noexcept override { return gone_; }
  // The lock, sockets (HandedOver::sockets), then those of the TAP, if there is one.
  std::vector<int> descriptors() const override {
    std::vector<int> all{lock_.descriptor()};
    for (const FileDescriptor& socket : sockets_) all.push_back(socket.get());
    if (tunnel_tap_) {
      for (const int fd : tunnel_tap_->descriptors()) all.push_back(fd);
    }
    return all;
  }

  const std::string& name() const noexcept override { return name_; }
  const char* kind() const noexcept override { return "packet"; }
  MacAddress mac() const noexcept override { return interface_.state().mac; }
  uint16_t mtu() const noexcept override { return interface_.state().mtu; }
  uint16_t rx_queues() const noexcept override { return static_cast<uint16_t>(rx_.size()); }
  uint16_t tx_queues() const noexcept override { return static_cast<uint16_t>(tx_.size()); }
  RxSpread rx_spread() const noexcept override { return RxSpread::kernel; }
  bool link_up() const noexcept override { return interface_.state().up; }
  TxCapabilities capabilities() const noexcept override { return capabilities_; }
  std::string lacks(Outer outer, uint8_t) const override { return kernel_lacks(outer, kNeedsTap); }
  Error set_mtu(uint16_t mtu) override {
    Error error = interface_.set_mtu(mtu);
    return !error && tunnel_tap_ ? tunnel_tap_->set_mtu(mtu) : error;
  }
  Error set_mac(const MacAddress& mac) override { return interface_.set_mac(mac); }

  std::optional<HostNetwork> host_network() const override { return read_host_network(interface_.index()); }

  // Or the kernel would answer here, too, for what it has at its end of the host path.
  Error set_host_path(bool on) override {
    std::string error;
    silence_ = on ? IngressHook::drop(interface_.index(), error) : std::nullopt;
    return error;
  }

  PortDeviceStats device_stats() const noexcept override {
    PortDeviceStats stats;
    for (const KernelRxQueue& queue : rx_) {
      tpacket_stats drops{};
      socklen_t size = sizeof(drops);
      // Reading these clears them.
      if (getsockopt(queue.fd, SOL_PACKET, PACKET_STATISTICS, &drops, &size) == 0) socket_drops_.add(drops.tp_drops);
      stats.rx_errors += queue.errors.get();
    }
    stats.rx_missed = socket_drops_.get();
    return stats;
  }

 private:
  std::string name_;
  LinuxInterface interface_;
  InterfaceLock lock_;
  bool gone_ = false;
  std::optional<TunnelTap> tunnel_tap_;  // all that is sent goes through it
  std::optional<IngressHook> silence_;   // of the host, which has a host path
  TxCapabilities capabilities_;
  mutable PortCounter socket_drops_;
  std::vector<FileDescriptor> sockets_;
  std::deque<KernelRxQueue> rx_;
  std::deque<KernelTxQueue> tx_;
};

// PacketPort::descriptors() of another process, taken apart.
struct HandedOver {
  std::span<const int> sockets;  // a queue each: rx, then tx, if there is no TAP
  std::span<const int> tap;
};

// Nothing: there are none, or not those of a port as wanted now. That is opened anew, which its lock forbids as long as
// the other process has it.
std::optional<HandedOver> handed_over(const PortOptions& options, bool with_tap) {
  const std::span<const int> all = options.handed_over;
  const size_t sockets = size_t{options.wanted_rx_queues()} + (with_tap ? 0 : options.tx_queues);
  if (all.size() < 1 + sockets) return std::nullopt;
  const HandedOver parts{all.subspan(1, sockets), all.subspan(1 + sockets)};
  const bool fits = with_tap ? parts.tap.size() == 2 || parts.tap.size() == 3 : parts.tap.empty();
  return fits ? std::optional(parts) : std::nullopt;
}

}  // namespace

std::unique_ptr<Port> open_packet_port(const PortOptions& options, OpenError& error) {
  error = OpenError{};
  std::optional<LinuxInterface> interface = LinuxInterface::find(options.name, error);
  if (!interface) return nullptr;
  const bool wants_tap = options.offloads.tunnel_tso == Toggle::on;
  const auto before = handed_over(options, wants_tap && options.underlay);
  std::optional<InterfaceLock> lock;
  if (before) {
    FileDescriptor held = FileDescriptor::duplicate(options.handed_over.front());
    if (held.valid()) {
      lock.emplace(std::move(held), interface->index());
    } else {
      error = OpenError{system_error("a lock that was handed over"), OpenError::Kind::failed};
    }
  } else {
    lock = InterfaceLock::take(interface->index(), error);
  }
  if (!lock) return nullptr;
  if (!options.mac.is_zero() && options.mac != interface->state().mac) error = interface->set_mac(options.mac);
  if (error.empty() && options.mtu != 0) error = interface->set_mtu(options.mtu);
  if (error.empty()) error = interface->set_up();
  const char* why_no_tunnels = options.underlay ? kNeedsLinux : "only an underlay sends tunnels";
  std::optional<TunnelTap> tap;
  bool unsupported = false;
  if (error.empty() && wants_tap && options.underlay) {
    tap = before ? TunnelTap::take_over(before->tap, error.text) : TunnelTap::open(*interface, unsupported, error.text);
  }
  if (!error.empty()) return nullptr;
  // Behind a bridge port sits a host that takes unfinished checksums as complete (its kernel does, over a
  // veth). An underlay's frames reach a wire or another machine's stack, so they are finished here, or by the
  // kernel behind the TAP.
  const bool automatic = !options.underlay || tap.has_value();
  const KernelOffloads offloads = kernel_offloads(options.offloads, automatic, tap.has_value(), false, why_no_tunnels);
  error = offloads.error;
  if (!error.empty()) return nullptr;
  auto port = std::make_unique<PacketPort>(options, std::move(*interface), std::move(*lock), std::move(tap),
                                           offloads.capabilities);
  const Error failed = before ? port->take_over_queues(options, before->sockets) : port->open_queues(options);
  error = OpenError{failed.text(), OpenError::Kind::failed};
  if (!error.empty()) return nullptr;
  return port;
}

}  // namespace causeway
