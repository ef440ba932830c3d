// GENEVE (RFC 8926).
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/wire/big_endian.h"

namespace causeway {

inline constexpr uint16_t kGenevePort = 6081;
inline constexpr uint8_t kGeneveFlagControl = 0x80;   // O: control packet
inline constexpr uint8_t kGeneveFlagCritical = 0x40;  // C: critical options present
inline constexpr uint8_t kGeneveOptionCritical = 0x80;
inline constexpr uint16_t kGeneveOptionsMaxBytes = 252;

// RFC 8926 section 3.4. Options follow, then a packet of type `protocol`.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---+-----------+-+-+-----------+-------------------------------+
//   |ver|options len|O|C|  reserved |           protocol            |
//   +---+-----------+-+-+-----------+---------------+---------------+
//   |                      VNI                      |   reserved    |
//   +-----------------------------------------------+---------------+
struct GeneveHeader {
  uint8_t version_options;
  uint8_t flags;
  be16 protocol;
  be24 vni;
  uint8_t reserved;

  constexpr uint8_t version() const noexcept { return version_options >> 6; }
  constexpr uint8_t options_bytes() const noexcept { return static_cast<uint8_t>((version_options & 0x3f) * 4); }
  // This header and its options: 8 to 260.
  constexpr uint16_t header_bytes() const noexcept { return static_cast<uint16_t>(8 + options_bytes()); }
  constexpr bool is_control() const noexcept { return (flags & kGeneveFlagControl) != 0; }
  constexpr bool has_critical() const noexcept { return (flags & kGeneveFlagCritical) != 0; }
};
static_assert(sizeof(GeneveHeader) == 8 && alignof(GeneveHeader) == 1);
static_assert(offsetof(GeneveHeader, flags) == 1 && offsetof(GeneveHeader, protocol) == 2);
static_assert(offsetof(GeneveHeader, vni) == 4 && offsetof(GeneveHeader, reserved) == 7);

// RFC 8926 section 3.5. Data follows.
//
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------------------------------+-+-------------+-----+---------+
//   |          option class         |C|     type    |rsvd | length  |
//   +-------------------------------+-+-------------+-----+---------+
struct GeneveOption {
  be16 option_class;
  uint8_t type;
  uint8_t length;

  constexpr bool is_critical() const noexcept { return (type & kGeneveOptionCritical) != 0; }
  // Of the data behind these 4 bytes: 0 to 124.
  constexpr uint8_t data_bytes() const noexcept { return static_cast<uint8_t>((length & 0x1f) * 4); }
};
static_assert(sizeof(GeneveOption) == 4 && alignof(GeneveOption) == 1);
static_assert(offsetof(GeneveOption, type) == 2 && offsetof(GeneveOption, length) == 3);

}  // namespace causeway
