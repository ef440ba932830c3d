// Ethernet and IP addresses as they stand on the wire: network byte order, alignment 1.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>

namespace causeway {

// IEEE 802 MAC address, 6 bytes.
struct MacAddress {
  std::array<uint8_t, 6> bytes{};

  auto operator<=>(const MacAddress&) const = default;
  // Compared as a number: the default goes byte by byte, which the hot path notices.
  bool operator==(const MacAddress& other) const noexcept { return to_raw() == other.to_raw(); }
  bool is_multicast() const noexcept { return (bytes[0] & 1) != 0; }
  bool is_zero() const noexcept { return *this == MacAddress{}; }

  // The wire bytes as they lie in memory, lowest address first; the upper 16 bits are 0.
  uint64_t to_raw() const noexcept {
    uint32_t low = 0;
    uint16_t high = 0;
    std::memcpy(&low, bytes.data(), sizeof(low));
    std::memcpy(&high, &bytes[4], sizeof(high));
    return low | static_cast<uint64_t>(high) << 32;
  }
  // The address as a number, first byte most significant; the upper 16 bits are 0.
  uint64_t to_u64() const noexcept {
    uint64_t value = 0;
    for (uint8_t byte : bytes) value = value << 8 | byte;
    return value;
  }
  static MacAddress from_u64(uint64_t value) noexcept {
    MacAddress mac;
    for (int i = 5; i >= 0; --i, value >>= 8) mac.bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(value);
    return mac;
  }
};
static_assert(sizeof(MacAddress) == 6 && alignof(MacAddress) == 1);

// IPv4 or IPv6 address, 16 bytes. IPv4 stands as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so that
// one type, one comparison and one hash serve both.
struct IpAddress {
  std::array<uint8_t, 16> bytes{};

  auto operator<=>(const IpAddress&) const = default;
  bool operator==(const IpAddress& other) const noexcept {
    std::array<uint64_t, 2> a{};
    std::array<uint64_t, 2> b{};
    std::memcpy(a.data(), bytes.data(), sizeof(a));
    std::memcpy(b.data(), other.bytes.data(), sizeof(b));
    return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
  }

  // `wire`: 4 bytes in network order.
  static IpAddress v4(const void* wire) noexcept {
    IpAddress a;
    a.bytes[10] = a.bytes[11] = 0xff;
    std::memcpy(&a.bytes[12], wire, 4);
    return a;
  }
  static IpAddress v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) noexcept {
    const std::array<uint8_t, 4> wire{a, b, c, d};
    return v4(wire.data());
  }
  // `wire`: 16 bytes in network order.
  static IpAddress v6(const void* wire) noexcept {
    IpAddress a;
    std::memcpy(a.bytes.data(), wire, 16);
    return a;
  }

  bool is_v4() const noexcept {
    static constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return std::memcmp(bytes.data(), kMapped.data(), kMapped.size()) == 0;
  }
  bool is_v6() const noexcept { return !is_v4(); }
  bool is_unspecified() const noexcept {
    for (size_t i = is_v4() ? 12 : 0; i < 16; ++i) {
      if (bytes[i] != 0) return false;
    }
    return true;
  }
  bool is_multicast() const noexcept { return is_v4() ? (bytes[12] & 0xf0) == 0xe0 : bytes[0] == 0xff; }
  // 4 wire bytes; only for is_v4().
  const uint8_t* v4_wire() const noexcept { return &bytes[12]; }
};
static_assert(sizeof(IpAddress) == 16 && alignof(IpAddress) == 1);

// An address with a prefix length in bits of its own family (0-32 or 0-128).
struct IpPrefix {
  IpAddress address;
  uint8_t length = 0;

  auto operator<=>(const IpPrefix&) const = default;

  bool contains(const IpAddress& other) const noexcept {
    if (address.is_v4() != other.is_v4()) return false;
    const size_t bits = static_cast<size_t>(length) + (address.is_v4() ? 96U : 0U);
    const size_t whole = bits / 8;
    if (std::memcmp(address.bytes.data(), other.bytes.data(), whole) != 0) return false;
    if (bits % 8 == 0) return true;
    const auto mask = static_cast<uint8_t>(0xff << (8 - bits % 8));
    return ((address.bytes[whole] ^ other.bytes[whole]) & mask) == 0;
  }
};

}  // namespace causeway

template <>
struct std::hash<causeway::MacAddress> {
  size_t operator()(const causeway::MacAddress& mac) const noexcept {
    return static_cast<size_t>(mac.to_u64() * 0x9e3779b97f4a7c15ULL);
  }
};

template <>
struct std::hash<causeway::IpAddress> {
  size_t operator()(const causeway::IpAddress& ip) const noexcept {
    uint64_t high = 0;
    uint64_t low = 0;
    std::memcpy(&high, ip.bytes.data(), 8);
    std::memcpy(&low, &ip.bytes[8], 8);
    return static_cast<size_t>((high ^ low * 0x9e3779b97f4a7c15ULL) * 0xff51afd7ed558ccdULL);
  }
};
