// Software GRO, the segment stage the other way round: consecutive segments of a TCP flow among the frames that are
// about to leave by one port become one super-packet with an Intent, for ports where a big frame costs little more
// than a small one. No payload is copied: the segments' mbufs are chained behind the first one's.
//
// Nothing is kept from one call to the next, so no frame waits. What Linux merges is merged (net/ipv4/tcp_offload.c,
// tcp_gro_receive), and what comes out can be cut into the same segments again, byte for byte; only where a sender
// gives all packets one IPv4 id, with DF set, ids will differ (RFC 6864 section 4.1). Beyond that:
//   - every TCP checksum is summed here; what a NIC says of it may be about an outer header that is gone
//   - a frame with CWR stays alone: with AccECN its bit is part of a counter (draft-ietf-tcpm-accurate-ecn)
//   - a frame that can't be merged never changes places with one of its flow, whatever keeps it from that
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/port_io.h"

namespace causeway {

struct Coalesced {
  uint16_t frames = 0;  // left in the array, in order
  uint16_t in = 0;      // of those given, so many were merged
  uint16_t out = 0;     // into so many
  uint32_t bytes_less = 0;
};

inline constexpr uint16_t kMaxCoalesced = 64;  // frames a call

// `frames` are complete frames or such that `caps` can take, each with its Ethernet header in the first mbuf. The
// caller owns them all before and those that are left after.
Coalesced coalesce(rte_mbuf** frames, uint16_t count, const TxCapabilities& caps) noexcept;

}  // namespace causeway
