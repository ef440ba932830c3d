// GENEVE's options on receive (RFC 8926 sections 3.4 and 3.5): those that the tunnel knows, critical ones, and others.
#pragma once

#include "dataplane/context.h"
#include "dataplane/ingress/parse.h"

namespace causeway {

// Why a frame of the tunnel end `in` must go; none: it may stay. The options' lengths have been checked. Counts those
// that the tunnel doesn't know.
DropReason check_geneve_options(WorkerContext& w, const rte_mbuf* m, const OuterFrame& outer,
                                const Adjacency& in) noexcept;

}  // namespace causeway
