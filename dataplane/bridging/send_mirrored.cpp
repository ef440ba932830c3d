#include "dataplane/bridging/send_mirrored.h"

#include <algorithm>
#include <span>
#include <utility>

#include "dataplane/bridging/output.h"
#include "dataplane/egress/tx.h"
#include "dataplane/frame/chain.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/inspect/mirror.h"

namespace causeway {
namespace {

uint64_t all_drops(const WorkerContext& w) noexcept {
  uint64_t sum = 0;
  for (const Counter& drops : w.counters.drops) sum += drops.get();
  return sum;
}

void lose(WorkerContext& w, rte_mbuf* copy, DropReason reason) noexcept {
  count_drop(w, reason);
  rte_pktmbuf_free(copy);
}

// Copies ask for an unknown next hop now and then; the others don't wait for the answer.
bool is_open(WorkerContext& w, const Adjacency& to) noexcept {
  if (to.blocked == DropReason::none) return true;
  return to.blocked == DropReason::neighbor_unresolved && w.unresolved.take(to.index, kUnresolvedPerSecond, w.now_s);
}

void send_to(WorkerContext& w, rte_mbuf* copy, const Adjacency& to) noexcept {
  if (!is_open(w, to)) {
    w.counters.ports[to.port].tx_drops.add(1);
    return lose(w, copy, to.blocked);
  }
  if (!cuts_short(to) && !fits(copy, uint32_t{to.max_frame_bytes} + (to.vlan_rules ? kVlanTagBytes : 0))) {
    w.counters.ports[to.port].tx_drops.add(1);
    return lose(w, copy, DropReason::too_big);
  }
  w.ingress = to.port;  // whoever it was copied from has lost nothing
  output(w, copy, to);
}

// To each of them; `unreached`: why it dies where there is none.
void send_to_all(WorkerContext& w, rte_mbuf* copy, std::span<const AdjacencyIndex> ends,
                 DropReason unreached) noexcept {
  const Adjacency* last = nullptr;
  for (const AdjacencyIndex end : ends) {
    const Adjacency* const to = w.tables.adjacency(end);
    if (to == nullptr) continue;
    if (last != nullptr) {
      rte_mbuf* const another = replicate(w.pool, copy);
      another != nullptr ? send_to(w, another, *last) : count_drop(w, DropReason::mbuf_alloc);
    }
    last = to;
  }
  last != nullptr ? send_to(w, copy, *last) : lose(w, copy, unreached);
}

// Another tag's ID becomes `vlan`; its priority stays.
bool put_into_vlan(rte_mbuf* copy, uint16_t vlan) noexcept {
  auto* const header = writable_header_at<TaggedEthernet>(copy, 0);
  if (header == nullptr || !is_vlan_ethertype(header->ethernet.ethertype.get())) return push_tag(copy, vlan);
  header->tag.control.set(static_cast<uint16_t>((header->tag.control.get() & ~kVlanIdMask) | vlan));
  return true;
}

void send_copy(WorkerContext& w, const MirroredCopy& copy, const MirrorChoice& choice) noexcept {
  if (choice.output_vlan == 0) return send_to_all(w, copy.frame, choice.outputs, DropReason::port_down);
  const BridgeEntry* const bridge = w.tables.bridge(copy.bridge);
  if (bridge == nullptr) return lose(w, copy.frame, DropReason::no_flood_target);
  if (!put_into_vlan(copy.frame, choice.output_vlan)) return lose(w, copy.frame, DropReason::mbuf_alloc);
  const bool by_vlan = !bridge->lists.empty();
  send_to_all(w, copy.frame, by_vlan ? bridge->lists[bridge->list_of_vlan[choice.output_vlan]] : bridge->members,
              DropReason::no_flood_target);
}

// The transmit buffers are empty before and after: what dies meanwhile is this mirror's. Of a copy that was cut or
// flooded, a part may be.
void send_of(WorkerContext& w, std::span<const MirroredCopy> waiting, const Mirror& mirror, uint16_t place) noexcept {
  const uint64_t before = all_drops(w);
  uint64_t copies = 0;
  for (const MirroredCopy& copy : waiting) {
    if (copy.mirror != place) continue;
    ++copies;
    send_copy(w, copy, mirror.choice);
  }
  if (copies == 0) return;
  tx_flush_all(w);
  const uint64_t lost = std::min(copies, all_drops(w) - before);
  (*mirror.counts)[w.id].sent.add(copies - lost);
  (*mirror.counts)[w.id].lost.add(lost);
}

}  // namespace

void send_mirrored(WorkerContext& w, size_t least) noexcept {
  Mirrors* const mirrors = w.captures->mirrors();
  if (mirrors == nullptr || mirrors->waiting(w.id).count <= least) return;
  tx_flush_all(w);
  Mirrors::Waiting& waiting = mirrors->waiting(w.id);
  const PortIndex ingress = w.ingress;
  const AdjacencyIndex from = std::exchange(w.from, kNoAdjacency);
  waiting.sending = true;
  const std::span<const MirroredCopy> copies(waiting.copy.data(), waiting.count);
  for (size_t place = 0; place < mirrors->all().size(); ++place) {
    send_of(w, copies, mirrors->all()[place], static_cast<uint16_t>(place));
  }
  waiting.sending = false;
  waiting.count = 0;
  w.ingress = ingress;
  w.from = from;
}

}  // namespace causeway
