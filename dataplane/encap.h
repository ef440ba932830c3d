// Puts the outer headers in front: copies the adjacency's template and patches what differs per packet
// (lengths, checksum, source port, DSCP and ECN).
#pragma once

#include "dataplane/context.h"

namespace causeway {

// Returns the frame to send: `frame`, or a new first segment in front of it where its own headroom can't be
// written. Null when no buffer was left; `frame` is then still the caller's.
rte_mbuf* encap(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept;

}  // namespace causeway
