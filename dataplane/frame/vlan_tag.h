// VLAN tags of a frame: reads them, puts the outermost on and takes it off. Who changes one must own the frame's first
// 16 bytes.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>

#include "dataplane/frame/intent.h"
#include "dataplane/frame/move_start.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/vlan.h"
#include "dataplane/wire/word_at.h"

namespace causeway {

inline constexpr uint16_t kVlanTagBytes = 4;
inline constexpr uint16_t kEthernetBytes = 14;

// VLAN ID of the outermost tag of a frame with at least 14 bytes in its first segment; 0 without a tag.
inline uint16_t outer_vlan(const rte_mbuf* m, uint32_t ethernet_offset) noexcept {
  const auto* ethernet = rte_pktmbuf_mtod_offset(m, const EthernetHeader*, ethernet_offset);
  if (!is_vlan_ethertype(ethernet->ethertype.get())) [[likely]] {
    return 0;
  }
  const auto* tag = header_at<VlanHeader>(m, ethernet_offset + kEthernetBytes);
  return tag != nullptr ? tag->id() : 0;
}

// Whether all frames have the outermost tag of the first one, or none of them one: EtherType and VLAN ID are the same.
// False says nothing. `longest`: of them, in bytes.
inline bool have_one_tag(rte_mbuf* const* frames, uint16_t count, uint32_t& longest) noexcept {
  const auto type_and_id = [&](uint16_t i) {
    return word_at<uint32_t>(rte_pktmbuf_mtod_offset(frames[i], const void*, 2 * sizeof(MacAddress)));
  };
  if (frames[0]->data_len < kEthernetBytes + kVlanTagBytes) return false;
  const uint32_t first = type_and_id(0);
  uint32_t different = 0;
  longest = 0;
  for (uint16_t i = 0; i < count; ++i) {
    if (frames[i]->data_len < kEthernetBytes + kVlanTagBytes) return false;
    different |= type_and_id(i) ^ first;
    longest = frames[i]->pkt_len > longest ? frames[i]->pkt_len : longest;
  }
  return (different & be32(0xffff'0fff).raw()) == 0;
}

// What stands behind the Ethernet header and up to two VLAN tags (IEEE 802.1ad); the same terms.
struct EthernetPayload {
  uint16_t ethertype;
  uint32_t offset;
};
inline EthernetPayload behind_tags(const rte_mbuf* m, uint32_t ethernet_offset = 0) noexcept {
  EthernetPayload payload{rte_pktmbuf_mtod_offset(m, const EthernetHeader*, ethernet_offset)->ethertype.get(),
                          ethernet_offset + kEthernetBytes};
  for (int tags = 0; tags < 2 && is_vlan_ethertype(payload.ethertype); ++tags) {
    const auto* tag = header_at<VlanHeader>(m, payload.offset);
    if (tag == nullptr) break;
    payload = {tag->ethertype.get(), payload.offset + static_cast<uint32_t>(sizeof(VlanHeader))};
  }
  return payload;
}

// An Ethernet header and the tag behind it.
struct TaggedEthernet {
  EthernetHeader ethernet;
  VlanHeader tag;
};
static_assert(sizeof(TaggedEthernet) == 18);

// What a frame still wants counts from its start, which has moved.
inline void shift_intent(rte_mbuf* m, int bytes) noexcept {
  if (!has_intent(m)) return;
  Intent intent = intent_of(m);
  intent.csum_start = static_cast<uint16_t>(intent.csum_start + bytes);
  if (intent.tunnel_bytes != 0) intent.tunnel_bytes = static_cast<uint8_t>(intent.tunnel_bytes + bytes);
  set_intent(m, intent, m->ol_flags & kIntentFlags);
}

// `control`: priority and VLAN ID. False when there is no room in front; then nothing has changed.
inline bool push_tag(rte_mbuf* m, uint16_t control) noexcept {
  if (rte_pktmbuf_headroom(m) < kVlanTagBytes) [[unlikely]] {
    return false;
  }
  const auto* const old = rte_pktmbuf_mtod(m, const uint8_t*);
  const auto macs = word_at<uint64_t>(old);
  const auto macs_end = word_at<uint32_t>(old + sizeof(macs));
  const auto tag = be32(uint32_t{kEtherTypeVlan} << 16 | control).raw();
  move_start(m, -int64_t{kVlanTagBytes});
  // In two stores, since the next stage reads whole words here; the EtherType behind them stands there already.
  auto* const bytes = rte_pktmbuf_mtod(m, uint8_t*);
  const uint64_t rest = macs_end | uint64_t{tag} << 32;
  std::memcpy(bytes, &macs, sizeof(macs));
  std::memcpy(bytes + sizeof(macs), &rest, sizeof(rest));
  shift_intent(m, kVlanTagBytes);
  return true;
}

// The first segment holds the tag.
inline void pop_tag(rte_mbuf* m) noexcept {
  auto* const bytes = rte_pktmbuf_mtod(m, uint8_t*);
  std::memmove(bytes + kVlanTagBytes, bytes, 2 * sizeof(MacAddress));
  move_start(m, kVlanTagBytes);
  shift_intent(m, -kVlanTagBytes);
}

// Tags of VLAN ID 0 carry a priority and stand for none (IEEE 802.1Q 6.9.1). Linux takes off any number of them, too
// (net/core/dev.c, __netif_receive_skb_core).
inline void take_priority_tags(rte_mbuf* m) noexcept {
  for (;;) {
    const auto* header = header_at<TaggedEthernet>(m, 0);
    if (header == nullptr || !is_vlan_ethertype(header->ethernet.ethertype.get()) || header->tag.id() != 0) [[likely]] {
      return;
    }
    pop_tag(m);
  }
}

}  // namespace causeway
