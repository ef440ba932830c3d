// The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
//
// A "sum" is a one's complement sum of 16-bit words as they lie in memory (RFC 1071 section 2 (B): byte
// order doesn't matter as long as nobody swaps). It travels unfolded in a uint32_t; each function here
// returns at most 0xffff, so some 65,000 of them can be added before fold(). A sum is 0 only if every byte
// summed was 0.
#pragma once

#include <rte_mbuf.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/word_at.h"

namespace causeway {

// The carry out of the lower half goes into the upper one by itself: the end-around carry.
constexpr uint16_t fold(uint64_t sum) noexcept {
  const auto half = static_cast<uint32_t>((sum + std::rotr(sum, 32)) >> 32);
  return static_cast<uint16_t>((half + std::rotr(half, 16)) >> 16);
}

// The same of a sum of a few words.
constexpr uint16_t fold_short(uint32_t sum) noexcept { return static_cast<uint16_t>((sum + std::rotr(sum, 16)) >> 16); }

// A checksum field: the sum's complement.
constexpr be16 checksum_of(uint64_t sum) noexcept { return be16::from_raw(static_cast<uint16_t>(~fold(sum))); }

// The same for UDP, where 0 would mean "none" (RFC 768).
constexpr be16 udp_checksum_of(uint64_t sum) noexcept {
  const be16 checksum = checksum_of(sum);
  return checksum == be16{} ? be16(0xffff) : checksum;
}

// Bytes that start at an odd offset of what is being summed: their sum with the two halves swapped.
constexpr uint16_t odd_sum(uint32_t sum) noexcept { return swap_bytes(fold(sum)); }

// Sum of any bytes at any alignment; an odd last byte counts as if a 0 followed.
uint32_t sum_bytes(const void* bytes, size_t count, uint32_t initial = 0) noexcept;

// The same for frames of at least 8 bytes, most of which are short: these aren't worth a call. Not folded.
inline uint64_t sum_frame(const uint8_t* bytes, size_t count, uint32_t initial) noexcept {
  if (count > 192) return sum_bytes(bytes, count, initial);
  uint64_t sum = initial;
  uint64_t carries = 0;
  const auto add = [&](uint64_t word) {
    sum += word;
    carries += sum < word ? 1 : 0;
  };
  size_t i = 0;
  // Words that most frames have: no question in between.
  constexpr size_t kUsualBytes = 56;
  if (count >= kUsualBytes) [[likely]] {
    for (; i < kUsualBytes; i += 8) add(word_at<uint64_t>(bytes + i));
  }
  for (; i + 16 <= count; i += 16) {
    add(word_at<uint64_t>(bytes + i));
    add(word_at<uint64_t>(bytes + i + 8));
  }
  if (i + 8 <= count) {
    add(word_at<uint64_t>(bytes + i));
    i += 8;
  }
  // What is left, as if zeros followed: the last 8 bytes without those that were counted.
  if (i != count) add(word_at<uint64_t>(bytes + count - 8) >> (i + 8 - count) * 8);
  return (sum & 0xffff'ffff) + (sum >> 32) + carries;
}

// Sum of `count` bytes from `offset` in a chain of mbufs, whatever the segments' lengths; bytes beyond
// the chain's end count as 0.
uint32_t sum_chain(const rte_mbuf* m, uint32_t offset, uint32_t count, uint32_t initial = 0) noexcept;

// Sum of a header whose size is known when compiling; not folded.
template <class Header>
uint64_t wide_sum_header(const Header& header) noexcept {
  static_assert(sizeof(Header) % 4 == 0 && alignof(Header) == 1);
  uint64_t sum = 0;
  for (size_t i = 0; i < sizeof(Header); i += 4) {
    sum += word_at<uint32_t>(reinterpret_cast<const uint8_t*>(&header) + i);
  }
  return sum;
}

template <class Header>
uint32_t sum_header(const Header& header) noexcept {
  return fold(wide_sum_header(header));
}

// The checksum of an IPv4 header, options included (they must follow it in memory), whatever its field holds.
inline be16 ipv4_checksum(const Ipv4Header& ip) noexcept {
  const uint32_t sum = ip.header_bytes() == sizeof(Ipv4Header) ? sum_header(ip) : sum_bytes(&ip, ip.header_bytes());
  return checksum_of(sum + static_cast<uint16_t>(~ip.checksum.raw()));
}

// RFC 1122 section 3.2.1.2.
inline bool ipv4_checksum_valid(const Ipv4Header& ip) noexcept {
  const bool plain = ip.header_bytes() == sizeof(Ipv4Header);
  return fold(plain ? wide_sum_header(ip) : sum_bytes(&ip, ip.header_bytes())) == 0xffff;
}

// Pseudo-headers: RFC 9293 section 3.1 (IPv4), RFC 8200 section 8.1 (IPv6). Addresses in wire order;
// `l4_bytes` is the L4 header with its payload.
inline uint32_t pseudo_header_sum_v4(const void* source, const void* destination, uint8_t protocol,
                                     uint32_t l4_bytes) noexcept {
  uint32_t words[2];
  std::memcpy(&words[0], source, 4);
  std::memcpy(&words[1], destination, 4);
  return fold(uint64_t{words[0]} + words[1] + be32(protocol).raw() + be32(l4_bytes).raw());
}

inline uint32_t pseudo_header_sum_v6(const void* source, const void* destination, uint8_t protocol,
                                     uint32_t l4_bytes) noexcept {
  uint32_t words[8];
  std::memcpy(&words[0], source, 16);
  std::memcpy(&words[4], destination, 16);
  uint64_t sum = uint64_t{be32(protocol).raw()} + be32(l4_bytes).raw();
  for (const uint32_t word : words) sum += word;
  return fold(sum);
}

inline uint32_t pseudo_header_sum(const Ipv4Header& ip, uint8_t protocol, uint32_t l4_bytes) noexcept {
  return pseudo_header_sum_v4(&ip.source, &ip.destination, protocol, l4_bytes);
}
inline uint32_t pseudo_header_sum(const Ipv6Header& ip, uint8_t protocol, uint32_t l4_bytes) noexcept {
  return pseudo_header_sum_v6(&ip.source, &ip.destination, protocol, l4_bytes);
}

// Of the IP header at `ip`, whichever version it says; IPv6 without extension headers.
inline uint32_t pseudo_header_sum_at(const void* ip, uint8_t protocol, uint32_t l4_bytes) noexcept {
  const auto* v4 = static_cast<const Ipv4Header*>(ip);
  return v4->version() == 4 ? pseudo_header_sum(*v4, protocol, l4_bytes)
                            : pseudo_header_sum(*static_cast<const Ipv6Header*>(ip), protocol, l4_bytes);
}

// RFC 1624 section 3, equation 3: the checksum after a word under it changed.
constexpr be16 update_checksum(be16 checksum, be16 from, be16 to) noexcept {
  return checksum_of(static_cast<uint32_t>(static_cast<uint16_t>(~checksum.raw())) +
                     static_cast<uint16_t>(~from.raw()) + to.raw());
}
constexpr be16 update_checksum(be16 checksum, be32 from, be32 to) noexcept {
  return be16::from_raw(static_cast<uint16_t>(
      ~fold(uint64_t{static_cast<uint16_t>(~checksum.raw())} + static_cast<uint32_t>(~from.raw()) + to.raw())));
}

// The checksum that the UDP datagram behind the IP header at `l3_offset` ought to carry, whatever its field
// holds now; never 0. IP and UDP header lie in the first segment, without IPv6 extension headers, and
// UDP's length has been checked: the caller knows.
be16 udp_checksum_over(const rte_mbuf* m, uint32_t l3_offset) noexcept;

// Whether that datagram's checksum is right; the same terms. A checksum of 0 ("none") is the caller's.
bool udp_checksum_valid(const rte_mbuf* m, uint32_t l3_offset) noexcept;

}  // namespace causeway
