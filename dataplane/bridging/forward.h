// Applies the verdicts: what goes the same way in a row leaves by bridging/output at once, or floods.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/context.h"

namespace causeway {

void forward(WorkerContext& w, Batch& batch) noexcept;

}  // namespace causeway
