// Flow-cache misses: two FDB lookups on the worker, a new cache entry, and the frame goes on. Only a new or
// moved source MAC goes to the control thread, and the frame doesn't wait for it.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/context.h"

namespace causeway {

// Gives every kUnresolved frame its way: an adjacency, kFlood, or kGone with a drop reason counted.
void resolve(WorkerContext& w, Batch& batch) noexcept;

}  // namespace causeway
