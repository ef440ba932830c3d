// Applies the verdicts: checks the way out, encapsulates, hands to tx; floods and replicates.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/context.h"

namespace causeway {

void forward(WorkerContext& w, Batch& batch) noexcept;

// One frame out of one adjacency: MTU, neighbor, encap, tx. Takes it over.
void output(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept;

}  // namespace causeway
