#include "dataplane/ingress/vlan.h"

#include "dataplane/frame/chain.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/header_at.h"

namespace causeway {
namespace {

// The frame with a tag in front; null, and the frame freed, where no buffer was left.
rte_mbuf* push(WorkerContext& w, rte_mbuf* m, uint16_t vlan) noexcept {
  if (push_tag(m, vlan)) [[likely]] {
    return m;
  }
  rte_mbuf* const head = prepend_segment(w.pool, m, 0);
  if (head == nullptr || !push_tag(head, vlan)) {
    drop(w, head != nullptr ? head : m, DropReason::mbuf_alloc);
    return nullptr;
  }
  return head;
}

// The frame as it goes on in the bridge; null when it has died.
rte_mbuf* enter(WorkerContext& w, rte_mbuf* m, const VlanRules& rules) noexcept {
  const uint16_t vlan = outer_vlan(m, 0);
  if (vlan != 0 ? rules.admits_tagged(vlan) : rules.tag == 0 && rules.carries(0)) return m;
  if (vlan != 0 || rules.tag == 0) {
    drop(w, m, DropReason::vlan_not_member);
    return nullptr;
  }
  if (!is_vlan_ethertype(rte_pktmbuf_mtod(m, const EthernetHeader*)->ethertype.get())) return push(w, m, rules.tag);
  // A tag with a priority and VLAN ID 0 stands for none (IEEE 802.1Q 6.9.1): it gets the ID.
  auto* const header = writable_header_at<TaggedEthernet>(m, 0);
  if (header == nullptr) {
    drop(w, m, DropReason::frame_too_short);
    return nullptr;
  }
  // What lies behind it is not a tag: in front of another VLAN's it would let that one through, to whoever takes ours
  // off.
  if (is_vlan_ethertype(header->tag.ethertype.get())) {
    drop(w, m, DropReason::vlan_not_member);
    return nullptr;
  }
  header->tag.control.set(static_cast<uint16_t>((header->tag.control.get() & ~kVlanIdMask) | rules.tag));
  return m;
}

}  // namespace

void enter_vlans(WorkerContext& w, Batch& batch) noexcept {
  uint16_t kept = 0;
  for (uint16_t i = 0; i < batch.count; ++i) {
    const Adjacency& in = *batch.in[i];
    FlowKey key = batch.key[i];
    rte_mbuf* m = batch.frame[i];
    if (in.vlan_rules) {
      m = enter(w, m, in.vlan);
      if (m == nullptr) continue;
      key = FlowKey::read(rte_pktmbuf_mtod(m, const void*), outer_vlan(m, 0), in.index);
    }
    batch.frame[kept] = m;
    batch.in[kept] = &in;
    batch.key[kept] = key;
    ++kept;
  }
  batch.count = kept;
}

PortIndex interface_of(const PortEntry& device, rte_mbuf* m) noexcept {
  const auto* header = header_at<TaggedEthernet>(m, 0);
  if (header == nullptr || header->ethernet.ethertype.get() != kEtherTypeVlan) return device.index;
  const PortIndex port = device.port_of_vlan[header->tag.id()];
  if (port == kNoPort) return device.index;
  pop_tag(m);
  return port;
}

}  // namespace causeway
