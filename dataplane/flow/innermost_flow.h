// The flow inside a tunnel that a NIC doesn't look into, for those who spread frames over workers in its place.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

namespace causeway {

// Entropy over the flow of a frame as it came from a device. Of GRE (RFC 2784) with an Ethernet frame in it that
// frame's flow; of ESP (RFC 4303) its addresses and SPI; else as inner_flow() has it, UDP's source port included, in
// which other tunnels tell the flow. Fragments of a datagram have one. 0 for less than an Ethernet header. All that it
// reads stands in the first segment.
uint32_t innermost_entropy(const rte_mbuf* m) noexcept;

}  // namespace causeway
