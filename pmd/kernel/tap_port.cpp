// A TAP device created by us, with virtio-net headers: super-packets and unfinished checksums cross
// between the kernel and us as they are. It is gone when the port closes.
#include <net/if.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <deque>
#include <fstream>
#include <tuple>

#include "pmd/kernel/host_addresses.h"
#include "pmd/kernel/kernel_queue.h"
#include "pmd/kernel/linux_interface.h"
#include "pmd/kernel/read_host_network.h"
#include "pmd/kernel/tap_queue.h"
#include "pmd/port.h"

namespace causeway {
namespace {

// A locally administered address that stays the same over restarts, and differs between machines and
// between network namespaces of one machine, where TAPs of one name may meet on a segment.
MacAddress stable_mac(const std::string& name) {
  std::string machine;
  std::ifstream("/etc/machine-id") >> machine;
  struct stat ns {};
  stat("/proc/thread-self/ns/net", &ns);
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : name + '/' + machine + '/' + std::to_string(ns.st_ino)) {
    hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  }
  MacAddress mac = MacAddress::from_u64(hash ^ hash >> 48);
  mac.bytes[0] = static_cast<uint8_t>((mac.bytes[0] & 0xfc) | 2);
  return mac;
}

class TapPort final : public Port {
 public:
  TapPort(const PortOptions& options, std::vector<FileDescriptor> fds, LinuxInterface interface,
          const TxCapabilities& capabilities)
      : name_(options.name),
        underlay_(options.underlay),
        host_(options.host),
        interface_(std::move(interface)),
        capabilities_(capabilities),
        fds_(std::move(fds)) {
    for (const FileDescriptor& fd : fds_) rx_.emplace_back(fd.get(), options.pool, kVnetTunnelBytes);
    // Writing to one descriptor from several threads is safe, and a queue that nobody reads would lose
    // the flows the kernel puts on it: so there are as many descriptors as rx queues.
    for (size_t i = 0; i < options.tx_queues; ++i) tx_.emplace_back(fds_[i % fds_.size()].get(), kVnetTunnelBytes);
  }

  // Behind an underlay TAP the kernel is a station of its own, and the port another one; the port of a
  // bridge has no address but the interface's.
  Error configure(const PortOptions& options) {
    if (underlay_) own_mac_ = options.mac.is_zero() ? stable_mac(name_) : options.mac;
    if (!underlay_ && !options.mac.is_zero() && options.mac != interface_.state().mac) {
      if (Error error = set_mac(options.mac)) return error;
    }
    if (underlay_ && interface_.state().mac == own_mac_) return "the Linux interface has this macaddress already";
    if (options.mtu != 0) {
      if (Error error = set_mtu(options.mtu)) return error;
    }
    return interface_.set_up(fds_.front().get());
  }

  uint16_t rx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    const int fd = rx_[queue].fd;
    return receive_burst(rx_[queue], frames, count, [fd](iovec* iov, int n) { return ReadResult{readv(fd, iov, n)}; });
  }
  uint16_t tx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept override {
    const int fd = tx_[queue].fd;
    return send_burst(tx_[queue], frames, count, [fd](iovec* iov, int n) { return writev(fd, iov, n); });
  }
  bool refused(uint16_t queue) const noexcept override { return tx_[queue].refused; }
  int rx_fd(uint16_t queue) const noexcept override { return rx_[queue].fd; }

  // It may be moved into a container's network namespace while we run; there we go on seeing it, until that one ends.
  void look() override { gone_ = !interface_.look_for_tap(fds_.front().get()); }
  bool gone() const noexcept override { return gone_; }
  std::vector<int> descriptors() const override {
    std::vector<int> all;
    for (const FileDescriptor& fd : fds_) all.push_back(fd.get());
    return all;
  }

