// The outer headers of a burst's last accepted frame, so that the frames behind it from the same tunnel need one
// comparison under a mask instead of a parse and a tunnel lookup. What a match says is what parse_outer and the
// tunnel lookup would say again, as long as the tables are the same: for the length of one burst.
//
// Only for the usual: IPv4 without options, UDP without a checksum, VXLAN or GENEVE without options. Anything else
// doesn't match and goes the whole way.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "dataplane/flow/adjacency.h"
#include "dataplane/intent.h"
#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/checksum.h"

namespace causeway {

namespace same_tunnel {

// What must be equal, byte by byte; the UDP port's word and the tunnel header's are added per type.
inline constexpr std::array<uint8_t, 52> kBytes{
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,    0,    0, 0, 0, 0, 0xff, 0xff,  // Ethernet: not the source
    0xff, 0x01, 0,    0,    0,    0,                                         // version, IHL; ECT(1) and CE; lengths, id
    0x3f, 0xff, 0,    0xff, 0,    0,                  // fragment, not DF; ttl; protocol; checksum
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,   // addresses
    0,    0,    0xff, 0xff, 0,    0,    0xff, 0xff};  // UDP: destination port, checksum

consteval uint64_t mask_at(size_t offset) {
  std::array<uint8_t, 8> bytes{};
  for (size_t i = 0; i < 8; ++i) bytes[i] = kBytes[offset + i];
  return std::bit_cast<uint64_t>(bytes);
}

inline constexpr uint64_t kEthernetMask = mask_at(0);
inline constexpr uint64_t kLengthMask = mask_at(12);
inline constexpr uint64_t kFragmentMask = mask_at(20);
inline constexpr uint64_t kAddressMask = mask_at(28);

}  // namespace same_tunnel

class SameTunnel {
 public:
  // Ethernet, IPv4, UDP, tunnel header.
  static constexpr uint16_t kOuterBytes = 14 + 20 + 8 + 8;
  static constexpr uint16_t kLeastBytes = kOuterBytes + 14;

  // `outer`: the headers of a frame that was accepted with an inner frame at `inner_offset`, kLeastBytes readable.
  void remember(const uint8_t* outer, uint16_t inner_offset, const Adjacency& in) noexcept {
    using namespace same_tunnel;
    constexpr std::array<uint8_t, 8> kGeneve{0xff, 0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0};  // RFC 8926 section 3.4
    constexpr std::array<uint8_t, 8> kVxlan{0x08, 0, 0, 0, 0xff, 0xff, 0xff, 0};            // RFC 7348 section 5
    const bool ipv4 = outer[12] == 0x08 && outer[13] == 0x00;
    const bool plain = inner_offset == kOuterBytes && ipv4 && (outer[15] & 1) == 0 && outer[40] == 0 && outer[41] == 0;
    in_ = plain && in.kind != AdjacencyKind::gretap ? &in : nullptr;
    if (in_ == nullptr) return;
    std::array<uint8_t, 52> mask = kBytes;
    std::memcpy(&mask[42], in.kind == AdjacencyKind::geneve ? kGeneve.data() : kVxlan.data(), 8);
    udp_mask_ = word_at(&mask[36]);
    tunnel_mask_ = word_at(&mask[44]);
    expected_ = {word_at(outer) & kEthernetMask,      word_at(outer + 12) & kLengthMask,
                 word_at(outer + 20) & kFragmentMask, word_at(outer + 28) & kAddressMask,
                 word_at(outer + 36) & udp_mask_,     word_at(outer + 44) & tunnel_mask_};
    addresses_sum_ = sum_bytes(outer + 26, 8);
  }

  // The tunnel of a frame that is as the remembered one, complete and with right lengths and IP checksum: its inner
  // frame starts at kOuterBytes and ends where the frame does. Otherwise null: then nothing is said about the frame.
  const Adjacency* find(const rte_mbuf* m) const noexcept {
    using namespace same_tunnel;
    constexpr uint64_t kUnusual = kIntentFlags | RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_BAD;
    const uint32_t bytes = m->pkt_len;
    if (in_ == nullptr || (m->ol_flags & kUnusual) != 0 || m->data_len != bytes || bytes < kLeastBytes) return nullptr;
    const auto* outer = rte_pktmbuf_mtod(m, const uint8_t*);
    const uint64_t length = word_at(outer + 12);    // type, version, IHL, tos, total length, id
    const uint64_t fragment = word_at(outer + 20);  // fragment, ttl, protocol, checksum, 2 of the source
    const uint64_t udp = word_at(outer + 36);       // destination port, length, checksum, 2 of the tunnel header
    const uint64_t different =
        ((word_at(outer) & kEthernetMask) ^ expected_[0]) | ((length & kLengthMask) ^ expected_[1]) |
        ((fragment & kFragmentMask) ^ expected_[2]) | ((word_at(outer + 28) & kAddressMask) ^ expected_[3]) |
        ((udp & udp_mask_) ^ expected_[4]) | ((word_at(outer + 44) & tunnel_mask_) ^ expected_[5]);
    const uint32_t total = be16::from_raw(static_cast<uint16_t>(length >> 32)).get();
    const uint32_t udp_bytes = be16::from_raw(static_cast<uint16_t>(udp >> 16)).get();
    // RFC 791: the words of the header sum up to 0xffff. Behind the two bytes of Ethernet type; up to the addresses.
    const uint64_t sum = (length >> 16 & 0xffff'ffff) + (length >> 48) + (fragment & 0xffff'ffff) +
                         (fragment >> 32 & 0xffff) + addresses_sum_;
    const bool right = different == 0 && total + 14 == bytes && udp_bytes + 20 == total && fold(sum) == 0xffff;
    return right ? in_ : nullptr;
  }

 private:
  static uint64_t word_at(const uint8_t* bytes) noexcept {
    uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof(word));
    return word;
  }

  const Adjacency* in_ = nullptr;
  std::array<uint64_t, 6> expected_{};
  uint64_t udp_mask_ = 0;
  uint64_t tunnel_mask_ = 0;
  uint32_t addresses_sum_ = 0;
};

}  // namespace causeway
