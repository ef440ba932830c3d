// The way out of an adjacency: its VLANs, its MTU, its next hop, its tunnel, then egress/tx. Takes frames over: each
// leaves by a port, waits for a next hop, or dies counted.
#pragma once

#include "dataplane/context.h"

namespace causeway {

// Whether it fits into a way out of that many bytes; of a super-packet, each segment.
bool fits(const rte_mbuf* m, uint32_t max_frame_bytes) noexcept;

// Whether what is too long loses its end there, and the outer headers say so: ERSPAN type II.
inline bool cuts_short(const Adjacency& to) noexcept { return to.kind == TunnelType::erspan && to.numbered; }

void output(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept;

// The same for frames in a row. `frames` is written to.
void output_run(WorkerContext& w, rte_mbuf** frames, uint16_t count, const Adjacency& to) noexcept;

// The same for one frame or more that have left their VLAN already, into an open way.
void output_run_open(WorkerContext& w, rte_mbuf** frames, uint16_t count, const Adjacency& to) noexcept;

}  // namespace causeway
