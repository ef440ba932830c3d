#include "dataplane/forward.h"

#include "dataplane/encap.h"
#include "dataplane/intent.h"
#include "dataplane/tx.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/tcp.h"

namespace causeway {
namespace {

// Frames up to this size are copied whole when flooded: cheaper than a header segment and a reference.
constexpr uint32_t kCopyBytes = 512;
// Of larger ones this much is copied, so that every copy has its own headers to write.
constexpr uint16_t kCopiedHeaderBytes = 256;

// Whether each segment that will be cut from a super-packet fits.
bool segments_fit(const rte_mbuf* m, uint16_t max_frame_bytes) noexcept {
  if ((m->ol_flags & kNeedsSegment) == 0) return false;
  const Intent intent = intent_of(m);
  uint32_t l4_bytes = 8;  // UDP
  if (intent.gso_type == GsoType::tcp4 || intent.gso_type == GsoType::tcp6) {
    const auto* tcp = header_at<TcpHeader>(m, intent.csum_start);
    if (tcp == nullptr) return false;
    l4_bytes = tcp->header_bytes();
  }
  return intent.csum_start + l4_bytes + intent.gso_size <= max_frame_bytes;
}

// A frame of its own with the same bytes and the same intent; null when no buffer is left.
rte_mbuf* replicate(WorkerContext& w, rte_mbuf* frame) noexcept {
  rte_mbuf* const copy = rte_pktmbuf_alloc(w.pool);
  if (copy == nullptr) return nullptr;
  const bool whole = frame->nb_segs == 1 && frame->pkt_len <= kCopyBytes;
  const auto bytes = whole ? frame->data_len : std::min(frame->data_len, kCopiedHeaderBytes);
  std::memcpy(rte_pktmbuf_mtod(copy, void*), rte_pktmbuf_mtod(frame, const void*), bytes);
  copy->data_len = bytes;
  copy->pkt_len = frame->pkt_len;
  copy->ol_flags = frame->ol_flags & kIntentFlags;
  copy->tx_offload = frame->tx_offload;
  if (bytes == frame->pkt_len) return copy;
  // No empty segment: there are devices that hang on one.
  const uint16_t skip = bytes == frame->data_len ? uint16_t{0} : bytes;
  rte_mbuf* const rest = rte_pktmbuf_clone(skip != 0 ? frame : frame->next, w.pool);
  if (rest == nullptr) {
    rte_pktmbuf_free(copy);
    return nullptr;
  }
  rest->data_off = static_cast<uint16_t>(rest->data_off + skip);
  rest->data_len = static_cast<uint16_t>(rest->data_len - skip);
  copy->next = rest;
  copy->nb_segs = static_cast<uint16_t>(rest->nb_segs + 1);
  return copy;
}

void flood(WorkerContext& w, rte_mbuf* frame, const Adjacency& in) noexcept {
  const BridgeEntry* const bridge = w.tables.bridge(in.bridge);
  const Adjacency* last = nullptr;
  if (bridge != nullptr) {
    for (const AdjacencyIndex member : bridge->members) {
      const Adjacency* const to = w.tables.adjacency(member);
      if (to == nullptr || to->index == in.index || (to->isolated && in.isolated)) continue;
      // A way that is down is no target; one whose next hop is being resolved is.
      if (to->blocked != DropReason::none && to->blocked != DropReason::neighbor_unresolved) continue;
      if (last != nullptr) {
        rte_mbuf* const copy = replicate(w, frame);
        if (copy != nullptr) {
          output(w, copy, *last);
        } else {
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
  output(w, frame, *last);
}

}  // namespace

void output(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  if (to.blocked != DropReason::none) [[unlikely]] {
    if (to.blocked == DropReason::neighbor_unresolved) {
      punt(w, frame, to.index);
    } else {
      drop(w, frame, to.blocked);
    }
    return;
  }
  if (frame->pkt_len > to.max_frame_bytes && !segments_fit(frame, to.max_frame_bytes)) [[unlikely]] {
    drop(w, frame, DropReason::too_big);
    return;
  }
  if (to.kind != AdjacencyKind::port) {
    const uint32_t inner_bytes = frame->pkt_len;
    rte_mbuf* const outer = encap(w, frame, to);
    if (outer == nullptr) {
      drop(w, frame, DropReason::mbuf_alloc);
      return;
    }
    TrafficCounters& traffic = w.counters.tunnels[to.index];
    traffic.tx_packets.add(1);
    traffic.tx_bytes.add(inner_bytes);
    frame = outer;
  }
  tx_enqueue(w, to.port, frame);
}

void forward(WorkerContext& w, Batch& batch) noexcept {
  std::array<const Adjacency*, kBatch> to;
  for (uint16_t i = 0; i < batch.count; ++i) {
    to[i] = batch.out[i] < kMaxAdjacencies ? w.tables.adjacency(batch.out[i]) : nullptr;
    __builtin_prefetch(to[i]);
  }
  for (uint16_t i = 0; i < batch.count; ++i) {
    rte_mbuf* const frame = batch.frame[i];
    const Adjacency& in = *batch.in[i];
    if (batch.out[i] == kGone) continue;
    if (batch.out[i] == kFlood) {
      flood(w, frame, in);
    } else if (to[i] == nullptr) {
      drop(w, frame, DropReason::port_down);
    } else if (to[i]->index == in.index) {
      drop(w, frame, DropReason::same_port);
    } else if (to[i]->isolated && in.isolated) {
      drop(w, frame, DropReason::split_horizon);
    } else {
      output(w, frame, *to[i]);
    }
  }
}

}  // namespace causeway
