// Ethernet II (IEEE 802.3 clause 3).
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/wire/address.h"
#include "dataplane/wire/big_endian.h"

namespace causeway {

// https://www.iana.org/assignments/ieee-802-numbers
inline constexpr uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr uint16_t kEtherTypeArp = 0x0806;
inline constexpr uint16_t kEtherTypeTransparentEthernet = 0x6558;  // an Ethernet frame inside GENEVE or GRE
inline constexpr uint16_t kEtherTypeVlan = 0x8100;                 // IEEE 802.1Q C-tag
inline constexpr uint16_t kEtherTypeIpv6 = 0x86dd;
inline constexpr uint16_t kEtherTypeServiceVlan = 0x88a8;  // IEEE 802.1ad S-tag

//   0         6         12     14
//   +---------+---------+------+---------
//   | dest.   | source  | type | payload
//   +---------+---------+------+---------
struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  be16 ethertype;
};
static_assert(sizeof(EthernetHeader) == 14 && alignof(EthernetHeader) == 1);
static_assert(offsetof(EthernetHeader, source) == 6 && offsetof(EthernetHeader, ethertype) == 12);

inline constexpr MacAddress kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

// 01:80:c2:00:00:00 to :0f, which no bridge forwards (IEEE 802.1Q-2018 8.6.3). `raw`: MacAddress::to_raw, whatever is
// above its 48 bits.
constexpr bool is_bridges_own(uint64_t raw) noexcept {
  constexpr uint64_t kPrefix = 0x0000'c280'01ULL;  // first five wire bytes, as loaded
  return (raw & 0x0000'00ff'ffff'ffffULL) == kPrefix && (raw >> 40 & 0xf0) == 0;
}

}  // namespace causeway
