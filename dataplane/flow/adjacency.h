// An adjacency is one place that frames come from and go to: a bridge port, or a tunnel to one VTEP.
// Immutable once published; the control thread replaces it whole (see flow/tables.h).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "dataplane/drop_reason.h"
#include "dataplane/flow/key.h"
#include "dataplane/flow/vlan_rules.h"
#include "dataplane/wire/tunnel_type.h"

namespace causeway {

class BindingTable;

using PortIndex = uint16_t;
using BridgeIndex = uint16_t;
inline constexpr BridgeIndex kNoBridge = 0;
inline constexpr PortIndex kMaxPorts = 1024;
inline constexpr PortIndex kNoPort = 0xffff;

// Split horizon: no frame goes from one adjacency of a group to another of it (RFC 4762 section 4).
using SplitGroup = uint16_t;
inline constexpr SplitGroup kNoSplitGroup = 0;

// What a port carries on top of its MTU: an Ethernet header with one VLAN tag.
inline constexpr uint32_t kPortHeaderBytes = 18;

// What a tunnel's end takes or wants on receive.
inline constexpr uint8_t kZeroChecksumOk = 1;  // GENEVE over IPv6: UDP checksum 0
inline constexpr uint8_t kMatchOptions = 2;    // GENEVE: only frames that carry the tunnel's options

// Outer headers, built once per tunnel and neighbor, right-aligned: the last `outer_bytes` go in front
// of the inner frame. Lengths, checksums and the UDP source port in them are zero.
struct OuterTemplate {
  static constexpr size_t kCapacity = 128;  // RTE_PKTMBUF_HEADROOM
  alignas(16) std::array<uint8_t, kCapacity> data{};
};

// The largest TCP segment that may be announced, for IPv4 and IPv6 (`mss-clamp`); 0: any.
struct MssLimit {
  uint16_t ipv4 = 0;
  uint16_t ipv6 = 0;
  bool any() const noexcept { return (ipv4 | ipv6) != 0; }
};

// Next hops of equal cost (ECMP, RFC 2992). They differ in the outer Ethernet header and in the port; a frame's way is
// its inner flow's.
struct Ways {
  static constexpr size_t kMost = 16;
  struct Way {
    MacAddress destination;
    MacAddress source;
    PortIndex port = 0;
  };
  static_assert(sizeof(Way) == 14);
  uint16_t count = 0;
  std::array<Way, kMost> way;
};

// How many frames from it a worker floods a second; 0: any number. The ends of a tunnel share one account.
struct FloodLimit {
  uint32_t per_second = 0;
  AdjacencyIndex account = kNoAdjacency;
};
// A worker's share of a limit; at least 1 of one that there is.
constexpr uint32_t share_of(uint32_t per_second, size_t workers) {
  return per_second == 0 ? 0 : std::max(per_second / static_cast<uint32_t>(std::max<size_t>(workers, 1)), 1U);
}

struct alignas(64) Adjacency {
  TunnelType kind = TunnelType::none;  // none: a bridge port
  // none: frames may leave. neighbor_unresolved: they go to the control thread's queue. Else: they die of it.
  DropReason blocked = DropReason::port_down;
  bool ipv6 = false;          // the outer IP version
  bool udp_checksum = false;  // filled on transmit
  bool inherit_tos = false;   // DSCP from the inner IP header
  uint8_t receive_rules = 0;  // kZeroChecksumOk, kMatchOptions
  uint8_t outer_bytes = 0;    // 0 for a port
  uint8_t ip_offset = 0;      // of the outer IP header from the outer frame's start
  uint8_t udp_offset = 0;     // of the outer UDP or GRE header
  uint8_t tos = 0;            // of the outer IP header, before what is copied from the inner one
  bool vlan_rules = false;    // `vlan` has some
  PortIndex port = 0;         // the way out
  BridgeIndex bridge = kNoBridge;
  SplitGroup split_group = kNoSplitGroup;
  uint16_t max_frame_bytes = 0;  // largest frame (Ethernet header included, before encap) that fits the MTU
  uint16_t ip_sum = 0;           // IPv4: folded sum of the template's header, not inverted
  uint16_t l4_sum = 0;    // the same of all under UDP's or GRE's checksum but lengths, source port, number, inner frame
  bool bound = false;     // there are `bindings`
  bool numbered = false;  // GRE with sequence numbers, from `sequence`
  bool usual = false;     // is_usual(), asked once
  bool fabric = false;    // a VTEP of an EVPN fabric: BGP says which MACs are behind it, none is learnt
  AdjacencyIndex index = kNoAdjacency;  // its own
  MssLimit mss;                         // of SYNs either way
  OuterTemplate outer;
  std::unique_ptr<const Ways> ways;  // null: there is one, in the template
  VlanRules vlan;
  // In a cache line of their own what only some ask for:
  FloodLimit floods;                                // a tunnel's
  std::shared_ptr<const BindingTable> bindings;     // a bridge port's; null: anybody may speak
  std::shared_ptr<std::atomic<uint32_t>> sequence;  // the next number to this remote, whichever worker sends it
};
static_assert(sizeof(Adjacency) == 256);

// Ethernet, IPv4, UDP, and VXLAN or GENEVE without options.
inline constexpr uint8_t kUsualOuterBytes = 14 + 20 + 8 + 8;

inline bool of_one_split_group(const Adjacency& a, const Adjacency& b) noexcept {
  return a.split_group != kNoSplitGroup && a.split_group == b.split_group;
}

// A tunnel that asks nothing of a frame that isn't asked of nearly all: an open way, no checksum or VLAN rules. An MSS
// limit is looked after before.
inline bool is_usual(const Adjacency& to) noexcept {
  return over_udp(to.kind) && !to.ipv6 && !to.udp_checksum && to.outer_bytes == kUsualOuterBytes &&
         to.blocked == DropReason::none && !to.vlan_rules && !to.ways;
}

}  // namespace causeway
