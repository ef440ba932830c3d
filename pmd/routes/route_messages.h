// What rtnetlink(7) says of the kernel's routes, next-hop objects and links. Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/wire/address.h"

struct nlmsghdr;

namespace causeway {

// One that frames can go by as they are: neither dead nor through a tunnel of the kernel's (RTA_ENCAP).
struct RouteHop {
  int interface = 0;
  // Unspecified: the destinations are on the link. Its IP version may be another one than theirs (RFC 8950).
  IpAddress via;
  auto operator<=>(const RouteHop&) const = default;
};

struct RouteMessage {
  bool gone = false;
  bool replaces = false;  // the one of its table, network and metric, as NLM_F_REPLACE says
  uint32_t table = 0;
  IpPrefix to;                 // length 0: default
  uint32_t metric = 0;         // the kernel's priority: the lowest is used
  IpAddress source;            // what the kernel sends from; unspecified: it doesn't say
  bool nowhere = false;        // nothing goes there: blackhole, unreachable, prohibit, throw
  uint32_t next_hop = 0;       // the object that has its next hops; 0: these are `hops`
  std::vector<RouteHop> hops;  // in order; weights aren't kept
};

struct NextHopMessage {
  bool gone = false;
  uint32_t id = 0;
  bool nowhere = false;         // a blackhole
  std::vector<RouteHop> hops;   // one, or none where it is dead or a group
  std::vector<uint32_t> group;  // of other objects; weights aren't kept
};

struct LinkMessage {
  bool gone = false;
  int index = 0;
  std::string name;
  bool up = false;  // set up, and with a carrier
};

// None: it is no such message, or not one that frames from here are routed by (local, broadcast, cached ones; by type
// of service or source).
std::optional<RouteMessage> read_route(const nlmsghdr* message);
std::optional<NextHopMessage> read_next_hop(const nlmsghdr* message);
std::optional<LinkMessage> read_link_message(const nlmsghdr* message);

}  // namespace causeway
