// IPv6 (RFC 8200). Protocol numbers and ECN stand in ipv4.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/wire/address.h"
#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/ipv4.h"

namespace causeway {

// Extension headers: https://www.iana.org/assignments/ipv6-parameters
inline constexpr uint16_t kIpv6SmallestMtu = 1280;  // bytes of any link, RFC 8200 section 5

inline constexpr uint8_t kIpv6HopByHop = 0;
inline constexpr uint8_t kIpv6Routing = 43;
inline constexpr uint8_t kIpv6Fragment = 44;
inline constexpr uint8_t kIpv6NoNextHeader = 59;
inline constexpr uint8_t kIpv6DestinationOptions = 60;

// Options in hop-by-hop and destination options headers: type, length of the data, data (RFC 8200 section 4.2).
inline constexpr uint8_t kIpv6OptionPad1 = 0;  // the type alone
inline constexpr uint8_t kIpv6OptionPadN = 1;
inline constexpr uint8_t kIpv6OptionEncapsulationLimit = 4;  // RFC 2473 section 4.1.1; one byte of data

// How a hop-by-hop, routing or destination options header begins (RFC 8200 section 4).
struct Ipv6Extension {
  uint8_t next_header;
  uint8_t more_units;  // of 8 bytes, behind the first 8

  constexpr uint32_t bytes() const noexcept { return 8U + more_units * 8U; }
};
static_assert(sizeof(Ipv6Extension) == 2 && alignof(Ipv6Extension) == 1);

// RFC 8200 section 3.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +-------+---------------+---------------------------------------+
//   |version| traffic class |              flow label               |
//   +-------+---------------+-------+---------------+---------------+
//   |         payload length        |  next header  |   hop limit   |
//   +-------------------------------+---------------+---------------+
//   |                         source (16 bytes)                     |
//   |                       destination (16 bytes)                  |
//   +---------------------------------------------------------------+
struct Ipv6Header {
  be32 version_class_flow;
  be16 payload_bytes;  // everything behind this header, extension headers included
  uint8_t next_header;
  uint8_t hop_limit;
  std::array<uint8_t, 16> source;
  std::array<uint8_t, 16> destination;

  static constexpr be32 version_class_flow_of(uint8_t traffic_class, uint32_t flow_label) noexcept {
    return be32(6U << 28 | static_cast<uint32_t>(traffic_class) << 20 | (flow_label & 0xfffff));
  }
  constexpr uint8_t version() const noexcept { return static_cast<uint8_t>(version_class_flow.get() >> 28); }
  constexpr uint8_t traffic_class() const noexcept { return static_cast<uint8_t>(version_class_flow.get() >> 20); }
  constexpr uint8_t ecn() const noexcept { return traffic_class() & kEcnMask; }
  constexpr uint32_t flow_label() const noexcept { return version_class_flow.get() & 0xfffff; }
  constexpr void set_traffic_class(uint8_t traffic_class) noexcept {
    version_class_flow = version_class_flow_of(traffic_class, flow_label());
  }
  IpAddress source_address() const noexcept { return IpAddress::v6(source.data()); }
  IpAddress destination_address() const noexcept { return IpAddress::v6(destination.data()); }
};
static_assert(sizeof(Ipv6Header) == 40 && alignof(Ipv6Header) == 1);
static_assert(offsetof(Ipv6Header, payload_bytes) == 4 && offsetof(Ipv6Header, next_header) == 6);
static_assert(offsetof(Ipv6Header, hop_limit) == 7 && offsetof(Ipv6Header, source) == 8);
static_assert(offsetof(Ipv6Header, destination) == 24);

}  // namespace causeway
