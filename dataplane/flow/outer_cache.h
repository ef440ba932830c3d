// A worker's outer headers that were accepted, by tunnel: a frame that equals one of them under a mask needs no parse
// and no tunnel lookup. What a match says is what parse_outer and the tunnel lookup would say again, as long as what
// the workers read is the same: an entry counts in the flow cache's epoch it was written in (flow/cache.h).
//
// For IP without options or extensions, UDP or GRE, to the port's own MAC. Anything else doesn't match and goes the
// whole way. To NVGRE's FlowID each is a key of its own, since a gretap tunnel may have just that one. A checksum that
// nobody has verified is left to who asks.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/flow/adjacency.h"
#include "dataplane/flow/lazy_array.h"
#include "dataplane/flow/tables.h"
#include "dataplane/frame/intent.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/geneve.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/word_at.h"

namespace causeway {

// Where in the frame what stands, in bytes. Source and destination address lie in front of the L4 header.
struct OuterFamily {
  bool ipv6;
  bool udp;  // else GRE

  constexpr uint8_t number() const noexcept { return static_cast<uint8_t>((ipv6 ? 2 : 0) + (udp ? 1 : 0)); }
  constexpr uint8_t protocol() const noexcept { return udp ? kIpProtocolUdp : kIpProtocolGre; }
  constexpr uint32_t l4() const noexcept {
    return kEthernetBytes + static_cast<uint32_t>(ipv6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header));
  }
  constexpr uint32_t addresses() const noexcept { return l4() - (ipv6 ? 32 : 8); }
  // Behind the L4 header's first 8 bytes: VXLAN, GENEVE, or the rest of GRE.
  constexpr uint32_t tunnel() const noexcept { return l4() + 8; }
  constexpr uint32_t readable() const noexcept { return tunnel() + 8; }

  // Of a frame that has an Ethernet header and 10 bytes behind it.
  static std::optional<OuterFamily> of(const uint8_t* outer) noexcept {
    const bool ipv6 = outer[12] == 0x86 && outer[13] == 0xdd;
    const bool ipv4 = outer[12] == 0x08 && outer[13] == 0x00;
    const uint8_t protocol = outer[ipv6 ? 20 : 23];
    const bool udp = protocol == kIpProtocolUdp;
    if ((!ipv4 && !ipv6) || (!udp && protocol != kIpProtocolGre)) return std::nullopt;
    return OuterFamily{ipv6, udp};
  }
};

class OuterCache {
 public:
  static constexpr uint32_t kLeastBytes = 24;  // that OuterFamily::of reads
  static constexpr uint32_t kMostBytes = 128;  // of outer headers that are remembered
  // Of GENEVE's options in these.
  static constexpr size_t kMostOptionBytes = 40;
  static constexpr size_t kMostUnknown = 4;

  struct alignas(64) Entry {
    uint64_t addresses;    // IPv4
    uint64_t l4;           // UDP: the destination port alone
    uint64_t l4_mask;      // GRE
    uint64_t tunnel;       // the 8 bytes behind
    uint64_t tunnel_mask;  //
    uint64_t validity;     // epoch, family and port; 0: never
    const Adjacency* in;
    uint32_t place;          // place_of()
    uint16_t addresses_sum;  // IPv4
    uint8_t option_bytes;    // GENEVE's
    bool vlan_rules : 1;     // as of the adjacency
    bool zero_checksum : 1;  // UDP over IPv6 may have none
  };
  static_assert(sizeof(Entry) == 64);

  // What only some entries have, in lines of their own.
  struct alignas(64) More {
    std::array<uint64_t, 4> addresses;  // IPv6
    std::array<uint64_t, kMostOptionBytes / 8> options;
    std::array<uint64_t, kMostOptionBytes / 8>
        options_mask;                            // not compared: data that nobody knows, and what is behind
    std::array<uint16_t, kMostUnknown> unknown;  // the classes of options that nobody knows
    uint8_t unknowns;
  };

  // A tunnel and the length of the outer headers in front of the inner frame, in one word.
  static constexpr uint32_t place_of(AdjacencyIndex index, uint32_t inner_offset) noexcept {
    return index << 8 | inner_offset;
  }
  static constexpr AdjacencyIndex index_of(uint32_t place) noexcept { return place >> 8; }
  static constexpr uint32_t inner_offset_of(uint32_t place) noexcept { return place & 0xff; }

