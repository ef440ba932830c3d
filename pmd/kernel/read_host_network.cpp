#include "pmd/kernel/read_host_network.h"

#include <linux/if_addr.h>
#include <linux/neighbour.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>

#include "pmd/kernel/netlink.h"

namespace causeway {
namespace {

constexpr int kLoopback = 1;  // its interface index in each namespace (net/core/dev.c)

using Read = std::function<void(const nlmsghdr*)>;

// True: all is read. Otherwise errno has the kernel's refusal, or EINTR: something changed meanwhile.
bool read_dump(int fd, const Read& read) {
  alignas(nlmsghdr) std::array<char, kNetlinkAnswerBytes> answer;
  bool whole = true;
  while (true) {
    const ssize_t bytes = recv(fd, answer.data(), answer.size(), 0);
    if (bytes < 0) return false;
    int left = static_cast<int>(bytes);
    const auto* message = reinterpret_cast<const nlmsghdr*>(answer.data());
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
      whole = whole && (message->nlmsg_flags & NLM_F_DUMP_INTR) == 0;
      if (message->nlmsg_type == NLMSG_DONE) {
        errno = whole ? 0 : EINTR;
        return whole;
      }
      if (message->nlmsg_type == NLMSG_ERROR) {
        errno = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
        return false;
      }
      read(message);
    }
  }
}

// One socket a dump: what is left of one that failed is never read as another's.
bool dump(nlmsghdr* request, const Read& read) {
  const FileDescriptor fd = open_netlink(0, 0);
  const int strict = 1;  // then the kernel leaves out what is of other interfaces
  if (!fd.valid() || setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict)) != 0) {
    return false;
  }
  return send(fd.get(), request, request->nlmsg_len, 0) >= 0 && read_dump(fd.get(), read);
}

// RTA_VIA: an address of another family than the route's.
IpAddress address_in_via(const nlattr* attribute) {
  const size_t bytes = mnl_attr_get_payload_len(attribute);
  if (bytes < sizeof(rtvia)) return {};
  return address_in(static_cast<const char*>(mnl_attr_get_payload(attribute)) + sizeof(rtvia), bytes - sizeof(rtvia));
}

// Of one interface; `universe`: only those that other hosts can reach.
bool read_addresses(int interface, bool universe, std::vector<IpPrefix>& addresses) {
  NetlinkRequest room{};
  nlmsghdr* const request = put_header(room, RTM_GETADDR, NLM_F_DUMP);
  static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifaddrmsg)))->ifa_index =
      static_cast<uint32_t>(interface);
  return dump(request, [&](const nlmsghdr* message) {
    const auto* const body = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
    if (message->nlmsg_type != RTM_NEWADDR || static_cast<int>(body->ifa_index) != interface) return;
    if (universe && body->ifa_scope != RT_SCOPE_UNIVERSE) return;
    uint32_t flags = body->ifa_flags;
    IpPrefix prefix;
    prefix.length = body->ifa_prefixlen;
    bool local = false;
    for_each_attribute(message, sizeof(ifaddrmsg), [&](const nlattr* attribute) {
      const uint16_t type = mnl_attr_get_type(attribute);
      if (type == IFA_FLAGS) flags = mnl_attr_get_u32(attribute);
      // Of a point-to-point link IFA_ADDRESS is the other end's.
      if (type != IFA_LOCAL && (type != IFA_ADDRESS || local)) return;
      local = local || type == IFA_LOCAL;
      prefix.address = address_in(attribute);
    });
    // Nothing may be sent from it before the kernel knows that it is nobody else's (RFC 4862 section 5.4).
    if ((flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0 && (flags & IFA_F_OPTIMISTIC) == 0) return;
    if (!prefix.address.is_unspecified()) addresses.push_back(prefix);
  });
}

// One of a route's next hops, those of other interfaces left out.
struct Hop {
  int interface = 0;
  IpAddress via;
};

void read_hop_attribute(const nlattr* attribute, Hop& hop) {
  if (mnl_attr_get_type(attribute) == RTA_GATEWAY) hop.via = address_in(attribute);
  if (mnl_attr_get_type(attribute) == RTA_VIA) hop.via = address_in_via(attribute);
}

std::vector<Hop> read_hops(const nlattr* multipath) {
  std::vector<Hop> hops;
  const auto* at = static_cast<const char*>(mnl_attr_get_payload(multipath));
  const char* const end = at + mnl_attr_get_payload_len(multipath);
  while (end - at >= static_cast<ptrdiff_t>(sizeof(rtnexthop))) {
    const auto* const next = reinterpret_cast<const rtnexthop*>(at);
    if (next->rtnh_len < sizeof(rtnexthop) || next->rtnh_len > end - at) break;
    Hop hop{next->rtnh_ifindex, {}};
    for_each_attribute(reinterpret_cast<const nlattr*>(at + RTNH_LENGTH(0)), at + next->rtnh_len,
                       [&](const nlattr* attribute) { read_hop_attribute(attribute, hop); });
    if ((next->rtnh_flags & RTNH_F_DEAD) == 0) hops.push_back(hop);
    at += RTNH_ALIGN(next->rtnh_len);
  }
  return hops;
}

