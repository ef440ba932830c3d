// ERSPAN (draft-foschiano-erspan-03): copies of frames for an analyser, in GRE. Type I is the frame behind a GRE header
// without any flag (section 4.1); type II has a sequence number in GRE, and this header (section 4.2).
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/vlan.h"

namespace causeway {

inline constexpr uint16_t kEtherTypeErspan = 0x88be;  // GRE's protocol, of both types
inline constexpr uint32_t kErspanHighestSession = 0x3ff;
inline constexpr uint32_t kErspanHighestIndex = 0xf'ffff;
inline constexpr uint16_t kErspanTypeTwo = 0x1000;  // version 1

//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------+-----------------------+-----+---+-+-------------------+
//   |version|         VLAN          | COS | En|T|      session      |
//   +-------+-----------------------+-----+---+-+-------------------+
//   |       reserved        |                 index                 |
//   +-----------------------+---------------------------------------+
struct ErspanHeader {
  be16 version_vlan;
  be16 flags_session;
  be32 index;

  constexpr uint32_t session() const noexcept { return flags_session.get() & kErspanHighestSession; }
  // The frame's tag, which stays in it: En 3.
  constexpr void set_tag(uint16_t control) noexcept {
    version_vlan.set(static_cast<uint16_t>(kErspanTypeTwo | (control & kVlanIdMask)));
    flags_session.set(static_cast<uint16_t>((control & 0xe000) | 0x1800 | (flags_session.get() & 0x07ff)));
  }
  // The frame has lost its end.
  constexpr void set_truncated() noexcept { flags_session.set(static_cast<uint16_t>(flags_session.get() | 0x0400)); }
};
static_assert(sizeof(ErspanHeader) == 8 && alignof(ErspanHeader) == 1);
static_assert(offsetof(ErspanHeader, flags_session) == 2 && offsetof(ErspanHeader, index) == 4);

}  // namespace causeway
