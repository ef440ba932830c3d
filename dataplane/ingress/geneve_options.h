// GENEVE's options on receive (RFC 8926 sections 3.4 and 3.5): those that the tunnel knows, critical ones, and others.
#pragma once

#include <span>

#include "dataplane/context.h"
#include "dataplane/ingress/parse.h"

namespace causeway {

// Those that a tunnel's end knows.
std::span<const KnownOption> known_options(const Tables& tables, AdjacencyIndex tunnel) noexcept;

// Why a frame of the tunnel end `in` must go; none: it may stay. The options' lengths have been checked. Counts those
// that the tunnel doesn't know.
DropReason check_geneve_options(WorkerContext& w, const rte_mbuf* m, const OuterFrame& outer,
                                const Adjacency& in) noexcept;

}  // namespace causeway
