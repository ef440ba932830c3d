// Underlay frames: outer checks, tunnel lookup, strip.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/context.h"

namespace causeway {

// Leaves in the batch the inner frames with their key and in; frames to this host go to the control thread, the
// rest dies with a reason.
void decap(WorkerContext& w, const PortEntry& port, Batch& batch) noexcept;

}  // namespace causeway
