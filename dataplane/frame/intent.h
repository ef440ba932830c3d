// What a frame still wants from its last port: a checksum, or to be cut into MTU-sized segments.
// It is a virtio-net header's contents (linux/virtio_net.h) in the mbuf's tx_offload word, so a
// super-packet crosses bridge and encap whole, and a tunnel header moves one number (csum_start).
//
//   no flag in ol_flags     the frame is complete; tx_offload is undefined
//   kNeedsChecksum          sum from csum_start to the frame's end goes to csum_start + csum_offset;
//                           that field holds the non-inverted pseudo-header sum already
//   kNeedsSegment           more than gso_size payload bytes behind the L4 header; implies kNeedsChecksum
//
// Offsets count from the first byte of the frame (the outer one once encapsulated). pmd/ translates
// to and from a device's own form; nobody else reads mbuf::tx_offload.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/wire/tunnel_type.h"

namespace causeway {

enum class GsoType : uint8_t { none = 0, tcp4 = 1, tcp6 = 2, udp4 = 3, udp6 = 4 };

// What is around the headers that an Intent speaks of: tunnel and outer IP version. `other` is a tunnel
// that encap didn't make (a container's own), or one around another.
enum class Outer : uint8_t { none, geneve4, geneve6, vxlan4, vxlan6, gre4, gre6, other };
inline constexpr size_t kOuters = 8;

// One row an Outer: what is around.
struct OuterRow {
  Outer outer;
  TunnelType type;
  bool ipv6;
};
inline constexpr std::array<OuterRow, 8> kOuterRows{{{Outer::geneve4, TunnelType::geneve, false},
                                                     {Outer::geneve6, TunnelType::geneve, true},
                                                     {Outer::vxlan4, TunnelType::vxlan, false},
                                                     {Outer::vxlan6, TunnelType::vxlan, true},
                                                     {Outer::gre4, TunnelType::gretap, false},
                                                     {Outer::gre6, TunnelType::gretap, true},
                                                     {Outer::gre4, TunnelType::nvgre, false},
                                                     {Outer::gre6, TunnelType::nvgre, true}}};
// By type and IP version, since the packet path asks. A type without a row is one that no device cuts.
inline constexpr auto kOuterOf = [] {
  std::array<std::array<Outer, 2>, kTunnelTypes.size()> table{};
  for (const TunnelTypeRow& row : kTunnelTypes) {
    table[static_cast<size_t>(row.type)].fill(row.type == TunnelType::none ? Outer::none : Outer::other);
  }
  for (const OuterRow& row : kOuterRows) table[static_cast<size_t>(row.type)][row.ipv6 ? 1 : 0] = row.outer;
  return table;
}();
constexpr Outer outer_of(TunnelType type, bool ipv6) noexcept {
  return kOuterOf[static_cast<size_t>(type)][ipv6 ? 1 : 0];
}

struct Intent {
  uint16_t csum_start = 0;  // bytes from the frame's start to its (innermost) L4 header
  uint16_t gso_size = 0;    // payload bytes a segment; 0 without kNeedsSegment
  uint8_t csum_offset = 0;  // bytes from csum_start to the checksum field: 16 TCP, 6 UDP
  GsoType gso_type = GsoType::none;
  uint8_t tunnel_bytes = 0;        // outer headers in front of the inner Ethernet header; 0: no tunnel.
                                   // Set by encap, cleared by decap. Over 255 bytes of outer headers never occur here.
  uint8_t ecn : 1 = 0;             // the TCP header may carry CWR (VIRTIO_NET_HDR_GSO_ECN)
  uint8_t outer_checksum : 1 = 0;  // each segment wants one in its outer UDP or GRE header
  uint8_t outer_bits : 3 = 0;      // an Outer; set by encap, cleared by decap

  Outer outer() const noexcept { return static_cast<Outer>(outer_bits); }
  void set_outer(Outer outer) noexcept { outer_bits = static_cast<uint8_t>(outer) & 7; }
};
static_assert(sizeof(Intent) == sizeof(uint64_t));

inline constexpr uint64_t kNeedsChecksum = RTE_MBUF_F_TX_TCP_CKSUM;
inline constexpr uint64_t kNeedsSegment = RTE_MBUF_F_TX_TCP_SEG;
inline constexpr uint64_t kIntentFlags = kNeedsChecksum | kNeedsSegment;
static_assert((kNeedsChecksum & kNeedsSegment) == 0);

inline bool has_intent(const rte_mbuf* m) noexcept { return (m->ol_flags & kIntentFlags) != 0; }

inline Intent intent_of(const rte_mbuf* m) noexcept { return __builtin_bit_cast(Intent, m->tx_offload); }

// `flags` is kNeedsChecksum, with kNeedsSegment where gso_size is set.
inline void set_intent(rte_mbuf* m, Intent intent, uint64_t flags) noexcept {
  m->tx_offload = __builtin_bit_cast(uint64_t, intent);
  m->ol_flags = (m->ol_flags & ~kIntentFlags) | flags;
}

inline void clear_intent(rte_mbuf* m) noexcept { m->ol_flags &= ~kIntentFlags; }

}  // namespace causeway
