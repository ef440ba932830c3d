// Broadcast, multicast, and MACs that nobody knows: a copy to each member of the bridge.
#pragma once

#include "dataplane/context.h"

namespace causeway {

// Takes over a frame that came in from `in`.
void flood(WorkerContext& w, rte_mbuf* frame, const Adjacency& in) noexcept;

}  // namespace causeway
