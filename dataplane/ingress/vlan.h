// VLANs at the edges of a bridge. Inside of it a frame of VLAN v has v in its outermost tag, so that everything in
// between knows it from there; ports and tunnels with VLAN rules give tags to frames that come in without one, and take
// them off on the way out (forward.cpp). Frames of ports without rules never pass here.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/batch.h"
#include "dataplane/context.h"

namespace causeway {

// Behind parse and decap, for batches with frames from ports or tunnels with rules.
void enter_vlans(WorkerContext& w, Batch& batch) noexcept;

// Which interface of a device with VLAN interfaces a frame is for: a VLAN's, and then its tag is taken off, or the
// device's own.
PortIndex interface_of(const PortEntry& device, rte_mbuf* m) noexcept;

}  // namespace causeway
