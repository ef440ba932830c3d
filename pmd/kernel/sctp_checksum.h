// SCTP's checksum (RFC 9260 section 6.8): CRC32c, which nothing behind a port knows. A virtio-net header has no word
// for it, either: Linux says "a checksum is wanted" of SCTP as of anything. So it is filled as soon as a frame comes
// in, and to all others it is complete.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/frame/intent.h"

namespace causeway {

inline constexpr uint8_t kSctpChecksumOffset = 8;  // RFC 9260 section 3.1

// Whether what `intent` asks for is one. Behind a tunnel of the sender's own the offset alone says it: no other
// protocol has its checksum there.
bool wants_sctp_checksum(const rte_mbuf* frame, const Intent& intent) noexcept;

// False: its field is not in the first segment.
bool fill_sctp_checksum(rte_mbuf* frame, uint16_t sctp_offset) noexcept;

}  // namespace causeway
