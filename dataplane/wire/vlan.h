// VLAN tag (IEEE 802.1Q 9.6).
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/ethernet.h"

namespace causeway {

inline constexpr uint16_t kVlanIdMask = 0x0fff;
inline constexpr uint16_t kVlanIdMax = 4094;  // 4095 is reserved (IEEE 802.1Q table 9-2)

constexpr bool is_vlan_ethertype(uint16_t ethertype) noexcept {
  return ethertype == kEtherTypeVlan || ethertype == kEtherTypeServiceVlan;
}

// What follows an ethertype of 0x8100 or 0x88a8: the tag's value, then the ethertype of what it carries.
//
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-----+-+-----------------------+-------------------------------+
//   | PCP |D|        VLAN id        |           ethertype           |
//   +-----+-+-----------------------+-------------------------------+
struct VlanHeader {
  be16 control;
  be16 ethertype;

  constexpr uint16_t id() const noexcept { return control.get() & kVlanIdMask; }
  constexpr uint8_t priority() const noexcept { return static_cast<uint8_t>(control.get() >> 13); }
  constexpr bool drop_eligible() const noexcept { return (control.get() & 0x1000) != 0; }
};
static_assert(sizeof(VlanHeader) == 4 && alignof(VlanHeader) == 1);
static_assert(offsetof(VlanHeader, ethertype) == 2);

}  // namespace causeway
