// Group membership: IGMPv2 (RFC 2236), IGMPv3 (RFC 3376), MLD (RFC 2710) and MLDv2 (RFC 3810).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/wire/address.h"
#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/icmp.h"

namespace causeway {

inline constexpr uint8_t kIgmpQuery = 0x11;
inline constexpr uint8_t kIgmpReportV2 = 0x16;
inline constexpr uint8_t kIgmpLeave = 0x17;
inline constexpr uint8_t kIgmpReportV3 = 0x22;

inline constexpr uint8_t kMldQuery = 130;
inline constexpr uint8_t kMldReport = 131;
inline constexpr uint8_t kMldDone = 132;
inline constexpr uint8_t kMldReportV2 = 143;
constexpr bool is_mld(uint8_t icmpv6_type) noexcept {
  return (icmpv6_type >= kMldQuery && icmpv6_type <= kMldDone) || icmpv6_type == kMldReportV2;
}

// Types of group records (RFC 3376 section 4.2.12, RFC 3810 section 5.2.12).
inline constexpr uint8_t kRecordIsExclude = 2;
inline constexpr uint8_t kRecordToInclude = 3;
inline constexpr uint8_t kRecordToExclude = 4;

// RFC 2236 section 2; the first 8 bytes of a query of IGMPv3 (RFC 3376 section 4.1), which is 12 bytes at least.
//
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------+---------------+-------------------------------+
//   |     type      | max. response |           checksum            |
//   +---------------+---------------+-------------------------------+
//   |                             group                             |
//   +---------------------------------------------------------------+
struct IgmpMessage {
  uint8_t type;
  uint8_t max_response;  // 100 ms each; from 128 on a floating point number in IGMPv3
  be16 checksum;
  std::array<uint8_t, 4> group;
};
static_assert(sizeof(IgmpMessage) == 8 && alignof(IgmpMessage) == 1);
static_assert(offsetof(IgmpMessage, checksum) == 2 && offsetof(IgmpMessage, group) == 4);

// RFC 2710 section 3; the first 24 bytes of a query of MLDv2 (RFC 3810 section 5.1), which is 28 bytes at least.
//
//   +---------------+---------------+-------------------------------+
//   |     type      |     code      |           checksum            |
//   +---------------+---------------+-------------------------------+
//   |         max. response         |           reserved            |
//   +-------------------------------+-------------------------------+
//   |                        group (16 bytes)                       |
//   +---------------------------------------------------------------+
struct MldMessage {
  IcmpHeader icmp;
  be16 max_response;  // ms; from 32,768 on a floating point number in MLDv2
  be16 reserved;
  std::array<uint8_t, 16> group;
};
static_assert(sizeof(MldMessage) == 24 && alignof(MldMessage) == 1);
static_assert(offsetof(MldMessage, max_response) == 4 && offsetof(MldMessage, group) == 8);

// RFC 3376 section 4.2, RFC 3810 section 5.2: a report of the newer versions. Group records follow.
//
//   +---------------+---------------+-------------------------------+
//   |     type      |   reserved    |           checksum            |
//   +---------------+---------------+-------------------------------+
//   |           reserved            |       number of records       |
//   +-------------------------------+-------------------------------+
struct MembershipReport {
  uint8_t type;
  uint8_t reserved;
  be16 checksum;
  be16 reserved2;
  be16 records;
};
static_assert(sizeof(MembershipReport) == 8 && alignof(MembershipReport) == 1);
static_assert(offsetof(MembershipReport, checksum) == 2 && offsetof(MembershipReport, records) == 6);

// RFC 3376 section 4.2.4. The group's address follows, then sources (we never name any).
//
//   +---------------+---------------+-------------------------------+
//   |     type      |   aux. data   |       number of sources       |
//   +---------------+---------------+-------------------------------+
struct GroupRecord {
  uint8_t type;
  uint8_t aux_words;
  be16 sources;
};
static_assert(sizeof(GroupRecord) == 4 && alignof(GroupRecord) == 1);

// IPv4 router alert (RFC 2113) and a hop-by-hop header with the IPv6 one (RFC 2711) for ICMPv6.
inline constexpr std::array<uint8_t, 4> kIpv4RouterAlert{0x94, 4, 0, 0};
inline constexpr std::array<uint8_t, 8> kIpv6RouterAlert{58, 0, 5, 2, 0, 0, 1, 0};

// The MAC address of a group (RFC 1112 section 6.4, RFC 2464 section 7).
inline MacAddress group_mac(const IpAddress& group) noexcept {
  const auto& b = group.bytes;
  if (group.is_v4()) return {{0x01, 0x00, 0x5e, static_cast<uint8_t>(b[13] & 0x7f), b[14], b[15]}};
  return {{0x33, 0x33, b[12], b[13], b[14], b[15]}};
}

}  // namespace causeway
