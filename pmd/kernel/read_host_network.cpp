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
                       read_neighbors(interface, network.neighbors);
    if (whole) {
      put_in_order(network.addresses);
      put_in_order(network.neighbors);
      return network;
    }
    if (errno != EINTR) return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace causeway
