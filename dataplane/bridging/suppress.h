// ARP and ND suppression (`arp-nd-suppress`, RFC 9161): who asks for a host that is known gets the answer here, and
// nobody else hears of it. Only frames about to be flooded are looked at. And the other half, how hosts become known:
// what they say of themselves on bridge ports is told the control thread (control/hosts), which verifies it.
#pragma once

#include "dataplane/batch.h"
#include "dataplane/context.h"

namespace causeway {

// A frame of a bridge that suppresses, about to be flooded. True: it was answered, and has left as the answer, or it
// was for the control thread.
bool suppress(WorkerContext& w, rte_mbuf* frame, const Adjacency& in) noexcept;

// Behind lookup and resolve, so that the control thread hears of a MAC before it hears of its addresses. Looks at what
// hosts in bridges that suppress say of themselves; the frames are as before.
void snoop(WorkerContext& w, const Batch& batch) noexcept;

}  // namespace causeway
