// From a worker to the control thread: one function for each kind of punted frame (dataplane/exchange.h). Those that
// return nothing drop and count the frame where it may not go there.
#pragma once

#include "dataplane/context.h"

namespace causeway {

// How many frames a second one source (MAC and IP address) may have for this host. Beyond that they die as
// control_limit: a ping flood passes, a storm doesn't.
inline constexpr uint32_t kToHostPerSecond = 1000;
// The same of what jumps the queue: a neighbor asks or answers a few times a minute.
inline constexpr uint32_t kUrgentPerSecond = 64;

// Whose account a frame is on that says it is from `source`, in the RateLimits of WorkerContext.
uint32_t account_of(const rte_mbuf* frame, const IpAddress& source) noexcept;

// A frame of the underlay for this host itself: ARP, ND, ICMP, IGMP or MLD. What neighbors and the routers of groups
// say has a queue of its own, most of it for the answers of neighbors that were asked; what asks nothing of us dies
// here.
void punt_to_us(WorkerContext& w, const PortEntry& port, rte_mbuf* frame) noexcept;
// The same of an underlay with a host path, where the host answers: takes what neighbors we deal with and routers of
// groups say, and errors, which may be about a tunnel's packet. The control thread hands them on to the host. False:
// the frame is the host's alone, and stays the caller's.
bool offer_to_control(WorkerContext& w, const PortEntry& port, rte_mbuf* frame) noexcept;
// An inner frame for a tunnel whose next hop is unresolved.
void punt_unresolved(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept;
// An outer frame for a multicast tunnel, `group`, that doesn't know its sender.
void punt_unknown_vtep(WorkerContext& w, rte_mbuf* frame, AdjacencyIndex group, const IpAddress& vtep) noexcept;
// A frame from w.from that doesn't fit `to`. Counts nothing: that is a drop. False: the frame stays the caller's.
bool punt_too_big(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept;

}  // namespace causeway
