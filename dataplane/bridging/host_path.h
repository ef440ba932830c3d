// A host path (`host`) both ways, behind decap and in front of tx.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/context.h"

namespace causeway {

// What decap has found to be the host's goes to its port, in order.
void send_to_host(WorkerContext& w, const PortEntry& underlay) noexcept;

// What the host's stack sends leaves by its underlay as it is, complete or with an Intent for that port. Empties the
// batch.
void send_from_host(WorkerContext& w, const PortEntry& host, Batch& batch) noexcept;

}  // namespace causeway
