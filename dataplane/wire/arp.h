// Address resolution for IPv4 over Ethernet (RFC 826).
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/wire/address.h"
#include "dataplane/wire/big_endian.h"

namespace causeway {

inline constexpr uint16_t kArpHardwareEthernet = 1;
inline constexpr uint16_t kArpRequest = 1;
inline constexpr uint16_t kArpReply = 2;

// RFC 826, "Packet format", with hardware Ethernet and protocol IPv4.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------------------------------+-------------------------------+
//   |        hardware type 1        |     protocol type 0x0800      |
//   +---------------+---------------+-------------------------------+
//   | hw length 6   | proto len 4   |           operation           |
//   +---------------+---------------+-------------------------------+
//   |                    sender MAC (6), sender IPv4 (4)            |
//   |                    target MAC (6), target IPv4 (4)            |
//   +---------------------------------------------------------------+
struct ArpPacket {
  be16 hardware_type;
  be16 protocol_type;
  uint8_t hardware_bytes;
  uint8_t protocol_bytes;
  be16 operation;
  MacAddress sender_mac;
  be32 sender_ip;
  MacAddress target_mac;
  be32 target_ip;

  IpAddress sender_address() const noexcept { return IpAddress::v4(&sender_ip); }
  IpAddress target_address() const noexcept { return IpAddress::v4(&target_ip); }
};
static_assert(sizeof(ArpPacket) == 28 && alignof(ArpPacket) == 1);
static_assert(offsetof(ArpPacket, operation) == 6 && offsetof(ArpPacket, sender_mac) == 8);
static_assert(offsetof(ArpPacket, sender_ip) == 14 && offsetof(ArpPacket, target_mac) == 18);
static_assert(offsetof(ArpPacket, target_ip) == 24);

}  // namespace causeway
