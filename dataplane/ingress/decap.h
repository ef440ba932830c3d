// Underlay frames: outer checks, tunnel lookup, strip.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/context.h"

namespace causeway {

// Leaves in the batch the inner frames with their key and in; frames to this host go to the control thread, the
// rest dies with a reason. Stops in front of a frame that holds several datagrams (merged_datagrams.h), and returns how
// many frames it has taken: what lies behind them in batch.frame is as it was.
uint16_t decap(WorkerContext& w, const PortEntry& port, Batch& batch) noexcept;

}  // namespace causeway
