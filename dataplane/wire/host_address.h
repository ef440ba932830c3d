// Addresses that no host has: what comes from one is forged, and what is sent there goes astray.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "dataplane/wire/address.h"

namespace causeway {

// RFC 1122 section 3.2.1.3, RFC 1112 section 4, RFC 4291 sections 2.5.2 to 2.5.5 and 2.7.
inline bool is_of_no_host(const IpAddress& address) noexcept {
  const uint8_t first = address.v4_wire()[0];
  if (address.is_v4()) return first == 0 || first == 127 || first >= 224;
  static constexpr std::array<uint8_t, 12> kCompatible{};  // ::a.b.c.d, :: and ::1 among them
  return address.is_multicast() || std::memcmp(address.bytes.data(), kCompatible.data(), kCompatible.size()) == 0;
}

}  // namespace causeway
