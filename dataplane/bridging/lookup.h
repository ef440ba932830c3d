// Flow cache in bulk: key -> out. Misses and entries whose ends have changed leave kUnresolved.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/context.h"

namespace causeway {

// Returns how many frames are unresolved.
uint16_t lookup(WorkerContext& w, Batch& batch) noexcept;

}  // namespace causeway
