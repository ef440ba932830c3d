// GRE (RFC 2784) with key and sequence number (RFC 2890), and NVGRE (RFC 7637).
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/wire/big_endian.h"

namespace causeway {

inline constexpr uint16_t kGreFlagChecksum = 0x8000;  // C
inline constexpr uint16_t kGreFlagRouting = 0x4000;   // RFC 1701 only
inline constexpr uint16_t kGreFlagKey = 0x2000;       // K
inline constexpr uint16_t kGreFlagSequence = 0x1000;  // S
inline constexpr uint16_t kGreVersionMask = 0x0007;
// RFC 2784 section 2.3: a receiver discards a packet with any of bits 1 to 5 set; RFC 2890 takes bits 2 (K)
// and 3 (S) out of these. The other reserved bits are ignored.
inline constexpr uint16_t kGreMustBeZero = 0x4c00;

// RFC 7637 section 3.2: the key is a VSID of 24 bits and 8 bits of entropy; there are no other optional words.
inline constexpr uint8_t kNvgreFlowIdOffset = 7;
constexpr uint32_t nvgre_vsid(uint32_t key) noexcept { return key >> 8; }
constexpr uint32_t nvgre_key(uint32_t vsid) noexcept { return vsid << 8; }

// RFC 2784 section 2.1, RFC 2890 section 2. Each optional word is there only if its flag is set, in this order.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-+-+-+-+-----------------+-----+-------------------------------+
//   |C| |K|S|    reserved     |vers.|           protocol            |
//   +-+-+-+-+-----------------+-----+-------------------------------+
//   |      checksum (optional)      |           reserved            |
//   +-------------------------------+-------------------------------+
//   |                         key (optional)                        |
//   |                   sequence number (optional)                  |
//   +---------------------------------------------------------------+
struct GreHeader {
  be16 flags_version;
  be16 protocol;

  constexpr uint16_t flags() const noexcept { return flags_version.get() & ~kGreVersionMask; }
  constexpr uint8_t version() const noexcept { return flags_version.get() & kGreVersionMask; }
  constexpr bool has_checksum() const noexcept { return (flags_version.get() & kGreFlagChecksum) != 0; }
  constexpr bool has_key() const noexcept { return (flags_version.get() & kGreFlagKey) != 0; }
  constexpr bool has_sequence() const noexcept { return (flags_version.get() & kGreFlagSequence) != 0; }

  // This header and its optional words: 4 to 16.
  constexpr uint8_t header_bytes() const noexcept {
    return static_cast<uint8_t>(4 + 4 * (has_checksum() + has_key() + has_sequence()));
  }
  // Offsets from this header's start; each only where its flag is set.
  static constexpr uint8_t checksum_offset() noexcept { return 4; }
  constexpr uint8_t key_offset() const noexcept { return static_cast<uint8_t>(4 + 4 * has_checksum()); }
  constexpr uint8_t sequence_offset() const noexcept {
    return static_cast<uint8_t>(4 + 4 * (has_checksum() + has_key()));
  }
};
static_assert(sizeof(GreHeader) == 4 && alignof(GreHeader) == 1);
static_assert(offsetof(GreHeader, protocol) == 2);

}  // namespace causeway
