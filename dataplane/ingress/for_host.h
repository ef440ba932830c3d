// The host path of an underlay (`host`): frames that are no tunnel's are for the host's own stack, which is behind
// another port (PortEntry::host_path). None of them costs tunnels more than a bound: by kind, each worker hands over so
// many a tick, and so many at once after a pause; what is beyond dies as host_limit. A flood thus takes nothing from
// what keeps the host's neighbors and routes; one that looks like these has to come from several sources.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "dataplane/context.h"
#include "dataplane/ingress/parse.h"

namespace causeway {

struct HostShare {
  uint32_t per_tick;  // about a millisecond (tick_of)
  uint32_t most;      // at once
  uint32_t of_one;    // a second of one source (MAC and IP address); 0: whatever it sends
};

// By HostKind:
//   neighbor  ARP, neighbor and router discovery
//   routing   BGP, BFD, IKE, DHCP clients, OSPF, VRRP, PIM, IGMP, IS-IS (802.3 frames)
//   icmp      the rest of ICMP and ICMPv6, MLD among it
//   bulk      everything else
inline constexpr std::array<HostShare, kHostKinds> kHostShares{
    {{4, 128, 1000}, {16, 512, 4000}, {4, 128, 0}, {32, 512, 0}}};

HostKind host_kind_of(const rte_mbuf* m) noexcept;

// Whether a frame that parse_outer called dead is the host's: whole, to the port's MAC or a group, and no tunnel's.
bool is_hosts(const WorkerContext& w, const rte_mbuf* m, const OuterFrame& outer) noexcept;

// Takes a frame: it leaves by the host path once decap is done (w.for_host), or dies.
void give_to_host(WorkerContext& w, rte_mbuf* m) noexcept;

}  // namespace causeway
