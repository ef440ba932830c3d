// VLANs at the edges of a bridge. Inside of it a frame of VLAN v has v in its outermost tag, so that everything in
// between knows it from there, or has that tag implied (Batch::implied_tags): ports and tunnels with VLAN rules imply
// one for frames that come in without, forward.cpp puts it on where it is wanted, and output.cpp takes tags off on the
// way out. Frames of ports without rules never pass here.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/batch.h"
#include "dataplane/context.h"

namespace causeway {

// Behind parse and decap, for batches with frames from ports or tunnels with rules. Fills Batch::implied_tags.
void enter_vlans(WorkerContext& w, Batch& batch) noexcept;

// The frame with the tag of a VLAN in front; null, and the frame freed, where no buffer was left.
rte_mbuf* push_vlan(WorkerContext& w, rte_mbuf* m, uint16_t vlan) noexcept;

// The VLAN interface that all frames of a burst are for, whose tags are off then; kNoPort: not that simple, and nothing
// was done.
PortIndex take_one_interface(const PortEntry& device, Batch& burst) noexcept;

// Which interface of a device with VLAN interfaces a frame is for: a VLAN's, and then its tag is taken off, or the
// device's own.
PortIndex interface_of(const PortEntry& device, rte_mbuf* m) noexcept;

}  // namespace causeway
