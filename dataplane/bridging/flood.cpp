#include "dataplane/bridging/flood.h"

#include "dataplane/bridging/mss_clamp.h"
#include "dataplane/bridging/output.h"
#include "dataplane/bridging/suppress.h"
#include "dataplane/frame/chain.h"
#include "dataplane/frame/vlan_tag.h"

namespace causeway {
namespace {

void clamp(rte_mbuf* frame, const Adjacency& in, const Adjacency& to) noexcept {
  if (in.mss.any() || to.mss.any()) clamp_mss(frame, lower_of(in.mss, to.mss));
}

const BridgeEntry::Members& flooded_to(const BridgeEntry& bridge, const rte_mbuf* frame) noexcept {
  return bridge.lists.empty() ? bridge.members : bridge.lists[bridge.list_of_vlan[outer_vlan(frame, 0)]];
}

bool may_flood(WorkerContext& w, const Adjacency& in) noexcept {
  const FloodLimit& tunnel = in.floods;
  if (tunnel.per_second != 0 && !w.tunnel_floods.take(tunnel.account, tunnel.per_second, w.now_s)) return false;
  const PortEntry* const port = w.tables.port(w.ingress);
  return port == nullptr || port->flood_rate == 0 || w.floods.take(w.ingress, port->flood_rate, w.now_s);
}

}  // namespace

void flood(WorkerContext& w, rte_mbuf* frame, const Adjacency& in) noexcept {
  const BridgeEntry* const bridge = w.tables.bridge(in.bridge);
  if (bridge != nullptr && bridge->suppresses && suppress(w, frame, in)) return;
  if (!may_flood(w, in)) {
    drop(w, frame, DropReason::flood_limit);
    return;
  }
  const Adjacency* last = nullptr;
  if (bridge != nullptr) {
    for (const AdjacencyIndex member : flooded_to(*bridge, frame)) {
      const Adjacency* const to = w.tables.adjacency(member);
      if (to == nullptr || to->index == in.index || of_one_split_group(in, *to)) continue;
      // A way that is down is no target; one whose next hop is being resolved is.
      if (to->blocked != DropReason::none && to->blocked != DropReason::neighbor_unresolved) continue;
      if (last != nullptr) {
        rte_mbuf* const copy = replicate(w.pool, frame);
        if (copy != nullptr) {
          clamp(copy, in, *last);
          output(w, copy, *last);
        } else {
          show_dead(w, frame, DropReason::mbuf_alloc);
          count_drop(w, DropReason::mbuf_alloc);
        }
      }
      last = to;
    }
  }
  if (last == nullptr) {
    drop(w, frame, DropReason::no_flood_target);
    return;
  }
  clamp(frame, in, *last);
  output(w, frame, *last);
}

}  // namespace causeway
