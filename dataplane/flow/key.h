// The flow key: (where a frame came in, VLAN, destination MAC, source MAC) in 16 bytes.
//
//   lo:  63..60 ingress, low 4 bits | 59..48 VLAN ID | 47..0 destination MAC
//   hi:  63..48 ingress, high 16 bits                | 47..0 source MAC
//
// MACs stand as loaded from the frame (little-endian load of wire bytes), so building a key is two
// loads, two masks and two ors.
#pragma once

#include <cstdint>
#include <cstring>

#include "dataplane/wire/address.h"

namespace causeway {

// Index of an Adjacency: one place that frames come from and go to. 20 bits; 0 is nowhere.
using AdjacencyIndex = uint32_t;
inline constexpr AdjacencyIndex kNoAdjacency = 0;
inline constexpr uint32_t kMaxAdjacencies = 1U << 20;

inline constexpr uint64_t kMacMask = 0x0000'ffff'ffff'ffffULL;
inline constexpr uint64_t kMacVlanMask = 0x0fff'ffff'ffff'ffffULL;
// The group bit of a MAC in this form (first wire byte is the least significant one).
inline constexpr uint64_t kMacGroupBit = 0x01;

// A MAC with its VLAN ID as one number: the FDB's key beside the bridge.
using MacVlan = uint64_t;

inline MacVlan mac_vlan(const MacAddress& mac, uint16_t vlan) noexcept {
  uint64_t value = 0;
  std::memcpy(&value, mac.bytes.data(), 6);
  return value | static_cast<uint64_t>(vlan & 0xfff) << 48;
}

inline MacAddress mac_of(MacVlan key) noexcept {
  MacAddress mac;
  std::memcpy(mac.bytes.data(), &key, 6);
  return mac;
}

inline uint16_t vlan_of(MacVlan key) noexcept { return static_cast<uint16_t>(key >> 48 & 0xfff); }

struct FlowKey {
  uint64_t lo;
  uint64_t hi;

  // `ethernet` points at an Ethernet header of at least 14 readable bytes; `vlan` is a VLAN ID or 0.
  static FlowKey read(const void* ethernet, uint16_t vlan, AdjacencyIndex ingress) noexcept {
    FlowKey key{};
    std::memcpy(&key.lo, ethernet, 8);
    std::memcpy(&key.hi, static_cast<const uint8_t*>(ethernet) + 6, 8);
    key.lo = (key.lo & kMacMask) | static_cast<uint64_t>(vlan) << 48 | static_cast<uint64_t>(ingress) << 60;
    key.hi = (key.hi & kMacMask) | static_cast<uint64_t>(ingress >> 4) << 48;
    return key;
  }

  MacVlan destination() const noexcept { return lo & kMacVlanMask; }
  MacVlan source() const noexcept { return (hi & kMacMask) | (lo & (kMacVlanMask ^ kMacMask)); }
  AdjacencyIndex ingress() const noexcept {
    return static_cast<AdjacencyIndex>(lo >> 60) | static_cast<AdjacencyIndex>(hi >> 48) << 4;
  }
  bool to_group() const noexcept { return (lo & kMacGroupBit) != 0; }
  bool from_group() const noexcept { return (hi & kMacGroupBit) != 0; }
  bool from_zero() const noexcept { return (hi & kMacMask) == 0; }
  bool operator==(const FlowKey&) const = default;
};
static_assert(sizeof(FlowKey) == 16);

// Mix of two words by one wide multiplication: every bit of the result depends on every bit given. The seed is
// random per process, so that nobody outside can aim at one bucket.
inline uint64_t hash_words(uint64_t a, uint64_t b, uint64_t seed) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a ^ seed ^ 0x9e3779b97f4a7c15ULL) * (b ^ 0xc2b2ae3d27d4eb4fULL);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace causeway
