// Port security: frames from a bridge port with bindings, whose sender is none of these, die. Looked at is whatever
// others would learn from: the source MAC, the IP source, senders and targets in ARP and neighbor discovery.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/context.h"
#include "dataplane/flow/binding_table.h"

namespace causeway {

void check_bindings(WorkerContext& w, const BindingTable& bindings, Batch& batch) noexcept;

}  // namespace causeway
