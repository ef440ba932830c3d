#include "pmd/kernel/linux_interface.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstdlib>

#include "pmd/system_error.h"

namespace causeway {
namespace {

// A socket belongs to the namespace its thread was in when it was made: this thread goes there and comes back.
std::optional<Rtnetlink> rtnetlink_in(int namespace_fd) {
  const FileDescriptor here(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!here.valid() || setns(namespace_fd, CLONE_NEWNET) != 0) return std::nullopt;
  std::optional<Rtnetlink> rtnetlink(std::in_place);
  if (setns(here.get(), CLONE_NEWNET) != 0) std::abort();  // in the wrong namespace nothing can go on
  return rtnetlink;
}

FileDescriptor namespace_of(int tap_fd) { return FileDescriptor(ioctl(tap_fd, TUNGETDEVNETNS, nullptr)); }

}  // namespace

std::optional<LinuxInterface> LinuxInterface::find(const std::string& name, OpenError& error) {
  if (name.empty() || name.size() >= IFNAMSIZ) {
    error = "an interface's name has 1 to " + std::to_string(IFNAMSIZ - 1) + " characters";
    return std::nullopt;
  }
  LinuxInterface interface;
  const auto link = interface.rtnetlink_.link(0, name);
  if (!link) {
    error = errno == ENODEV ? OpenError{"no such interface", OpenError::Kind::absent}
                            : OpenError{system_error("RTM_GETLINK"), OpenError::Kind::failed};
    return std::nullopt;
  }
  interface.state_ = *link;
  return interface;
}

std::optional<LinuxInterface> LinuxInterface::of_tap(int tap_fd, OpenError& error) {
  LinuxInterface interface;
  if (interface.look_for_tap(tap_fd)) return interface;
  error = OpenError{system_error("the TAP's interface"), OpenError::Kind::failed};
  return std::nullopt;
}

bool LinuxInterface::look() {
  const auto link = rtnetlink_.link(state_.index, state_.name);
  const bool found = link && link->name == state_.name;
  if (found) state_ = *link;
  state_.up &= found;
  return found;
}

bool LinuxInterface::look_for_tap(int tap_fd) {
  ifreq request{};
  const FileDescriptor there = namespace_of(tap_fd);
  state_.up = false;
  if (!there.valid() || ioctl(tap_fd, TUNGETIFF, &request) != 0) return false;
  const auto nsid = rtnetlink_.namespace_id(there.get());
  if (!nsid) return true;  // on its way to another one, or out of this world: the next look tells
  const auto link = rtnetlink_.link(0, request.ifr_name, *nsid);
  if (!link) return true;
  nsid_ = *nsid;
  state_ = *link;
  return true;
}

bool LinuxInterface::has_address() const noexcept {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return true;
  bool found = false;
  for (const ifaddrs* entry = all; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || state_.name != entry->ifa_name) continue;
    const auto* ipv6 = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
    found |= entry->ifa_addr->sa_family == AF_INET ||
             (entry->ifa_addr->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&ipv6->sin6_addr));
  }
  freeifaddrs(all);
  return found;
}

uint64_t LinuxInterface::tx_dropped() const noexcept {
  const auto link = rtnetlink_.link(state_.index, state_.name, nsid_);
  return link ? link->tx_dropped : 0;
}

// By the socket of the interface's namespace: where that isn't ours, one that lasts for this call.
template <typename Change>
Error LinuxInterface::change(int tap_fd, Change&& change) {
  if (nsid_ == Rtnetlink::kHere) {
    Error error = change(rtnetlink_);
    look();
    return error;
  }
  const FileDescriptor there = namespace_of(tap_fd);
  const auto rtnetlink = there.valid() ? rtnetlink_in(there.get()) : std::nullopt;
  if (!rtnetlink) return system_error("the TAP's network namespace");
  Error error = change(*rtnetlink);
  look_for_tap(tap_fd);
  return error;
}

Error LinuxInterface::set_up(int tap_fd) {
  return change(tap_fd, [this](const Rtnetlink& rtnetlink) { return rtnetlink.set_up(index()); });
}

Error LinuxInterface::set_mtu(uint16_t mtu, int tap_fd) {
  return change(tap_fd, [&](const Rtnetlink& rtnetlink) { return rtnetlink.set_mtu(index(), mtu); });
}

Error LinuxInterface::remove(int tap_fd) {
  return change(tap_fd, [this](const Rtnetlink& rtnetlink) { return rtnetlink.remove(index()); });
}

Error LinuxInterface::set_mac(const MacAddress& mac, int tap_fd) {
  return change(tap_fd, [&](const Rtnetlink& rtnetlink) { return rtnetlink.set_mac(index(), mac); });
}

}  // namespace causeway
