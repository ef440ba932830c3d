// IPv4 (RFC 791).
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/wire/address.h"
#include "dataplane/wire/big_endian.h"

namespace causeway {

// https://www.iana.org/assignments/protocol-numbers; the same numbers serve as IPv6 next header.
inline constexpr uint8_t kIpProtocolIcmp = 1;
inline constexpr uint8_t kIpProtocolIgmp = 2;
inline constexpr uint8_t kIpProtocolTcp = 6;
inline constexpr uint8_t kIpProtocolUdp = 17;
inline constexpr uint8_t kIpProtocolGre = 47;
inline constexpr uint8_t kIpProtocolEsp = 50;
inline constexpr uint8_t kIpProtocolIcmpv6 = 58;

inline constexpr uint16_t kIpv4SmallestMtu = 576;  // bytes that every host takes, RFC 791 section 3.1

inline constexpr uint16_t kIpv4DontFragment = 0x4000;
inline constexpr uint16_t kIpv4MoreFragments = 0x2000;
inline constexpr uint16_t kIpv4FragmentOffsetMask = 0x1fff;  // in units of 8 bytes

// ECN field, the low two bits of tos or traffic class (RFC 3168 section 5).
inline constexpr uint8_t kEcnMask = 0x03;
inline constexpr uint8_t kEcnNotCapable = 0x00;
inline constexpr uint8_t kEcnCapable1 = 0x01;  // ECT(1)
inline constexpr uint8_t kEcnCapable0 = 0x02;  // ECT(0)
inline constexpr uint8_t kEcnCongestion = 0x03;

// RFC 791 section 3.1.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------+-------+---------------+-------------------------------+
//   |version|  IHL  |      tos      |          total length         |
//   +-------+-------+---------------+-----+-------------------------+
//   |         identification        |flags|     fragment offset     |
//   +---------------+---------------+-----+-------------------------+
//   |  time to live |    protocol   |        header checksum        |
//   +---------------+---------------+-------------------------------+
//   |                         source address                        |
//   |                      destination address                      |
//   +---------------------------------------------------------------+
struct Ipv4Header {
  uint8_t version_ihl;
  uint8_t tos;
  be16 total_bytes;
  be16 id;
  be16 fragment;  // flags and offset
  uint8_t ttl;
  uint8_t protocol;
  be16 checksum;
  be32 source;
  be32 destination;

  static constexpr uint8_t kVersionIhl = 0x45;  // version 4, no options

  constexpr uint8_t version() const noexcept { return version_ihl >> 4; }
  constexpr uint8_t header_bytes() const noexcept { return static_cast<uint8_t>((version_ihl & 0x0f) * 4); }
  constexpr uint8_t ecn() const noexcept { return tos & kEcnMask; }
  constexpr bool dont_fragment() const noexcept { return (fragment.get() & kIpv4DontFragment) != 0; }
  constexpr bool is_fragment() const noexcept {
    return (fragment.get() & (kIpv4MoreFragments | kIpv4FragmentOffsetMask)) != 0;
  }
  IpAddress source_address() const noexcept { return IpAddress::v4(&source); }
  IpAddress destination_address() const noexcept { return IpAddress::v4(&destination); }
};
static_assert(sizeof(Ipv4Header) == 20 && alignof(Ipv4Header) == 1);
static_assert(offsetof(Ipv4Header, total_bytes) == 2 && offsetof(Ipv4Header, id) == 4);
static_assert(offsetof(Ipv4Header, fragment) == 6 && offsetof(Ipv4Header, ttl) == 8);
static_assert(offsetof(Ipv4Header, protocol) == 9 && offsetof(Ipv4Header, checksum) == 10);
static_assert(offsetof(Ipv4Header, source) == 12 && offsetof(Ipv4Header, destination) == 16);

}  // namespace causeway