  // For frames that come in through `port`, whose MAC is `mac`.
  struct View {
    const Entry* entries;
    const More* more;
    uint64_t validity;
    MacVlan mac;

    template <OuterFamily kFamily>
    const Entry* find(const rte_mbuf* m, bool& unverified) const noexcept;
    const More& more_of(const Entry* entry) const noexcept { return more[entry - entries]; }
  };
  View view(PortIndex port, MacVlan mac, uint32_t epoch) const noexcept {
    return {entries_.data(), more_.data(), validity(port, epoch), mac};
  }

  void forget() noexcept {
    for (size_t i = 0; i < kEntries; ++i) entries_[i].validity = 0;
  }

  // `outer`: the headers of a frame that was accepted with an inner frame at `inner_offset`, up to the inner Ethernet
  // header. `known`: the GENEVE options that the tunnel knows, whose data it looks at.
  void remember(const uint8_t* outer, uint16_t inner_offset, PortIndex port, MacVlan mac, uint32_t epoch,
                const Adjacency& in, std::span<const KnownOption> known) noexcept;

 private:
  static constexpr size_t kEntries = 4096;  // what slot_of gives
  // Not compared in IPv4: id, DF, ttl, checksum, DSCP, ECT(0). In IPv6: DSCP, ECT(0), flow label, hop limit.
  static constexpr uint64_t kIpv4 = be64(0x0800'4500'0000'0000).raw();
  static constexpr uint64_t kIpv4Mask = be64(0xffff'ff01'ffff'0000).raw();
  static constexpr uint64_t kIpv4ProtocolMask = be64(0x0000'3fff'00ff'0000).raw();  // from the id on
  static constexpr uint64_t kIpv6 = be64(0x86dd'6000'0000'0000).raw();
  static constexpr uint64_t kIpv6Mask = be64(0xffff'f010'0000'ffff).raw();
  // UDP: not the source port, and not the checksum, which is the frame's own.
  static constexpr uint64_t kUdpMask = be64(0x0000'ffff'ffff'0000).raw();
  static constexpr uint64_t kPortMask = be64(0x0000'ffff'0000'0000).raw();
  static constexpr uint64_t kUdpChecksumMask = be64(0xffff).raw();
  static constexpr uint64_t kGreChecksum = be64(uint64_t{kGreFlagChecksum} << 48).raw();
  static constexpr uint64_t kGreKey = be64(uint64_t{kGreFlagKey} << 48).raw();

  static uint64_t validity(PortIndex port, uint32_t epoch) noexcept { return uint64_t{epoch} << 32 | port; }
  static constexpr uint64_t validity(OuterFamily family) noexcept { return uint64_t{family.number()} << 16; }

  // VNIs and keys mostly are consecutive numbers: their low 12 bits stand as they are. The others, the last two bytes
  // of the outer source and the length of GENEVE's options are mixed.
  template <OuterFamily kFamily>
  static size_t slot_of(const uint8_t* outer, uint64_t l4, uint64_t tunnel) noexcept {
    uint32_t id = 0;
    uint32_t first = 0;
    if constexpr (kFamily.udp) {
      id = static_cast<uint32_t>(be64::from_raw(tunnel).get()) >> 8;
      first = static_cast<uint32_t>(tunnel & 0x3f);
    } else {
      const auto key = static_cast<uint32_t>((l4 & kGreChecksum) != 0 ? tunnel : l4 >> 32);
      id = (l4 & kGreKey) != 0 ? swap_bytes(key) : 0;
    }
    const uint32_t source = word_at<uint16_t>(outer + kFamily.addresses() + (kFamily.ipv6 ? 14 : 2));
    const uint32_t rest = (id >> 12 ^ source << 12 ^ first << 26) * 0x9e37'79b9U;
    return (id ^ rest >> 20) % kEntries;
  }

  // At least 4 bytes stand behind them.
  static bool same_options(const uint8_t* options, uint8_t bytes, const More& more) noexcept {
    uint64_t different = 0;
    for (size_t i = 0; i < (bytes + 4U) / 8; ++i) {
      different |= (word_at<uint64_t>(options + 8 * i) ^ more.options[i]) & more.options_mask[i];
    }
    return different == 0;
  }

  static bool read_options(std::span<const uint8_t> options, std::span<const KnownOption> known, More& more) noexcept;

  template <OuterFamily kFamily>
  void remember(const uint8_t* outer, uint16_t inner_offset, PortIndex port, uint32_t epoch, const Adjacency& in,
                std::span<const KnownOption> known) noexcept;

  LazyArray<Entry> entries_{kEntries};
  LazyArray<More> more_{kEntries};
};

// Where a frame of the family comes from: lengths and the IP checksum are right, and there is an inner Ethernet header.
// Null: nothing is said about the frame. Sets `unverified` where the outer UDP or GRE header has a checksum that the
// NIC hasn't verified.
template <OuterFamily kFamily>
[[gnu::always_inline]] inline const OuterCache::Entry* OuterCache::View::find(const rte_mbuf* m,
                                                                              bool& unverified) const noexcept {
  constexpr uint64_t kUnusual = kIntentFlags | RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_BAD;
  const uint32_t bytes = m->pkt_len;
  const uint64_t flags = m->ol_flags;
  constexpr uint32_t kLeast = kFamily.readable() + (kFamily.udp ? kEthernetBytes : 0);
  if (((flags & kUnusual) | (m->data_len ^ bytes)) != 0 || bytes < kLeast) [[unlikely]] {
    return nullptr;
  }
  const auto* outer = rte_pktmbuf_mtod(m, const uint8_t*);
  const auto l4 = word_at<uint64_t>(outer + kFamily.l4());
  const auto tunnel = word_at<uint64_t>(outer + kFamily.tunnel());
  const size_t slot = slot_of<kFamily>(outer, l4, tunnel);
  const Entry& entry = entries[slot];

  uint64_t different = ((word_at<uint64_t>(outer) ^ mac) & kMacMask) |
                       (entry.validity ^ validity ^ OuterCache::validity(kFamily)) |
                       ((tunnel ^ entry.tunnel) & entry.tunnel_mask);
  // Lengths are compared with what they must be.
  uint64_t ip_sum = 0;
  const auto ip = word_at<uint64_t>(outer + 12);
  if constexpr (kFamily.ipv6) {
    constexpr uint32_t kBefore = kFamily.l4();
    const auto payload = uint64_t{be16(static_cast<uint16_t>(bytes - kBefore)).raw()} << 48;
    const auto* addresses = outer + kFamily.addresses();
    const std::array<uint64_t, 4>& known = more[slot].addresses;
    different |= ((ip ^ kIpv6 ^ payload) & kIpv6Mask) | (outer[20] ^ kFamily.protocol());
    for (size_t i = 0; i < known.size(); ++i) different |= word_at<uint64_t>(addresses + 8 * i) ^ known[i];
  } else {
    constexpr uint64_t kProtocol = be64(uint64_t{kFamily.protocol()} << 16).raw();
    const auto total = uint64_t{be16(static_cast<uint16_t>(bytes - kEthernetBytes)).raw()} << 32;
    const auto protocol = word_at<uint64_t>(outer + 18);
    different |= ((ip ^ kIpv4 ^ total) & kIpv4Mask) | ((protocol ^ kProtocol) & kIpv4ProtocolMask) |
                 (word_at<uint64_t>(outer + kFamily.addresses()) ^ entry.addresses);
    ip_sum = (ip >> 16 & 0xffff'ffff) + (protocol & 0xffff'ffff) + (protocol >> 32) + entry.addresses_sum;
  }
  if constexpr (kFamily.udp) {
    const auto udp_bytes = uint64_t{be16(static_cast<uint16_t>(bytes - kFamily.l4())).raw()} << 32;
    const bool none = (l4 & kUdpChecksumMask) == 0;
    different |= (l4 ^ entry.l4 ^ udp_bytes) & kUdpMask;
    if constexpr (kFamily.ipv6) different |= none && !entry.zero_checksum ? 1 : 0;
    unverified = !none && (flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD) == 0;
  } else {
    different |=
        ((l4 ^ entry.l4) & entry.l4_mask) | (bytes < inner_offset_of(entry.place) + uint32_t{kEthernetBytes} ? 1 : 0);
    unverified = (l4 & kGreChecksum) != 0;
  }
  if (different != 0) [[unlikely]] {
    return nullptr;
  }
  // RFC 791: the words of the header sum up to 0xffff.
  if (!kFamily.ipv6 && fold(ip_sum) != 0xffff) [[unlikely]] {
    return nullptr;
  }
  if (kFamily.udp && entry.option_bytes != 0) {
    const bool whole = bytes >= kLeast + entry.option_bytes;
    if (!whole || !same_options(outer + kFamily.readable(), entry.option_bytes, more[slot])) return nullptr;
  }
  return &entry;
}

}  // namespace causeway