  const std::string& name() const noexcept override { return name_; }
  const char* kind() const noexcept override { return host_ ? "host" : "tap"; }
  MacAddress mac() const noexcept override { return underlay_ ? own_mac_ : interface_.state().mac; }
  uint16_t mtu() const noexcept override { return interface_.state().mtu; }
  uint16_t rx_queues() const noexcept override { return static_cast<uint16_t>(rx_.size()); }
  uint16_t tx_queues() const noexcept override { return static_cast<uint16_t>(tx_.size()); }
  RxSpread rx_spread() const noexcept override { return RxSpread::kernel; }
  bool link_up() const noexcept override { return interface_.state().up; }
  TxCapabilities capabilities() const noexcept override { return capabilities_; }
  std::string lacks(Outer outer, uint8_t) const override { return kernel_lacks(outer, kNeedsLinux); }
  Error set_mtu(uint16_t mtu) override { return interface_.set_mtu(mtu, fds_.front().get()); }
  Error set_mac(const MacAddress& mac) override {
    if (!underlay_) return interface_.set_mac(mac, fds_.front().get());
    own_mac_ = mac;
    return {};
  }

  std::optional<HostNetwork> host_network() const override {
    return host_ && interface_.is_here() ? read_host_network(interface_.index()) : std::nullopt;
  }
  // The carrier comes last: who waits for it finds the rest done.
  Error show_host(const HostSide& side) override {
    Error error;
    const auto keep_first = [&](Error other) {
      if (!error) error = std::move(other);
    };
    if (!side.mac.is_zero() && side.mac != mac()) keep_first(set_mac(side.mac));
    if (side.mtu != 0 && side.mtu != mtu()) keep_first(set_mtu(side.mtu));
    if (interface_.is_here()) keep_first(set_host_addresses(interface_.index(), side.addresses));
    keep_first(set_carrier(fds_.front().get(), side.link_up));
    return error;
  }
  void destroy() override { std::ignore = interface_.remove(fds_.front().get()); }

  PortDeviceStats device_stats() const noexcept override {
    PortDeviceStats stats;
    stats.rx_missed = interface_.tx_dropped();  // sent by Linux while our queue was full
    for (const KernelRxQueue& queue : rx_) stats.rx_errors += queue.errors.get();
    return stats;
  }

 private:
  std::string name_;
  bool underlay_;
  bool host_;
  MacAddress own_mac_;  // an underlay's
  LinuxInterface interface_;
  bool gone_ = false;
  TxCapabilities capabilities_;
  std::vector<FileDescriptor> fds_;
  std::deque<KernelRxQueue> rx_;
  std::deque<KernelTxQueue> tx_;
};

}  // namespace

std::unique_ptr<Port> open_tap_port(const PortOptions& options, OpenError& error) {
  error = OpenError{};
  if (options.name.empty() || options.name.size() >= IFNAMSIZ) {
    error = "an interface's name has 1 to " + std::to_string(IFNAMSIZ - 1) + " characters";
    return nullptr;
  }
  std::vector<FileDescriptor> fds;
  const uint16_t queues = options.wanted_rx_queues();
  // A container's own tunnels, come whole, nobody here could cut behind one of ours: its kernel is to do it.
  const Toggle tunnel_tso = options.offloads.tunnel_tso;
  bool tunnels = tunnel_tso == Toggle::on || (tunnel_tso == Toggle::automatic && options.underlay);
  const bool handed_over = options.handed_over.size() == queues;
  for (uint16_t i = 0; i < queues && error.empty(); ++i) {
    fds.push_back(handed_over ? take_over_tap_queue(options.handed_over[i], tunnels, error)
                              : open_tap_queue(options.name, queues > 1, tunnels, error));
  }
  // A TAP's reader is a kernel, which understands unfinished checksums: as underlay, too.
  const KernelOffloads offloads = kernel_offloads(options.offloads, true, tunnels, !options.underlay, kNeedsLinux);
  if (error.empty()) error = offloads.error;
  if (!error.empty()) return nullptr;
  // It may be in a container by now.
  std::optional<LinuxInterface> interface =
      handed_over ? LinuxInterface::of_tap(fds.front().get(), error) : LinuxInterface::find(options.name, error);
  if (!interface) return nullptr;
  auto port = std::make_unique<TapPort>(options, std::move(fds), std::move(*interface), offloads.capabilities);
  error = port->configure(options);
  if (!error.empty()) return nullptr;
  return port;
}

}  // namespace causeway
