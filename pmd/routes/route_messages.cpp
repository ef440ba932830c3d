#include "pmd/routes/route_messages.h"

#include <linux/if.h>
#include <linux/nexthop.h>

#include <algorithm>
#include <span>

#include "pmd/kernel/netlink.h"

namespace causeway {
namespace {

// RTA_VIA: an address of another family than the route's.
IpAddress address_in_via(const nlattr* attribute) {
  const size_t bytes = mnl_attr_get_payload_len(attribute);
  if (bytes < sizeof(rtvia)) return {};
  return address_in(static_cast<const char*>(mnl_attr_get_payload(attribute)) + sizeof(rtvia), bytes - sizeof(rtvia));
}

// A next hop while its attributes are read.
struct HopReader {
  RouteHop hop;
  bool usable = true;

  void take(const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case RTA_OIF:
        hop.interface = static_cast<int>(mnl_attr_get_u32(attribute));
        break;
      case RTA_GATEWAY:
        hop.via = address_in(attribute);
        break;
      case RTA_VIA:
        hop.via = address_in_via(attribute);
        break;
      case RTA_ENCAP_TYPE:
        usable = false;
        break;
      default:
        break;
    }
  }
  void take_flags(unsigned flags) { usable = usable && (flags & RTNH_F_DEAD) == 0; }
  void give(std::vector<RouteHop>& hops) const {
    if (usable && hop.interface != 0) hops.push_back(hop);
  }
};

std::vector<RouteHop> read_hops(const nlattr* multipath) {
  std::vector<RouteHop> hops;
  const auto* at = static_cast<const char*>(mnl_attr_get_payload(multipath));
  const char* const end = at + mnl_attr_get_payload_len(multipath);
  while (end - at >= static_cast<ptrdiff_t>(sizeof(rtnexthop))) {
    const auto* const next = reinterpret_cast<const rtnexthop*>(at);
    if (next->rtnh_len < sizeof(rtnexthop) || next->rtnh_len > end - at) break;
    HopReader reader{{next->rtnh_ifindex, {}}};
    reader.take_flags(next->rtnh_flags);
    for_each_attribute(reinterpret_cast<const nlattr*>(at + RTNH_LENGTH(0)), at + next->rtnh_len,
                       [&](const nlattr* attribute) { reader.take(attribute); });
    reader.give(hops);
    at += RTNH_ALIGN(next->rtnh_len);
  }
  return hops;
}

bool leads_nowhere(uint8_t type) {
  return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT || type == RTN_THROW;
}

}  // namespace

std::optional<RouteMessage> read_route(const nlmsghdr* message) {
  if (message->nlmsg_type != RTM_NEWROUTE && message->nlmsg_type != RTM_DELROUTE) return std::nullopt;
  const auto* const body = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
  if (body->rtm_family != AF_INET && body->rtm_family != AF_INET6) return std::nullopt;
  if (body->rtm_type != RTN_UNICAST && !leads_nowhere(body->rtm_type)) return std::nullopt;
  if ((body->rtm_flags & RTM_F_CLONED) != 0 || body->rtm_tos != 0 || body->rtm_src_len != 0) return std::nullopt;
  RouteMessage route;
  route.gone = message->nlmsg_type == RTM_DELROUTE;
  route.replaces = (message->nlmsg_flags & NLM_F_REPLACE) != 0;
  route.table = body->rtm_table;
  route.nowhere = leads_nowhere(body->rtm_type);
  route.to.length = body->rtm_dst_len;
  if (body->rtm_family == AF_INET) route.to.address = IpAddress::v4(0, 0, 0, 0);
  HopReader only;
  only.take_flags(body->rtm_flags);
  bool several = false;
  for_each_attribute(message, sizeof(rtmsg), [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case RTA_TABLE:
        route.table = mnl_attr_get_u32(attribute);
        break;
      case RTA_DST:
        route.to.address = address_in(attribute);
        break;
      case RTA_PRIORITY:
        route.metric = mnl_attr_get_u32(attribute);
        break;
      case RTA_PREFSRC:
        route.source = address_in(attribute);
        break;
      case RTA_NH_ID:
        route.next_hop = mnl_attr_get_u32(attribute);
        break;
      case RTA_MULTIPATH:
        several = true;
        route.hops = read_hops(attribute);
        break;
      default:
        only.take(attribute);
        break;
    }
  });
  // Where it names an object, hops beside that are the object's (net.ipv4.nexthop_compat_mode).
  if (route.nowhere || route.next_hop != 0) {
    route.hops.clear();
  } else if (!several) {
    only.give(route.hops);
  }
  std::ranges::sort(route.hops);
  return route;
}

std::optional<NextHopMessage> read_next_hop(const nlmsghdr* message) {
  if (message->nlmsg_type != RTM_NEWNEXTHOP && message->nlmsg_type != RTM_DELNEXTHOP) return std::nullopt;
  const auto* const body = static_cast<const nhmsg*>(mnl_nlmsg_get_payload(message));
  NextHopMessage object;
  object.gone = message->nlmsg_type == RTM_DELNEXTHOP;
  HopReader reader;
  reader.take_flags(body->nh_flags);
  for_each_attribute(message, sizeof(nhmsg), [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case NHA_ID:
        object.id = mnl_attr_get_u32(attribute);
        break;
      case NHA_BLACKHOLE:
        object.nowhere = true;
        break;
      case NHA_OIF:
        reader.hop.interface = static_cast<int>(mnl_attr_get_u32(attribute));
        break;
      case NHA_GATEWAY:
        reader.hop.via = address_in(attribute);
        break;
      case NHA_ENCAP_TYPE:
        reader.usable = false;
        break;
      case NHA_GROUP: {
        const std::span members(static_cast<const nexthop_grp*>(mnl_attr_get_payload(attribute)),
                                mnl_attr_get_payload_len(attribute) / sizeof(nexthop_grp));
        for (const nexthop_grp& member : members) object.group.push_back(member.id);
        break;
      }
      default:
        break;
    }
  });
  reader.give(object.hops);
  return object;
}

std::optional<LinkMessage> read_link_message(const nlmsghdr* message) {
  if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) return std::nullopt;
  const auto* const body = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
  // Bridges tell of their ports in messages of their own.
  if (body->ifi_family != AF_UNSPEC) return std::nullopt;
  LinkMessage link;
  link.gone = message->nlmsg_type == RTM_DELLINK;
  link.index = body->ifi_index;
  link.up = (body->ifi_flags & IFF_UP) != 0 && (body->ifi_flags & IFF_LOWER_UP) != 0;
  for_each_attribute(message, sizeof(ifinfomsg), [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == IFLA_IFNAME) link.name = mnl_attr_get_str(attribute);
  });
  return link;
}

}  // namespace causeway
