// Which VLANs a bridge port or tunnel carries, and which of them without a tag. Part of its adjacency.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>

namespace causeway {

enum class VlanMode : uint8_t {
  none,    // nothing is looked at: all VLANs, each frame with the tags it has
  access,  // one VLAN, without a tag
  trunk,   // many, all tagged; frames without a tag are of VLAN 0
  native,  // many, one of them without a tag
};

inline constexpr uint16_t kVlans = 4096;
using VlanSet = std::bitset<kVlans>;

struct VlanRules {
  VlanMode mode = VlanMode::none;
  uint16_t tag = 0;                       // of frames without one: access, native
  std::shared_ptr<const VlanSet> trunks;  // trunk, native; null: all

  bool carries(uint16_t vlan) const noexcept {
    switch (mode) {
      case VlanMode::none:
        return true;
      case VlanMode::access:
        return vlan == tag;
      case VlanMode::trunk:
        return trunks == nullptr || trunks->test(vlan);
      case VlanMode::native:  // VLAN 0 would leave without a tag and be taken for another there
        return vlan == tag || (vlan != 0 && (trunks == nullptr || trunks->test(vlan)));
    }
    return false;
  }
  // Whether a frame that comes in with this VLAN in its tag may go on.
  bool admits_tagged(uint16_t vlan) const noexcept { return mode != VlanMode::access && carries(vlan); }
  // Whether frames of a VLAN that is carried leave without its tag.
  bool untags(uint16_t vlan) const noexcept { return vlan != 0 && vlan == tag; }
};

}  // namespace causeway
