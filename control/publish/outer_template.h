// Builds an adjacency's outer headers from a tunnel's settings, its route and its neighbor.
#pragma once

#include "control/config/config.h"
#include "dataplane/flow/adjacency.h"

namespace causeway {

// Fills kind, ipv6, udp_checksum, inherit_tos, offsets, ip_sum and the template. `source` and `destination`
// are the outer Ethernet addresses.
void build_outer(Adjacency& adjacency, const config::Tunnel& tunnel, const IpAddress& remote, const MacAddress& source,
                 const MacAddress& destination);

}  // namespace causeway