void read_route(const nlmsghdr* message, int interface, std::vector<HostRoute>& routes) {
  const auto* const body = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  if (message->nlmsg_type != RTM_NEWROUTE || body->rtm_type != RTN_UNICAST) return;
  if ((body->rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD)) != 0) return;
  uint32_t table = body->rtm_table;
  HostRoute route;
  route.to.length = body->rtm_dst_len;
  if (body->rtm_family == AF_INET) route.to.address = IpAddress::v4(0, 0, 0, 0);
  Hop only;
  std::vector<Hop> hops;
  for_each_attribute(message, sizeof(rtmsg), [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case RTA_TABLE:
        table = mnl_attr_get_u32(attribute);
        break;
      case RTA_DST:
        route.to.address = address_in(attribute);
        break;
      case RTA_OIF:
        only.interface = static_cast<int>(mnl_attr_get_u32(attribute));
        break;
      case RTA_PRIORITY:
        route.metric = mnl_attr_get_u32(attribute);
        break;
      case RTA_PREFSRC:
        route.source = address_in(attribute);
        break;
      case RTA_MULTIPATH:
        hops = read_hops(attribute);
        break;
      default:
        read_hop_attribute(attribute, only);
        break;
    }
  });
  if (table != RT_TABLE_MAIN) return;
  if (hops.empty()) hops.push_back(only);
  for (const Hop& hop : hops) {
    if (hop.interface != interface) continue;
    route.via = hop.via;
    routes.push_back(route);
  }
}

bool read_routes(int interface, int family, std::vector<HostRoute>& routes) {
  NetlinkRequest room{};
  nlmsghdr* const request = put_header(room, RTM_GETROUTE, NLM_F_DUMP);
  static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)))->rtm_family = static_cast<uint8_t>(family);
  mnl_attr_put_u32(request, RTA_OIF, static_cast<uint32_t>(interface));
  return dump(request, [&](const nlmsghdr* message) { read_route(message, interface, routes); });
}

bool read_neighbors(int interface, std::vector<HostNeighbor>& neighbors) {
  NetlinkRequest room{};
  nlmsghdr* const request = put_header(room, RTM_GETNEIGH, NLM_F_DUMP);
  mnl_nlmsg_put_extra_header(request, sizeof(ndmsg));
  mnl_attr_put_u32(request, NDA_IFINDEX, static_cast<uint32_t>(interface));
  return dump(request, [&](const nlmsghdr* message) {
    const auto* const body = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
    if (message->nlmsg_type != RTM_NEWNEIGH || body->ndm_ifindex != interface) return;
    if ((body->ndm_state & NUD_PERMANENT) == 0) return;
    HostNeighbor neighbor;
    for_each_attribute(message, sizeof(ndmsg), [&](const nlattr* attribute) {
      const uint16_t type = mnl_attr_get_type(attribute);
      if (type == NDA_DST) neighbor.to = address_in(attribute);
      if (type == NDA_LLADDR && mnl_attr_get_payload_len(attribute) == neighbor.mac.bytes.size()) {
        std::memcpy(neighbor.mac.bytes.data(), mnl_attr_get_payload(attribute), neighbor.mac.bytes.size());
      }
    });
    const bool host = !neighbor.to.is_unspecified() && !neighbor.to.is_multicast();
    if (host && !neighbor.mac.is_zero() && !neighbor.mac.is_multicast()) neighbors.push_back(neighbor);
  });
}

template <typename T>
void put_in_order(std::vector<T>& list) {
  std::ranges::sort(list);
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

}  // namespace

std::optional<HostNetwork> read_host_network(int interface) {
  constexpr int kTries = 3;
  for (int i = 0; i < kTries; ++i) {
    HostNetwork network;
    const bool whole = read_addresses(interface, false, network.addresses) &&
                       read_addresses(kLoopback, true, network.addresses) &&
                       read_routes(interface, AF_INET, network.routes) &&
                       read_routes(interface, AF_INET6, network.routes) && read_neighbors(interface, network.neighbors);
    if (whole) {
      put_in_order(network.addresses);
      put_in_order(network.routes);
      put_in_order(network.neighbors);
      return network;
    }
    if (errno != EINTR) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace causeway
