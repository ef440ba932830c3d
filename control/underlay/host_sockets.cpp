#include "control/underlay/host_sockets.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "control/config/address_text.h"
#include "pmd/socket_options.h"

namespace causeway {
namespace {

// Takes no packet. Not valid, and errno: there is none.
FileDescriptor open_deaf(int family, int type, int protocol) {
  FileDescriptor fd(socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd.valid() || !take_nothing(fd.get())) return {};
  return fd;
}

FileDescriptor bound(FileDescriptor fd, const auto& address) {
  if (fd.valid() && bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  return {};
}

// On IPv6 and IPv4; on a host without IPv6 on the latter alone.
FileDescriptor listen_on(uint16_t port) {
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  any6.sin6_port = htons(port);
  FileDescriptor fd = open_deaf(AF_INET6, SOCK_DGRAM, 0);
  if (fd.valid() && !set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0)) return {};
  if (fd.valid() || errno != EAFNOSUPPORT) return bound(std::move(fd), any6);
  sockaddr_in any4{};
  any4.sin_family = AF_INET;
  any4.sin_port = htons(port);
  return bound(open_deaf(AF_INET, SOCK_DGRAM, 0), any4);
}

FileDescriptor member_of(const std::string& interface, const IpAddress& group) {
  const int index = static_cast<int>(if_nametoindex(interface.c_str()));
  FileDescriptor fd = open_deaf(group.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
  if (!fd.valid()) return fd;
  bool joined = false;
  if (group.is_v4()) {
    ip_mreqn request{};
    std::memcpy(&request.imr_multiaddr, group.v4_wire(), sizeof(request.imr_multiaddr));
    request.imr_ifindex = index;
    joined = set_option(fd.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, request);
  } else {
    ipv6_mreq request{};
    std::memcpy(&request.ipv6mr_multiaddr, group.bytes.data(), sizeof(request.ipv6mr_multiaddr));
    request.ipv6mr_interface = static_cast<unsigned>(index);
    joined = set_option(fd.get(), IPPROTO_IPV6, IPV6_JOIN_GROUP, request);
  }
  return joined ? std::move(fd) : FileDescriptor{};
}

}  // namespace

void HostSockets::listen(const std::set<uint16_t>& udp_ports, bool gre) {
  std::erase_if(udp_, [&](const auto& item) { return !udp_ports.contains(item.first); });
  for (const uint16_t port : udp_ports) {
    const auto [item, is_new] = udp_.try_emplace(port);
    if (!item->second.valid()) item->second = listen_on(port);
    if (is_new && !item->second.valid()) {
      spdlog::warn("UDP port {}: {}: somebody else on this host takes tunnels' packets, too, or answers them", port,
                   std::strerror(errno));
    }
  }
  if (!gre) return gre_.clear();
  if (!gre_.empty()) return;
  for (const int family : {AF_INET, AF_INET6}) {
    FileDescriptor fd = open_deaf(family, SOCK_RAW, IPPROTO_GRE);
    if (!fd.valid() && errno != EAFNOSUPPORT) spdlog::warn("GRE: no raw socket: {}", std::strerror(errno));
    gre_.push_back(std::move(fd));
  }
}

void HostSockets::join(const std::string& interface, const IpAddress& group) {
  FileDescriptor fd = member_of(interface, group);
  if (!fd.valid()) {
    spdlog::warn("{}: the host can't be a member of {}: {}", interface, to_string(group), std::strerror(errno));
  }
  memberships_.insert_or_assign({interface, group}, std::move(fd));
}

}  // namespace causeway
