// ICMP (RFC 792, RFC 1191), ICMPv6 (RFC 4443) and neighbor discovery (RFC 4861).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/wire/address.h"
#include "dataplane/wire/big_endian.h"

namespace causeway {

inline constexpr uint8_t kIcmpEchoReply = 0;
inline constexpr uint8_t kIcmpUnreachable = 3;
inline constexpr uint8_t kIcmpEchoRequest = 8;
inline constexpr uint8_t kIcmpTimeExceeded = 11;
inline constexpr uint8_t kIcmpCodeProtocolUnreachable = 2;  // of kIcmpUnreachable
inline constexpr uint8_t kIcmpCodePortUnreachable = 3;
inline constexpr uint8_t kIcmpCodeFragmentationNeeded = 4;  // RFC 1191 section 4

inline constexpr uint8_t kIcmpv6Unreachable = 1;
inline constexpr uint8_t kIcmpv6PacketTooBig = 2;
inline constexpr uint8_t kIcmpv6TimeExceeded = 3;
inline constexpr uint8_t kIcmpv6ParameterProblem = 4;
inline constexpr uint8_t kIcmpv6CodePortUnreachable = 4;    // of kIcmpv6Unreachable
inline constexpr uint8_t kIcmpv6CodeUnknownNextHeader = 1;  // of kIcmpv6ParameterProblem
inline constexpr uint8_t kIcmpv6EchoRequest = 128;
inline constexpr uint8_t kIcmpv6EchoReply = 129;
inline constexpr uint8_t kIcmpv6RouterSolicitation = 133;
inline constexpr uint8_t kIcmpv6RouterAdvertisement = 134;
inline constexpr uint8_t kIcmpv6NeighborSolicitation = 135;
inline constexpr uint8_t kIcmpv6NeighborAdvertisement = 136;

inline constexpr uint8_t kNdHopLimit = 255;  // RFC 4861 sections 7.1.1 and 7.1.2: anything less was routed
inline constexpr uint8_t kNdOptionSourceLinkAddress = 1;
inline constexpr uint8_t kNdOptionTargetLinkAddress = 2;
inline constexpr uint32_t kNdAdvertisementRouter = 0x80000000;
inline constexpr uint32_t kNdAdvertisementSolicited = 0x40000000;
inline constexpr uint32_t kNdAdvertisementOverride = 0x20000000;

// RFC 792; RFC 4443 section 2.1. The ICMPv6 checksum covers a pseudo-header, the ICMP one doesn't.
//
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+---------------+-------------------------------+
//   |     type      |     code      |           checksum            |
//   +---------------+---------------+-------------------------------+
struct IcmpHeader {
  uint8_t type;
  uint8_t code;
  be16 checksum;
};
static_assert(sizeof(IcmpHeader) == 4 && alignof(IcmpHeader) == 1);
static_assert(offsetof(IcmpHeader, code) == 1 && offsetof(IcmpHeader, checksum) == 2);

// Echo and echo reply: RFC 792 page 14, RFC 4443 sections 4.1 and 4.2. Data follows.
//
//   +---------------+---------------+-------------------------------+
//   |     type      |     code      |           checksum            |
//   +---------------+---------------+-------------------------------+
//   |           identifier          |            sequence           |
//   +-------------------------------+-------------------------------+
struct IcmpEcho {
  IcmpHeader icmp;
  be16 identifier;
  be16 sequence;
};
static_assert(sizeof(IcmpEcho) == 8 && alignof(IcmpEcho) == 1);
static_assert(offsetof(IcmpEcho, identifier) == 4 && offsetof(IcmpEcho, sequence) == 6);

// Destination unreachable, RFC 1191 section 4. The original packet's start follows.
//
//   +---------------+---------------+-------------------------------+
//   |       3       |     code      |           checksum            |
//   +---------------+---------------+-------------------------------+
//   |            unused             |         next-hop MTU          |
//   +-------------------------------+-------------------------------+
struct IcmpUnreachable {
  IcmpHeader icmp;
  be16 unused;
  be16 next_hop_mtu_bytes;  // with code kIcmpCodeFragmentationNeeded
};
static_assert(sizeof(IcmpUnreachable) == 8 && alignof(IcmpUnreachable) == 1);
static_assert(offsetof(IcmpUnreachable, next_hop_mtu_bytes) == 6);

// Packet too big, RFC 4443 section 3.2. The original packet's start follows.
//
//   +---------------+---------------+-------------------------------+
//   |       2       |       0       |           checksum            |
//   +---------------+---------------+-------------------------------+
//   |                              MTU                              |
//   +---------------------------------------------------------------+
struct Icmpv6PacketTooBig {
  IcmpHeader icmp;
  be32 mtu_bytes;
};
static_assert(sizeof(Icmpv6PacketTooBig) == 8 && alignof(Icmpv6PacketTooBig) == 1);
static_assert(offsetof(Icmpv6PacketTooBig, mtu_bytes) == 4);

// RFC 4861 section 4.3. Options follow.
//
//   +---------------+---------------+-------------------------------+
//   |      135      |       0       |           checksum            |
//   +---------------+---------------+-------------------------------+
//   |                           reserved                            |
//   +---------------------------------------------------------------+
//   |                    target address (16 bytes)                  |
//   +---------------------------------------------------------------+
struct NeighborSolicitation {
  IcmpHeader icmp;
  be32 reserved;
  std::array<uint8_t, 16> target;

  IpAddress target_address() const noexcept { return IpAddress::v6(target.data()); }
};
static_assert(sizeof(NeighborSolicitation) == 24 && alignof(NeighborSolicitation) == 1);
static_assert(offsetof(NeighborSolicitation, target) == 8);

// RFC 4861 section 4.4. Options follow.
//
//   +---------------+---------------+-------------------------------+
//   |      136      |       0       |           checksum            |
//   +-+-+-+---------+---------------+-------------------------------+
//   |R|S|O|                       reserved                          |
//   +-+-+-+---------------------------------------------------------+
//   |                    target address (16 bytes)                  |
//   +---------------------------------------------------------------+
struct NeighborAdvertisement {
  IcmpHeader icmp;
  be32 flags;  // kNdAdvertisement...
  std::array<uint8_t, 16> target;

  IpAddress target_address() const noexcept { return IpAddress::v6(target.data()); }
};
static_assert(sizeof(NeighborAdvertisement) == 24 && alignof(NeighborAdvertisement) == 1);
static_assert(offsetof(NeighborAdvertisement, flags) == 4 && offsetof(NeighborAdvertisement, target) == 8);

// Any option begins so, RFC 4861 section 4.6; a length of 0 makes the whole packet invalid.
struct NdOption {
  uint8_t type;
  uint8_t length_units;  // of 8 bytes, these two included

  constexpr uint16_t bytes() const noexcept { return static_cast<uint16_t>(length_units * 8); }
};
static_assert(sizeof(NdOption) == 2 && alignof(NdOption) == 1);

// Source or target link-layer address of an Ethernet, RFC 4861 section 4.6.1.
//
//   +---------------+---------------+-------------------------------+
//   |    1 or 2     |       1       |          MAC address          |
//   +---------------+---------------+                               |
//   |                                                               |
//   +---------------------------------------------------------------+
struct NdLinkAddressOption {
  NdOption option;
  MacAddress mac;
};
static_assert(sizeof(NdLinkAddressOption) == 8 && alignof(NdLinkAddressOption) == 1);
static_assert(offsetof(NdLinkAddressOption, mac) == 2);

}  // namespace causeway
