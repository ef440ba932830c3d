// Questions to one host whether an address is still its own, as frames of a bridge.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/wire/address.h"

namespace causeway {

// Fills an empty frame: ARP without a sender's address (RFC 5227 section 2.1.1) or a neighbor solicitation, to `mac`
// alone. Nobody learns anything from it but where `prober` is. `vlan` 0: no tag.
void write_host_probe(rte_mbuf* frame, const MacAddress& prober, uint16_t vlan, const IpAddress& ip,
                      const MacAddress& mac);

}  // namespace causeway
