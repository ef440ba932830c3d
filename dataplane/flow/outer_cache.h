// A worker's outer headers that were accepted, by tunnel: a frame that equals one of them under a mask needs no parse
// and no tunnel lookup. What a match says is what parse_outer and the tunnel lookup would say again, as long as what
// the workers read is the same: an entry counts in the flow cache's epoch it was written in (flow/cache.h).
//
// Only for the usual: IPv4 without options, UDP without a checksum, VXLAN or GENEVE without options, to the port's own
// MAC. Anything else doesn't match and goes the whole way.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/flow/adjacency.h"
#include "dataplane/flow/lazy_array.h"
#include "dataplane/frame/intent.h"
#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/word_at.h"

namespace causeway {

// The outer headers behind the MACs as five words, by the offset they start at.
struct OuterWords {
  uint64_t start;      // 12: EtherType, version, IHL, tos, total length, id
  uint64_t protocol;   // 18: id, fragment, ttl, protocol, checksum
  uint64_t addresses;  // 26
  uint64_t udp;        // 34
  uint64_t tunnel;     // 42

  static OuterWords read(const uint8_t* outer) noexcept {
    return {word_at<uint64_t>(outer + 12), word_at<uint64_t>(outer + 18), word_at<uint64_t>(outer + 26),
            word_at<uint64_t>(outer + 34), word_at<uint64_t>(outer + 42)};
  }
};

class OuterCache {
 public:
  static constexpr uint16_t kOuterBytes = kUsualOuterBytes;
  static constexpr uint16_t kLeastBytes = kOuterBytes + 14;

  struct alignas(64) Entry {
    uint64_t addresses;
    uint64_t udp;  // the destination port alone
    uint64_t tunnel;
    uint64_t tunnel_mask;
    uint64_t validity;  // epoch and port; 0: never
    const Adjacency* in;
    AdjacencyIndex index;
    uint16_t addresses_sum;
    bool vlan_rules;  // as of the adjacency
  };
  static_assert(sizeof(Entry) == 64);

  // For frames that come in through `port`, whose MAC is `mac`.
  struct View {
    const Entry* entries;
    uint64_t validity;
    MacVlan mac;

    const Entry* find(const rte_mbuf* m) const noexcept;
  };
  View view(PortIndex port, MacVlan mac, uint32_t epoch) const noexcept {
    return {entries_.data(), validity(port, epoch), mac};
  }

  // `outer`: the headers of a frame that was accepted with an inner frame at `inner_offset`, kLeastBytes readable.
  void remember(const uint8_t* outer, uint16_t inner_offset, PortIndex port, MacVlan mac, uint32_t epoch,
                const Adjacency& in) noexcept {
    const bool ipv4 = outer[12] == 0x08 && outer[13] == 0x00;
    const bool plain = inner_offset == kOuterBytes && ipv4 && (outer[15] & 1) == 0 && outer[40] == 0 && outer[41] == 0;
    if (!plain || !over_udp(in.kind) || (in.receive_rules & kMatchOptions) != 0 ||
        ((word_at<uint64_t>(outer) ^ mac) & kMacMask) != 0)
      return;
    const OuterWords words = OuterWords::read(outer);
    entries_[slot_of(words)] = {words.addresses,
                                words.udp & kPortMask,
                                words.tunnel,
                                row_of(in.kind).header_mask,
                                validity(port, epoch),
                                &in,
                                in.index,
                                fold(sum_frame(outer + 26, 8, 0)),
                                in.vlan_rules};
  }

 private:
  static constexpr size_t kEntries = 4096;  // what slot_of gives
  // Not compared: id, DF, ttl, checksum, UDP source port, DSCP, ECT(0). Tunnel: RFC 8926 section 3.4, RFC 7348
  // section 5.
  static constexpr uint64_t kStart = be64(0x0800'4500'0000'0000).raw();
  static constexpr uint64_t kStartMask = be64(0xffff'ff01'ffff'0000).raw();
  static constexpr uint64_t kProtocol = be64(uint64_t{kIpProtocolUdp} << 16).raw();
  static constexpr uint64_t kProtocolMask = be64(0x0000'3fff'00ff'0000).raw();
  static constexpr uint64_t kUdpMask = be64(0x0000'ffff'ffff'ffff).raw();
  static constexpr uint64_t kPortMask = be64(0x0000'ffff'0000'0000).raw();

  static uint64_t validity(PortIndex port, uint32_t epoch) noexcept { return uint64_t{epoch} << 16 | port; }
  // VNIs mostly are consecutive numbers: their low 12 bits stand as they are. The others and the last two bytes of the
  // outer source are mixed.
  static size_t slot_of(const OuterWords& words) noexcept {
    const auto vni = static_cast<uint32_t>(be64::from_raw(words.tunnel).get()) >> 8;
    const auto source = static_cast<uint32_t>(words.addresses >> 16 & 0xffff);
    const uint32_t rest = (vni >> 12 ^ source << 12) * 0x9e37'79b9U;
    return (vni ^ rest >> 20) % kEntries;
  }

  LazyArray<Entry> entries_{kEntries};
};

// The tunnel of a frame: its inner frame starts at kOuterBytes and ends where the frame does; lengths and IP checksum
// are right. Null: nothing is said about the frame.
inline const OuterCache::Entry* OuterCache::View::find(const rte_mbuf* m) const noexcept {
  constexpr uint64_t kUnusual = kIntentFlags | RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_BAD;
  const uint32_t bytes = m->pkt_len;
  if (((m->ol_flags & kUnusual) | (m->data_len ^ bytes)) != 0 || bytes < kLeastBytes) [[unlikely]] {
    return nullptr;
  }
  const auto* outer = rte_pktmbuf_mtod(m, const uint8_t*);
  const OuterWords words = OuterWords::read(outer);
  const Entry& entry = entries[slot_of(words)];
  // The lengths as they must be, where the words have them.
  const auto total = uint64_t{be16(static_cast<uint16_t>(bytes - 14)).raw()} << 32;
  const auto udp_bytes = uint64_t{be16(static_cast<uint16_t>(bytes - 34)).raw()} << 32;
  const uint64_t different = ((words.start ^ kStart ^ total) & kStartMask) |
                             ((words.protocol ^ kProtocol) & kProtocolMask) | (words.addresses ^ entry.addresses) |
                             ((words.udp ^ entry.udp ^ udp_bytes) & kUdpMask) |
                             ((words.tunnel ^ entry.tunnel) & entry.tunnel_mask) |
                             ((word_at<uint64_t>(outer) ^ mac) & kMacMask) | (entry.validity ^ validity);
  if (different != 0) [[unlikely]] {
    return nullptr;
  }
  // RFC 791: the words of the header sum up to 0xffff.
  const uint64_t sum =
      (words.start >> 16 & 0xffff'ffff) + (words.protocol & 0xffff'ffff) + (words.protocol >> 32) + entry.addresses_sum;
  return fold(sum) == 0xffff ? &entry : nullptr;
}

}  // namespace causeway
