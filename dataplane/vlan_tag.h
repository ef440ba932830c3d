// Puts the outermost VLAN tag on and takes it off. The frame's first 16 bytes must be its own.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>

#include "dataplane/intent.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/vlan.h"

namespace causeway {

inline constexpr uint16_t kVlanTagBytes = 4;

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
