#include "dataplane/ingress/vlan.h"

#include "dataplane/frame/chain.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/header_at.h"

namespace causeway {
namespace {

bool is_tagged(const rte_mbuf* m) noexcept {
  return is_vlan_ethertype(rte_pktmbuf_mtod(m, const EthernetHeader*)->ethertype.get());
}

// A frame with a tag, or without one from an end that has no VLAN for it, as it goes on in the bridge; null when it has
// died.
rte_mbuf* enter(WorkerContext& w, rte_mbuf* m, const VlanRules& rules) noexcept {
  const uint16_t vlan = outer_vlan(m, 0);
  if (vlan != 0 ? rules.admits_tagged(vlan) : rules.tag == 0 && rules.carries(0)) return m;
  if (vlan != 0 || rules.tag == 0) {
    drop(w, m, DropReason::vlan_not_member);
    return nullptr;
  }
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

// Whether all frames came in by one end that admits their one tag, or has a VLAN for them as none has any: then it is
// done. The loops have no branch that says which.
bool enter_alike(Batch& batch) noexcept {
  const Adjacency& in = *batch.in[0];
  const uint64_t vlan_bits = batch.key[0].lo & (kMacVlanMask ^ kMacMask);
  uintptr_t other_end = 0;
  uint64_t other_vlan = 0;
  for (uint16_t i = 0; i < batch.count; ++i) {
    other_end |= reinterpret_cast<uintptr_t>(batch.in[i]) ^ reinterpret_cast<uintptr_t>(&in);
    other_vlan |= (batch.key[i].lo ^ vlan_bits) & (kMacVlanMask ^ kMacMask);
  }
  if (other_end != 0 || other_vlan != 0 || !in.vlan_rules) return false;
  batch.implied_tags = 0;
  if (vlan_bits != 0) return in.vlan.admits_tagged(vlan_of(vlan_bits));
  if (in.vlan.tag == 0) return false;
  for (uint16_t i = 0; i < batch.count; ++i) {
    if (is_tagged(batch.frame[i])) return false;
  }
  for (uint16_t i = 0; i < batch.count; ++i) batch.key[i].lo |= uint64_t{in.vlan.tag} << 48;
  batch.implied_tags = batch.count < 64 ? (uint64_t{1} << batch.count) - 1 : UINT64_MAX;
  return true;
}

}  // namespace

rte_mbuf* push_vlan(WorkerContext& w, rte_mbuf* m, uint16_t vlan) noexcept {
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

void enter_vlans(WorkerContext& w, Batch& batch) noexcept {
  static_assert(kBatch <= 64);
  if (batch.count != 0 && enter_alike(batch)) return;
  uint64_t implied = 0;
  uint16_t kept = 0;
  for (uint16_t i = 0; i < batch.count; ++i) {
    const Adjacency& in = *batch.in[i];
    FlowKey key = batch.key[i];
    rte_mbuf* m = batch.frame[i];
    const uint16_t vlan = vlan_of(key.lo);
    if (in.vlan_rules && vlan == 0 && in.vlan.tag != 0 && !is_tagged(m)) {
      key.lo |= uint64_t{in.vlan.tag} << 48;
      implied |= uint64_t{1} << kept;
    } else if (in.vlan_rules && (vlan == 0 || !in.vlan.admits_tagged(vlan))) {
      w.from = in.index;
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
  batch.implied_tags = implied;
}

PortIndex take_one_interface(const PortEntry& device, Batch& burst) noexcept {
  uint32_t longest = 0;
  if (!have_one_tag(burst.frame.data(), burst.count, longest)) return kNoPort;
  const auto* header = rte_pktmbuf_mtod(burst.frame[0], const TaggedEthernet*);
  // VLAN ID 0 is a priority's.
  if (header->ethernet.ethertype.get() != kEtherTypeVlan || header->tag.id() == 0) return kNoPort;
  const PortIndex port = device.port_of_vlan[header->tag.id()];
  if (port == kNoPort) return kNoPort;
  for (uint16_t i = 0; i < burst.count; ++i) pop_tag(burst.frame[i]);
  return port;
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
