#include "pmd/linux_interface.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace causeway {
namespace {

ifreq request_for(const std::string& name) noexcept {
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), std::min<size_t>(name.size(), IFNAMSIZ - 1));
  return request;
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

std::string system_error(const std::string& what) { return what + ": " + std::strerror(errno); }

LinuxInterface::LinuxInterface(std::string name)
    : name_(std::move(name)),
      socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
      netlink_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {}

std::optional<LinuxInterface> LinuxInterface::find(const std::string& name, std::string& error) {
  if (name.empty() || name.size() >= IFNAMSIZ) {
    error = "an interface's name has 1 to " + std::to_string(IFNAMSIZ - 1) + " characters";
    return std::nullopt;
  }
  LinuxInterface interface(name);
  ifreq request = request_for(name);
  if (!interface.socket_.valid() || ioctl(interface.socket_.get(), SIOCGIFINDEX, &request) != 0) {
    error = errno == ENODEV ? "no such interface" : system_error("SIOCGIFINDEX");
    return std::nullopt;
  }
  interface.index_ = request.ifr_ifindex;
  return interface;
}

// A socket belongs to the namespace its thread was in when it was made: this thread goes there and comes back.
std::optional<LinuxInterface> LinuxInterface::of_tap(int tap_fd, std::string& error) {
  ifreq request{};
  const FileDescriptor here(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  const FileDescriptor there(ioctl(tap_fd, TUNGETDEVNETNS, nullptr));
  if (!here.valid() || !there.valid() || ioctl(tap_fd, TUNGETIFF, &request) != 0 ||
      setns(there.get(), CLONE_NEWNET) != 0) {
    error = system_error("the TAP's network namespace");
    return std::nullopt;
  }
  auto interface = find(request.ifr_name, error);
  if (setns(here.get(), CLONE_NEWNET) != 0) std::abort();  // in the wrong namespace nothing can go on
  return interface;
}

bool LinuxInterface::gone() const noexcept {
  ifreq request = request_for(name_);
  return ioctl(socket_.get(), SIOCGIFINDEX, &request) != 0 || request.ifr_ifindex != index_;
}

// IFF_RUNNING follows the carrier up to a second later; ETHTOOL_GLINK is the carrier itself.
bool LinuxInterface::link_up() const noexcept {
  ifreq request = request_for(name_);
  if (ioctl(socket_.get(), SIOCGIFFLAGS, &request) != 0 || (request.ifr_flags & IFF_UP) == 0) return false;
  const bool running = (request.ifr_flags & IFF_RUNNING) != 0;
  ethtool_value carrier{ETHTOOL_GLINK, 0};
  request.ifr_data = reinterpret_cast<char*>(&carrier);
  return ioctl(socket_.get(), SIOCETHTOOL, &request) == 0 ? carrier.data != 0 : running;
}

uint16_t LinuxInterface::mtu() const noexcept {
  ifreq request = request_for(name_);
  if (ioctl(socket_.get(), SIOCGIFMTU, &request) != 0) return 0;
  return static_cast<uint16_t>(std::clamp(request.ifr_mtu, 0, 65535));
}

MacAddress LinuxInterface::mac() const noexcept {
  MacAddress mac;
  ifreq request = request_for(name_);
  if (ioctl(socket_.get(), SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == ARPHRD_ETHER) {
    std::memcpy(mac.bytes.data(), request.ifr_hwaddr.sa_data, mac.bytes.size());
  }
  return mac;
}

bool LinuxInterface::has_address() const noexcept {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return true;
  bool found = false;
  for (const ifaddrs* entry = all; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || name_ != entry->ifa_name) continue;
    const auto* ipv6 = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
    found |= entry->ifa_addr->sa_family == AF_INET ||
             (entry->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&ipv6->sin6_addr));
  }
  freeifaddrs(all);
  return found;
}

std::string LinuxInterface::set_up() {
  ifreq request = request_for(name_);
  if (ioctl(socket_.get(), SIOCGIFFLAGS, &request) != 0) return system_error("SIOCGIFFLAGS");
  if ((request.ifr_flags & IFF_UP) != 0) return {};
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  return ioctl(socket_.get(), SIOCSIFFLAGS, &request) == 0 ? "" : system_error("cannot set the interface up");
}

std::string LinuxInterface::set_mtu(uint16_t mtu) {
  ifreq request = request_for(name_);
  request.ifr_mtu = mtu;
  return ioctl(socket_.get(), SIOCSIFMTU, &request) == 0 ? "" : system_error("mtu " + std::to_string(mtu));
}

std::string LinuxInterface::set_mac(const MacAddress& mac) {
  ifreq request = request_for(name_);
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(request.ifr_hwaddr.sa_data, mac.bytes.data(), mac.bytes.size());
  return ioctl(socket_.get(), SIOCSIFHWADDR, &request) == 0 ? "" : system_error("macaddress");
}

// RTM_GETSTATS for this one interface; the ioctls know no counters, and /sys shows one namespace only.
uint64_t LinuxInterface::tx_dropped() const noexcept {
  struct {
    nlmsghdr header;
    if_stats_msg body;
  } request{};
  request.header = {sizeof(request), RTM_GETSTATS, NLM_F_REQUEST, 0, 0};
  request.body.ifindex = static_cast<uint32_t>(index_);
  request.body.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
  alignas(nlmsghdr) std::array<char, 1024> answer{};
  if (send(netlink_.get(), &request, sizeof(request), 0) < 0) return 0;
  const ssize_t bytes = recv(netlink_.get(), answer.data(), answer.size(), 0);
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer.data());
  if (bytes < 0 || !NLMSG_OK(header, static_cast<uint32_t>(bytes)) || header->nlmsg_type != RTM_NEWSTATS) return 0;
  const char* attribute_at = answer.data() + NLMSG_SPACE(sizeof(if_stats_msg));
  rtattr attribute{};
  std::memcpy(&attribute, attribute_at, sizeof(attribute));
  rtnl_link_stats64 stats{};
  if (attribute.rta_type != IFLA_STATS_LINK_64 ||
      attribute.rta_len < RTA_LENGTH(offsetof(rtnl_link_stats64, multicast))) {
    return 0;
  }
  std::memcpy(&stats, attribute_at + RTA_LENGTH(0), std::min<size_t>(sizeof(stats), attribute.rta_len - RTA_LENGTH(0)));
  return stats.tx_dropped;
}

}  // namespace causeway
