// A worker's outer headers that were accepted, by tunnel: a frame that equals one of them under a mask needs no parse
// and no tunnel lookup. What a match says is what parse_outer and the tunnel lookup would say again, as long as what
// the workers read is the same: an entry counts in the flow cache's epoch it was written in (flow/cache.h).
//
// Only for the usual: IPv4 without options, UDP without a checksum, VXLAN or GENEVE without options, to the port's own
// MAC. Anything else doesn't match and goes the whole way.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <bit>
#include <cstdint>

#include "dataplane/flow/adjacency.h"
#include "dataplane/flow/lazy_array.h"
#include "dataplane/intent.h"
#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/word_at.h"

namespace causeway {

// Five words of the outer headers, by the offset they start at; together they cover all that matters behind the MACs.
struct OuterWords {
  uint64_t length;    // 12: type, version, IHL, tos, total length, id
  uint64_t fragment;  // 20: fragment, ttl, protocol, checksum, 2 bytes of the source
  uint64_t address;   // 28: 2 of the source, the destination, UDP source port
  uint64_t udp;       // 36: destination port, length, checksum, 2 of the tunnel header
  uint64_t tunnel;    // 44: 6 of the tunnel header, 2 of the inner frame

  static OuterWords read(const uint8_t* outer) noexcept {
    return {word_at<uint64_t>(outer + 12), word_at<uint64_t>(outer + 20), word_at<uint64_t>(outer + 28),
            word_at<uint64_t>(outer + 36), word_at<uint64_t>(outer + 44)};
  }
  // Of the bits that count in both.
  uint64_t difference(const OuterWords& other, const OuterWords& mask) const noexcept {
    return ((length ^ other.length) & mask.length) | ((fragment ^ other.fragment) & mask.fragment) |
           ((address ^ other.address) & mask.address) | ((udp ^ other.udp) & mask.udp) |
           ((tunnel ^ other.tunnel) & mask.tunnel);
  }
};

// From the EtherType on. Not compared: lengths, id, DF, ttl, checksum, UDP source port, DSCP, ECT(0).
consteval OuterWords outer_mask(std::array<uint8_t, 8> tunnel) {
  std::array<uint8_t, 40> bytes{0xff, 0xff,                                       // EtherType
                                0xff, 0x01, 0,    0,    0,    0,                  // version, IHL; ECT(1) and CE
                                0x3f, 0xff, 0,    0xff, 0,    0,                  // fragment, protocol
                                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,   // addresses
                                0,    0,    0xff, 0xff, 0,    0,    0xff, 0xff};  // UDP: destination port, checksum
  for (size_t i = 0; i < 8; ++i) bytes[30 + i] = tunnel[i];
  return std::bit_cast<OuterWords>(bytes);
}

class OuterCache {
 public:
  // Ethernet, IPv4, UDP, tunnel header.
  static constexpr uint16_t kOuterBytes = 14 + 20 + 8 + 8;
  static constexpr uint16_t kLeastBytes = kOuterBytes + 14;

  struct alignas(64) Entry {
    OuterWords words;
    const Adjacency* in;
    uint64_t validity;  // epoch and port; 0: never
    AdjacencyIndex index;
    uint16_t addresses_sum;
    AdjacencyKind kind;
    bool vlan_rules;  // as of the adjacency
  };
  static_assert(sizeof(Entry) == 64);

  // The tunnel of a frame that came in through `port`, whose MAC is `mac`: its inner frame starts at kOuterBytes and
  // ends where the frame does; lengths and IP checksum are right. Null: nothing is said about the frame.
  const Entry* find(const rte_mbuf* m, PortIndex port, MacVlan mac, uint32_t epoch) const noexcept {
    constexpr uint64_t kUnusual = kIntentFlags | RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_BAD;
    const uint32_t bytes = m->pkt_len;
    if ((m->ol_flags & kUnusual) != 0 || m->data_len != bytes || bytes < kLeastBytes) return nullptr;
    const auto* outer = rte_pktmbuf_mtod(m, const uint8_t*);
    const OuterWords words = OuterWords::read(outer);
    const Entry& entry = entries_[slot_of(words)];
    const uint64_t different = words.difference(entry.words, mask_of(entry.kind)) |
                               ((word_at<uint64_t>(outer) ^ mac) & kMacMask) | (entry.validity ^ validity(port, epoch));
    const uint32_t total = be16::from_raw(static_cast<uint16_t>(words.length >> 32)).get();
    const uint32_t udp_bytes = be16::from_raw(static_cast<uint16_t>(words.udp >> 16)).get();
    // RFC 791: the words of the header sum up to 0xffff. Behind the two bytes of EtherType; up to the addresses.
    const uint64_t sum = (words.length >> 16 & 0xffff'ffff) + (words.length >> 48) + (words.fragment & 0xffff'ffff) +
                         (words.fragment >> 32 & 0xffff) + entry.addresses_sum;
    const bool right = different == 0 && total + 14 == bytes && udp_bytes + 20 == total && fold(sum) == 0xffff;
    return right ? &entry : nullptr;
  }

  // `outer`: the headers of a frame that was accepted with an inner frame at `inner_offset`, kLeastBytes readable.
  void remember(const uint8_t* outer, uint16_t inner_offset, PortIndex port, MacVlan mac, uint32_t epoch,
                const Adjacency& in) noexcept {
    const bool ipv4 = outer[12] == 0x08 && outer[13] == 0x00;
    const bool plain = inner_offset == kOuterBytes && ipv4 && (outer[15] & 1) == 0 && outer[40] == 0 && outer[41] == 0;
    if (!plain || is_gre(in.kind) || (in.receive_rules & kMatchOptions) != 0 ||
        ((word_at<uint64_t>(outer) ^ mac) & kMacMask) != 0)
      return;
    const OuterWords words = OuterWords::read(outer);
    entries_[slot_of(words)] = {
        words, &in, validity(port, epoch), in.index, fold(sum_frame(outer + 26, 8, 0)), in.kind, in.vlan_rules};
  }

 private:
  static constexpr size_t kEntries = 4096;  // what slot_of gives
  static constexpr OuterWords kGeneve = outer_mask({0xff, 0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0});  // RFC 8926 s. 3.4
  static constexpr OuterWords kVxlan = outer_mask({0x08, 0, 0, 0, 0xff, 0xff, 0xff, 0});            // RFC 7348 s. 5

  static const OuterWords& mask_of(AdjacencyKind kind) noexcept {
    return kind == AdjacencyKind::geneve ? kGeneve : kVxlan;
  }
  static uint64_t validity(PortIndex port, uint32_t epoch) noexcept { return uint64_t{epoch} << 16 | port; }
  // VNIs mostly are consecutive numbers: their low 12 bits stand as they are. The others and the last two bytes of the
  // outer source are mixed.
  static size_t slot_of(const OuterWords& words) noexcept {
    const auto vni = static_cast<uint32_t>(words.tunnel >> 16 & 0xff'ffff);  // as it lies, its lowest byte on top
    const auto source = static_cast<uint32_t>(words.address & 0xffff);
    const uint32_t rest = ((vni & 0xf0ff) ^ source << 16) * 0x9e37'79b9U;
    return (vni >> 16 | (vni & 0x0f00)) ^ rest >> 20;
  }

  LazyArray<Entry> entries_{kEntries};
};

}  // namespace causeway
