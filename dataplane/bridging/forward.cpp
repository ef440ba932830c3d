#include "dataplane/bridging/forward.h"

#include <algorithm>

#include "dataplane/bridging/mss_clamp.h"
#include "dataplane/egress/encap.h"
#include "dataplane/egress/tx.h"
#include "dataplane/frame/intent.h"
#include "dataplane/frame/move_start.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/to_control.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/tcp.h"
#include "dataplane/wire/word_at.h"

namespace causeway {
namespace {

// Frames up to this size are copied whole when flooded: cheaper than a header segment and a reference.
constexpr uint32_t kCopyBytes = 512;
// Of larger ones this much is copied, so that every copy has its own headers to write.
constexpr uint16_t kCopiedHeaderBytes = 256;

// Whether each segment that will be cut from a super-packet fits.
bool segments_fit(const rte_mbuf* m, uint32_t max_frame_bytes) noexcept {
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

bool fits(const rte_mbuf* m, uint32_t max_frame_bytes) noexcept {
  return m->pkt_len <= max_frame_bytes || segments_fit(m, max_frame_bytes);
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

void flood(WorkerContext& w, rte_mbuf* frame, const Adjacency& in) noexcept {
  if (!may_flood(w, in)) {
    drop(w, frame, DropReason::flood_limit);
    return;
  }
  const BridgeEntry* const bridge = w.tables.bridge(in.bridge);
  const Adjacency* last = nullptr;
  if (bridge != nullptr) {
    for (const AdjacencyIndex member : flooded_to(*bridge, frame)) {
      const Adjacency* const to = w.tables.adjacency(member);
      if (to == nullptr || to->index == in.index || (to->isolated && in.isolated)) continue;
      // A way that is down is no target; one whose next hop is being resolved is.
      if (to->blocked != DropReason::none && to->blocked != DropReason::neighbor_unresolved) continue;
      if (last != nullptr) {
        rte_mbuf* const copy = replicate(w, frame);
        if (copy != nullptr) {
          clamp(copy, in, *last);
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
  clamp(frame, in, *last);
  output(w, frame, *last);
}

// The end of a frame that doesn't fit. Some go to the control thread, which tells their senders.
[[gnu::cold, gnu::noinline]] void refuse_too_big(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  if (w.from == kNoAdjacency || !w.too_big.take(w.ingress, kTooBigPerSecond, w.now_s) ||
      !w.punted.push({frame, to.index, w.ingress, w.id, w.from})) {
    drop(w, frame, DropReason::too_big);
    return;
  }
  count_drop(w, DropReason::too_big);
  w.counters.ports[w.ingress].rx_drops.add(1);
}

// The low half of the entropy: the high bits make the UDP source port, by which routers on the way choose.
const Ways::Way& way_of(const rte_mbuf* inner, const Ways& ways) noexcept {
  return ways.way[(inner_flow(inner).entropy & 0xffff) * ways.count >> 16];
}

PortIndex take_way(rte_mbuf* outer, const Ways::Way& way) noexcept {
  std::memcpy(rte_pktmbuf_mtod(outer, void*), &way, offsetof(Ways::Way, port));
  return way.port;
}

// In front of a port or tunnel with VLAN rules: takes the tag off where it belongs off. False when the frame has died.
bool leave_vlan(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  const uint16_t vlan = outer_vlan(frame, 0);
  if (!to.vlan.carries(vlan)) [[unlikely]] {
    drop(w, frame, DropReason::vlan_not_carried);
    return false;
  }
  if (!to.vlan.untags(vlan)) return true;
  if (!fits(frame, uint32_t{to.max_frame_bytes} + kVlanTagBytes)) [[unlikely]] {
    refuse_too_big(w, frame, to);  // the answer needs the tag
    return false;
  }
  pop_tag(frame);  // whoever shares a buffer of this frame (the copies of a flood) has its own headers
  return true;
}

// The same for several; returns how many are left, at the front.
uint16_t leave_vlan(WorkerContext& w, rte_mbuf** frames, uint16_t count, const Adjacency& to) noexcept {
  uint16_t kept = 0;
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* const frame = frames[i];
    if (leave_vlan(w, frame, to)) frames[kept++] = frame;
  }
  return kept;
}

void output_open(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept;

// Into a tunnel whose every packet has a number: nobody behind encap has one to give to the second segment.
[[gnu::cold, gnu::noinline]] void output_segments(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  TxCapabilities chains;
  chains.multi_segment = true;
  DropReason reason = w.numbered_segmenter.begin(frame, chains, {w.pool, w.pool});
  while (w.numbered_segmenter.pending()) {
    std::array<rte_mbuf*, 32> out;
    const uint16_t count = w.numbered_segmenter.next(out.data(), out.size(), reason);
    for (uint16_t i = 0; i < count; ++i) output_open(w, out[i], to);
  }
  if (reason == DropReason::none) return;
  count_drop(w, reason);
  w.counters.ports[w.ingress].rx_drops.add(1);
}

// What output does once the way is open and the VLAN left.
void output_open(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  if (!fits(frame, to.max_frame_bytes)) [[unlikely]] {
    refuse_too_big(w, frame, to);
    return;
  }
  if (to.numbered && (frame->ol_flags & kNeedsSegment) != 0) [[unlikely]] {
    output_segments(w, frame, to);
    return;
  }
  PortIndex port = to.port;
  if (to.kind != TunnelType::none) {
    const uint32_t inner_bytes = frame->pkt_len;
    const Ways::Way* const way = to.ways ? &way_of(frame, *to.ways) : nullptr;
    rte_mbuf* const outer = encap(w, frame, to);
    if (outer == nullptr) {
      drop(w, frame, DropReason::mbuf_alloc);
      return;
    }
    TrafficCounters& traffic = w.counters.tunnels[to.index];
    traffic.tx_packets.add(1);
    traffic.tx_bytes.add(inner_bytes);
    if (way != nullptr) port = take_way(outer, *way);
    frame = outer;
  }
  tx_enqueue(w, port, frame);
}

}  // namespace

void output(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  if (to.blocked != DropReason::none) [[unlikely]] {
    const bool waits = to.blocked == DropReason::neighbor_unresolved &&
                       (w.from == kNoAdjacency || w.unresolved.take(to.index, kUnresolvedPerSecond, w.now_s));
    if (waits) {
      punt(w, {.frame = frame, .adjacency = to.index, .port = w.ingress, .worker = w.id});
    } else {
      drop(w, frame, to.blocked);
    }
    return;
  }
  if (to.vlan_rules && !leave_vlan(w, frame, to)) return;
  output_open(w, frame, to);
}

namespace {

// Frames in a row that go the same way, and whether they all are plain: complete, in one segment that is nobody
// else's, short enough for the way out, with room for the outer headers. Looked at once, so that the loops behind
// ask nothing of a single frame.
struct PlainRun {
  PlainRun(rte_mbuf* const* frames, uint16_t count, const Adjacency& to) noexcept {
    // What all of them must have at least or just: data_off, refcnt, nb_segs; 16 bits each, and the port's above.
    const uint64_t wanted = (to.outer_bytes == 0 ? 0 : kPlainHeadroom) | kAlone;
    uint64_t flags = 0;
    uint64_t beyond = 0;
    uint32_t longest = 0;
    for (uint16_t i = 0; i < count; ++i) {
      const rte_mbuf* const m = frames[i];
      beyond |= word_at<uint64_t>(&m->rearm_data) - wanted;
      flags |= m->ol_flags;
      longest = std::max(longest, m->pkt_len);
      bytes += m->pkt_len;
    }
    constexpr uint64_t kSpecial = kIntentFlags | RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
    plain = (flags & kSpecial) == 0 && (beyond & kNothingMore) == 0 && longest <= to.max_frame_bytes &&
            to.outer_bytes <= kTemplateRoom;
  }
  bool plain = false;
  uint32_t bytes = 0;

 private:
  static constexpr uint64_t kAlone = 1ULL << 16 | 1ULL << 32;  // refcnt 1, nb_segs 1
  // A headroom that is too small borrows from this bit on.
  static constexpr uint64_t kNothingMore = 0xffff'ffff'8000ULL;
  static_assert(offsetof(rte_mbuf, refcnt) == offsetof(rte_mbuf, data_off) + 2);
  static_assert(offsetof(rte_mbuf, nb_segs) == offsetof(rte_mbuf, data_off) + 4);
};

// Shorter ones aren't worth the looks at the whole.
constexpr uint16_t kShortRun = 3;

// One frame alone into a usual tunnel: output without its questions. False when the frame isn't plain; nothing was
// done.
[[gnu::always_inline]] inline bool output_usual(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  const PlainRun run(&frame, 1, to);
  if (!run.plain) [[unlikely]] {
    return false;
  }
  const InnerFlow flow = inner_flow(frame);
  EncapPlan plan(to);
  plan.be_usual();
  move_start(frame, -int64_t{kUsualOuterBytes});
  write_outer(rte_pktmbuf_mtod(frame, uint8_t*), plan, kTemplateRoom, frame->pkt_len, flow);
  TrafficCounters& traffic = w.counters.tunnels[to.index];
  traffic.tx_packets.add(1);
  traffic.tx_bytes.add(run.bytes);
  tx_push(w, to.port, frame);
  return true;
}

void output_run(WorkerContext& w, rte_mbuf** frames, uint16_t count, const Adjacency& to) noexcept {
  if (count < kShortRun && to.usual) {
    for (uint16_t i = 0; i < count; ++i) {
      if (!output_usual(w, frames[i], to)) output(w, frames[i], to);
    }
    return;
  }
  if (count < kShortRun || to.blocked != DropReason::none) {
    for (uint16_t i = 0; i < count; ++i) output(w, frames[i], to);
    return;
  }
  if (to.vlan_rules) count = leave_vlan(w, frames, count, to);
  if (count == 0) return;
  const PlainRun run(frames, count, to);
  if (!run.plain || to.ways) [[unlikely]] {
    for (uint16_t i = 0; i < count; ++i) output_open(w, frames[i], to);
    return;
  }
  uint32_t bytes = run.bytes;
  if (to.kind != TunnelType::none) {
    encap_plain(frames, count, to);
    TrafficCounters& traffic = w.counters.tunnels[to.index];
    traffic.tx_packets.add(count);
    traffic.tx_bytes.add(bytes);
    bytes += uint32_t{count} * to.outer_bytes;
  }
  tx_push_run(w, to.port, frames, count, bytes);
}

void drop_run(WorkerContext& w, rte_mbuf** frames, uint16_t count, DropReason reason) noexcept {
  for (uint16_t i = 0; i < count; ++i) drop(w, frames[i], reason);
}

void forward_run(WorkerContext& w, rte_mbuf** frames, uint16_t count, const Adjacency& in,
                 AdjacencyIndex out) noexcept {
  if (out == kGone) return;
  w.from = in.index;
  if (out == kFlood) {
    for (uint16_t i = 0; i < count; ++i) flood(w, frames[i], in);
    return;
  }
  const Adjacency* const to = out < kMaxAdjacencies ? w.tables.adjacency(out) : nullptr;
  if (to == nullptr) {
    drop_run(w, frames, count, DropReason::port_down);
  } else if (to->index == in.index) {
    drop_run(w, frames, count, DropReason::same_port);
  } else if (to->isolated && in.isolated) {
    drop_run(w, frames, count, DropReason::split_horizon);
  } else {
    if (in.mss.any() || to->mss.any()) [[unlikely]] {
      const MssLimit limit = lower_of(in.mss, to->mss);
      for (uint16_t i = 0; i < count; ++i) clamp_mss(frames[i], limit);
    }
    output_run(w, frames, count, *to);
  }
}

// Without a branch in it: the compiler makes vectors of this.
bool goes_one_way(const Batch& batch) noexcept {
  AdjacencyIndex out = 0;
  uintptr_t in = 0;
  for (uint16_t i = 0; i < batch.count; ++i) {
    out |= batch.out[i] ^ batch.out[0];
    in |= reinterpret_cast<uintptr_t>(batch.in[i]) ^ reinterpret_cast<uintptr_t>(batch.in[0]);
  }
  return out == 0 && in == 0;
}

}  // namespace

// Bursts mostly come from one place and go to one: what is the same for frames in a row is decided once.
void forward(WorkerContext& w, Batch& batch) noexcept {
  const uint16_t count = batch.count;
  if (goes_one_way(batch)) [[likely]] {
    forward_run(w, batch.frame.data(), count, *batch.in[0], batch.out[0]);
    return;
  }
  for (uint16_t i = 1; i < count; ++i) {
    if (batch.out[i] == batch.out[i - 1] || batch.out[i] >= kMaxAdjacencies) continue;
    if (const Adjacency* const to = w.tables.adjacency(batch.out[i])) {
      __builtin_prefetch(to);
      __builtin_prefetch(&to->outer.data[OuterTemplate::kCapacity - 64]);
      __builtin_prefetch(&w.counters.tunnels[batch.out[i]], 1);
    }
  }
  uint16_t end = 0;
  for (uint16_t i = 0; i < count; i = end) {
    for (end = static_cast<uint16_t>(i + 1); end < count; ++end) {
      if (batch.out[end] != batch.out[i] || batch.in[end] != batch.in[i]) break;
    }
    forward_run(w, &batch.frame[i], static_cast<uint16_t>(end - i), *batch.in[i], batch.out[i]);
  }
}

}  // namespace causeway
