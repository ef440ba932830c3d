// What the host's kernel has on one of its interfaces, for an underlay that shares it (`addresses: host`). Its routes:
// pmd/routes/route_socket.h.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "dataplane/wire/address.h"

namespace causeway {

struct HostNeighbor {
  IpAddress to;
  MacAddress mac;
  auto operator<=>(const HostNeighbor&) const = default;
};

// All in order.
struct HostNetwork {
  std::vector<IpPrefix> addresses;      // those that may be sent from, the host's on its loopback interface among them
  std::vector<HostNeighbor> neighbors;  // permanent ones, that nobody asks for
  auto operator<=>(const HostNetwork&) const = default;
};

}  // namespace causeway
