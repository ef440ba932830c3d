// IPv6 addresses that are good on one link only (RFC 4291 section 2.5.6).
#pragma once

#include "dataplane/wire/address.h"

namespace causeway {

// fe80::/10.
inline bool is_link_local(const IpAddress& ip) noexcept { return ip.bytes[0] == 0xfe && (ip.bytes[1] & 0xc0) == 0x80; }

// fe80::/64 with the MAC as an EUI-64 (RFC 4291 appendix A).
inline IpAddress link_local_address(const MacAddress& mac) noexcept {
  const auto& m = mac.bytes;
  return {{0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<uint8_t>(m[0] ^ 2), m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}};
}

}  // namespace causeway
