// Integers in network byte order. Bytes inside, so alignment 1; nothing converts by accident.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace causeway {

static_assert(std::endian::native == std::endian::little || std::endian::native == std::endian::big);

constexpr uint16_t swap_bytes(uint16_t value) noexcept { return __builtin_bswap16(value); }
constexpr uint32_t swap_bytes(uint32_t value) noexcept { return __builtin_bswap32(value); }
constexpr uint64_t swap_bytes(uint64_t value) noexcept { return __builtin_bswap64(value); }

template <std::unsigned_integral T>
class BigEndian {
 public:
  constexpr BigEndian() noexcept = default;
  constexpr explicit BigEndian(T host) noexcept { set(host); }

  constexpr T get() const noexcept { return swapped(raw()); }
  constexpr void set(T host) noexcept { bytes_ = std::bit_cast<Bytes>(swapped(host)); }

  // The wire bytes as they lie in memory, unswapped: for checksums, hashes and masks.
  constexpr T raw() const noexcept { return std::bit_cast<T>(bytes_); }
  static constexpr BigEndian from_raw(T raw) noexcept {
    BigEndian value;
    value.bytes_ = std::bit_cast<Bytes>(raw);
    return value;
  }

  // As one word: the default goes byte by byte.
  constexpr bool operator==(const BigEndian& other) const noexcept { return raw() == other.raw(); }

 private:
  using Bytes = std::array<uint8_t, sizeof(T)>;
  static constexpr T swapped(T value) noexcept {
    return std::endian::native == std::endian::big ? value : swap_bytes(value);
  }
  Bytes bytes_{};
};

using be16 = BigEndian<uint16_t>;
using be32 = BigEndian<uint32_t>;
using be64 = BigEndian<uint64_t>;
static_assert(sizeof(be16) == 2 && alignof(be16) == 1);
static_assert(sizeof(be32) == 4 && alignof(be32) == 1);

// A VNI or VSID: 24 bits.
class be24 {
 public:
  constexpr be24() noexcept = default;
  constexpr explicit be24(uint32_t host) noexcept { set(host); }

  constexpr uint32_t get() const noexcept {
    return static_cast<uint32_t>(bytes_[0]) << 16 | static_cast<uint32_t>(bytes_[1]) << 8 | bytes_[2];
  }
  // The upper 8 bits of `host` are ignored.
  constexpr void set(uint32_t host) noexcept {
    bytes_ = {static_cast<uint8_t>(host >> 16), static_cast<uint8_t>(host >> 8), static_cast<uint8_t>(host)};
  }
  constexpr bool operator==(const be24&) const noexcept = default;

 private:
  std::array<uint8_t, 3> bytes_{};
};
static_assert(sizeof(be24) == 3 && alignof(be24) == 1);

}  // namespace causeway
