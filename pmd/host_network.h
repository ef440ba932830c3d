// What the host's kernel has on one of its interfaces, for an underlay that shares it (`addresses: host`).
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "dataplane/wire/address.h"

namespace causeway {

struct HostRoute {
  IpPrefix to;          // length 0: default
  IpAddress via;        // unspecified: the destinations are on the link
  IpAddress source;     // what the kernel sends from; unspecified: an address of the interface
  uint32_t metric = 0;  // the kernel's priority: the lowest is used
  auto operator<=>(const HostRoute&) const = default;
};

struct HostNeighbor {
  IpAddress to;
  MacAddress mac;
  auto operator<=>(const HostNeighbor&) const = default;
};

// All in order.
struct HostNetwork {
  std::vector<IpPrefix> addresses;      // those that may be sent from, the host's on its loopback interface among them
  std::vector<HostRoute> routes;        // unicast ones of the main table
  std::vector<HostNeighbor> neighbors;  // permanent ones, that nobody asks for
  auto operator<=>(const HostNetwork&) const = default;
};

}  // namespace causeway
