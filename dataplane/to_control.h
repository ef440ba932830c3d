// From a worker to the control thread: frames to this host itself, frames that need a neighbor, and VTEPs nobody knows.
#pragma once

#include "dataplane/context.h"

namespace causeway {

// How many frames a second one source (MAC and IP address) may have for this host. Beyond that they die as
// control_limit: a ping flood passes, a storm doesn't.
inline constexpr uint32_t kToHostPerSecond = 1000;
// The same of what jumps the queue: a neighbor asks or answers a few times a minute.
inline constexpr uint32_t kUrgentPerSecond = 64;

// Hands a frame to the control thread, or drops it.
void punt(WorkerContext& w, const PuntedFrame& frame) noexcept;
// A frame of the underlay to this host: ARP, ND, ICMP, IGMP or MLD. What neighbors and the routers of groups say has a
// queue of its own, most of it for the answers of those who were asked; what asks nothing of us dies here.
void punt_own(WorkerContext& w, const PortEntry& port, rte_mbuf* frame) noexcept;

}  // namespace causeway
