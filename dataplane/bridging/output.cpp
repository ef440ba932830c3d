#include "dataplane/bridging/output.h"

#include <algorithm>

#include "dataplane/egress/encap.h"
#include "dataplane/egress/tx.h"
#include "dataplane/frame/chain.h"
#include "dataplane/frame/intent.h"
#include "dataplane/frame/move_start.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/to_control.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/tcp.h"
#include "dataplane/wire/word_at.h"

namespace causeway {
namespace {

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

}  // namespace

bool fits(const rte_mbuf* m, uint32_t max_frame_bytes) noexcept {
  return m->pkt_len <= max_frame_bytes || segments_fit(m, max_frame_bytes);
}

namespace {

// The end of a frame that doesn't fit. The control thread answers the senders of some.
[[gnu::cold, gnu::noinline]] void refuse_too_big(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  show_dead(w, frame, DropReason::too_big);
  count_drop(w, DropReason::too_big);
  w.counters.ports[w.ingress].rx_drops.add(1);
  const bool punted =
      w.from != kNoAdjacency && w.too_big.take(w.ingress, kTooBigPerSecond, w.now_s) && punt_too_big(w, frame, to);
  if (!punted) rte_pktmbuf_free(frame);
}

// The low half of the entropy: the high bits make the UDP source port, by which routers on the way choose.
const Ways::Way& way_of(uint32_t entropy, const Ways& ways) noexcept {
  return ways.way[(entropy & 0xffff) * ways.count >> 16];
}

PortIndex take_way(rte_mbuf* outer, const Ways::Way& way) noexcept {
  std::memcpy(rte_pktmbuf_mtod(outer, void*), &way, offsetof(Ways::Way, port));
  return way.port;
}

void send_ways(WorkerContext& w, rte_mbuf** frames, uint16_t count, const Ways& ways,
               const InnerFlows& flows) noexcept {
  for (uint16_t i = 0; i < count; ++i) tx_push(w, take_way(frames[i], way_of(flows.entropy[i], ways)), frames[i]);
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
  uint32_t longest = 0;
  if (have_one_tag(frames, count, longest)) {
    const uint16_t vlan = outer_vlan(frames[0], 0);
    const bool carried = to.vlan.carries(vlan);
    if (carried && !to.vlan.untags(vlan)) return count;
    if (carried && longest <= uint32_t{to.max_frame_bytes} + kVlanTagBytes) {
      for (uint16_t i = 0; i < count; ++i) pop_tag(frames[i]);
      return count;
    }
  }
  uint16_t kept = 0;
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* const frame = frames[i];
    if (leave_vlan(w, frame, to)) frames[kept++] = frame;
  }
  return kept;
}

void output_open(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept;

// Into a tunnel whose packets are numbered, since nobody behind encap has a number to give to the second segment, or an
// analyser's, who is to see frames as on a wire.
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

// Through a tunnel. `truncated`: it has lost its end.
[[gnu::always_inline]] inline void output_into(WorkerContext& w, rte_mbuf* frame, const Adjacency& to,
                                               bool truncated) noexcept {
  PortIndex port = to.port;
  const uint32_t inner_bytes = frame->pkt_len;
  const Ways::Way* const way = to.ways ? &way_of(inner_flow(frame).entropy, *to.ways) : nullptr;
  show(w, {&frame, 1}, {.port = port, .outgoing = true, .headers = TunnelHeaders::inner, .tunnel = to.index});
  rte_mbuf* outer = encap(w, frame, to);
  if (outer == nullptr) {
    drop(w, frame, DropReason::mbuf_alloc);
    return;
  }
  if (truncated) erspan_header(outer, to).set_truncated();
  TrafficCounters& traffic = w.counters.tunnels[to.index];
  traffic.tx_packets.add(1);
  traffic.tx_bytes.add(inner_bytes);
  if (way != nullptr) port = take_way(outer, *way);
  show(w, {&outer, 1}, {.port = port, .outgoing = true, .headers = TunnelHeaders::outer, .tunnel = to.index});
  tx_enqueue(w, port, outer);
}

[[gnu::cold, gnu::noinline]] void output_too_big(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  if (!cuts_short(to) || to.max_frame_bytes < kEthernetBytes) return refuse_too_big(w, frame, to);
  if (has_intent(frame)) return output_segments(w, frame, to);
  trim(frame, to.max_frame_bytes);
  output_into(w, frame, to, true);
}

// What output does once the way is open and the VLAN left.
void output_open(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  if (!fits(frame, to.max_frame_bytes)) [[unlikely]] {
    output_too_big(w, frame, to);
    return;
  }
  if (to.kind == TunnelType::none) return tx_enqueue(w, to.port, frame);
  const uint64_t unfinished = to.kind == TunnelType::erspan ? kIntentFlags : kNeedsSegment;
  if ((to.numbered || to.kind == TunnelType::erspan) && (frame->ol_flags & unfinished) != 0) [[unlikely]] {
    output_segments(w, frame, to);
    return;
  }
  output_into(w, frame, to, false);
}

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

}  // namespace

void output(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  if (to.blocked != DropReason::none) [[unlikely]] {
    const bool waits = to.blocked == DropReason::neighbor_unresolved &&
                       (w.from == kNoAdjacency || w.unresolved.take(to.index, kUnresolvedPerSecond, w.now_s));
    if (waits) {
      punt_unresolved(w, frame, to);
    } else {
      drop(w, frame, to.blocked);
    }
    return;
  }
  if (to.vlan_rules && !leave_vlan(w, frame, to)) return;
  output_open(w, frame, to);
}

void output_run(WorkerContext& w, rte_mbuf** frames, uint16_t count, const Adjacency& to) noexcept {
  const bool shown = w.captures != nullptr && w.captures->at_tunnels();
  if (count < kShortRun && to.usual && !shown) {
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
  if (count != 0) output_run_open(w, frames, count, to);
}

void output_run_open(WorkerContext& w, rte_mbuf** frames, uint16_t count, const Adjacency& to) noexcept {
  const PlainRun run(frames, count, to);
  if (!run.plain || (w.captures != nullptr && w.captures->at_tunnels())) [[unlikely]] {
    for (uint16_t i = 0; i < count; ++i) output_open(w, frames[i], to);
    return;
  }
  uint32_t bytes = run.bytes;
  if (to.kind != TunnelType::none) {
    InnerFlows flows;
    encap_plain(frames, count, to, flows);
    TrafficCounters& traffic = w.counters.tunnels[to.index];
    traffic.tx_packets.add(count);
    traffic.tx_bytes.add(bytes);
    bytes += uint32_t{count} * to.outer_bytes;
    if (to.ways) return send_ways(w, frames, count, *to.ways, flows);
  }
  tx_push_run(w, to.port, frames, count, bytes);
}

}  // namespace causeway
