// VXLAN (RFC 7348).
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/wire/big_endian.h"

namespace causeway {

inline constexpr uint16_t kVxlanPort = 4789;
inline constexpr uint8_t kVxlanFlagI = 0x08;  // the VNI is valid

// RFC 7348 section 5. An Ethernet frame follows.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+-----------------------------------------------+
//   |R|R|R|R|I|R|R|R|                   reserved                    |
//   +---------------+-------------------------------+---------------+
//   |                      VNI                      |   reserved    |
//   +-----------------------------------------------+---------------+
struct VxlanHeader {
  uint8_t flags;
  be24 reserved1;
  be24 vni;
  uint8_t reserved2;

  constexpr bool has_vni() const noexcept { return (flags & kVxlanFlagI) != 0; }
};
static_assert(sizeof(VxlanHeader) == 8 && alignof(VxlanHeader) == 1);
static_assert(offsetof(VxlanHeader, vni) == 4 && offsetof(VxlanHeader, reserved2) == 7);

}  // namespace causeway
