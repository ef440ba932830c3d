// Super-packets in a capture: TCP's big frames, which are cut on their way out. A capture has their bytes, but not how
// large the segments are.
#pragma once

#include <cstddef>

#include "control/ctl/trace_frame.h"

namespace causeway {

// Whether it is larger than what a link of this MTU (bytes of an IP packet) carries.
bool is_super_packet(const FrameBytes& frame, size_t mtu);

// What is cut from its front: an IP packet of 576 bytes, which everything carries, whatever the segments' size really
// is; lengths and checksums are right, FIN and PSH are the last segment's (as Linux does it, net/ipv4/tcp_offload.c).
// Empty: it isn't TCP over IPv4 or IPv6 without extension headers, VLAN tags skipped, or is no longer than that.
FrameBytes first_segment(const FrameBytes& frame);

}  // namespace causeway
