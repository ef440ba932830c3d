// VLAN tags of a frame: reads them, puts the outermost on and takes it off. Who changes one must own the frame's first
// 16 bytes.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>

#include "dataplane/frame/intent.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/vlan.h"

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

// What stands behind the Ethernet header and up to two VLAN tags (IEEE 802.1ad); the same terms.
struct EthernetPayload {
  uint16_t ethertype;
  uint32_t offset;
};
inline EthernetPayload behind_tags(const rte_mbuf* m) noexcept {
  EthernetPayload payload{rte_pktmbuf_mtod(m, const EthernetHeader*)->ethertype.get(), kEthernetBytes};
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
  m->data_off = static_cast<uint16_t>(m->data_off - kVlanTagBytes);
  m->data_len = static_cast<uint16_t>(m->data_len + kVlanTagBytes);
  m->pkt_len += kVlanTagBytes;
  auto* const bytes = rte_pktmbuf_mtod(m, uint8_t*);
  std::memmove(bytes, bytes + kVlanTagBytes, 2 * sizeof(MacAddress));
  auto* const header = reinterpret_cast<TaggedEthernet*>(bytes);
  header->ethernet.ethertype.set(kEtherTypeVlan);
  header->tag.control.set(control);  // the EtherType behind it stands there already
  shift_intent(m, kVlanTagBytes);
  return true;
}

// The first segment holds the tag.
inline void pop_tag(rte_mbuf* m) noexcept {
  auto* const bytes = rte_pktmbuf_mtod(m, uint8_t*);
  std::memmove(bytes + kVlanTagBytes, bytes, 2 * sizeof(MacAddress));
  m->data_off = static_cast<uint16_t>(m->data_off + kVlanTagBytes);
  m->data_len = static_cast<uint16_t>(m->data_len - kVlanTagBytes);
  m->pkt_len -= kVlanTagBytes;
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
