// Ends descriptors of devices at once.
#pragma once

#include <vector>

#include "pmd/file_descriptor.h"

namespace causeway {

// For the last descriptor of a packet socket or TAP close(2) waits until no processor can see the device any more (an
// RCU grace period: net/packet/af_packet.c, packet_release(); net/core/dev.c), some 10 ms. Those that are closed at the
// same time wait for the same one. Returns when all are closed.
void close_together(std::vector<FileDescriptor> descriptors);

}  // namespace causeway
