#include "dataplane/bridging/forward.h"

#include <algorithm>

#include "dataplane/bridging/flood.h"
#include "dataplane/bridging/mss_clamp.h"
#include "dataplane/bridging/output.h"
#include "dataplane/frame/intent.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/ingress/vlan.h"

namespace causeway {
namespace {

void drop_run(WorkerContext& w, rte_mbuf** frames, uint16_t count, DropReason reason) noexcept {
  for (uint16_t i = 0; i < count; ++i) drop(w, frames[i], reason);
}

// Puts on what was implied; returns how many frames are left, at the front.
uint16_t push_tags(WorkerContext& w, rte_mbuf** frames, uint16_t count, uint16_t vlan) noexcept {
  uint16_t kept = 0;
  for (uint16_t i = 0; i < count; ++i) {
    if (push_tag(frames[i], vlan)) [[likely]] {
      frames[kept++] = frames[i];
    } else if (rte_mbuf* const tagged = push_vlan(w, frames[i], vlan)) {
      frames[kept++] = tagged;
    }
  }
  return kept;
}

// Whether frames whose tag is implied would lose it at once. Not those that the control thread may want to see with it.
bool leaves_untagged(rte_mbuf* const* frames, uint16_t count, uint16_t vlan, const Adjacency& to) noexcept {
  if (!to.vlan.untags(vlan) || !to.vlan.carries(vlan) || to.blocked != DropReason::none) return false;
  uint32_t longest = 0;
  for (uint16_t i = 0; i < count; ++i) longest = std::max(longest, frames[i]->pkt_len);
  return longest <= to.max_frame_bytes;
}

// Whether frames of a VLAN keep its tag, and nothing else is to be asked.
bool leaves_tagged(uint16_t vlan, const Adjacency& to) noexcept {
  return to.vlan.carries(vlan) && !to.vlan.untags(vlan) && to.blocked == DropReason::none;
}

// `tag`: the VLAN whose tag the frames are to have and don't; 0: none.
void forward_run(WorkerContext& w, rte_mbuf** frames, uint16_t count, const Adjacency& in, AdjacencyIndex out,
                 uint16_t tag) noexcept {
  if (out == kGone) return;
  w.from = in.index;
  if (out == kFlood) {
    if (tag != 0) count = push_tags(w, frames, count, tag);
    for (uint16_t i = 0; i < count; ++i) flood(w, frames[i], in);
    return;
  }
  const Adjacency* const to = out < kMaxAdjacencies ? w.tables.adjacency(out) : nullptr;
  if (to == nullptr) {
    drop_run(w, frames, count, DropReason::port_down);
  } else if (to->index == in.index) {
    drop_run(w, frames, count, DropReason::same_port);
  } else if (of_one_split_group(in, *to)) {
    drop_run(w, frames, count, DropReason::split_horizon);
  } else {
    bool vlan_is_left = false;
    if (tag != 0) {
      vlan_is_left = leaves_untagged(frames, count, tag, *to);
      if (!vlan_is_left) {
        count = push_tags(w, frames, count, tag);
        if (count == 0) return;
        vlan_is_left = leaves_tagged(tag, *to);
      }
    }
    if (in.mss.any() || to->mss.any()) [[unlikely]] {
      const MssLimit limit = lower_of(in.mss, to->mss);
      for (uint16_t i = 0; i < count; ++i) {
        if (!has_no_mss(frames[i])) clamp_mss(frames[i], limit);
      }
    }
    vlan_is_left ? output_run_open(w, frames, count, *to) : output_run(w, frames, count, *to);
  }
}

uint16_t implied_tag(const Batch& batch, uint16_t i) noexcept {
  return (batch.implied_tags >> i & 1) != 0 ? batch.in[i]->vlan.tag : 0;
}

// Without a branch in it: the compiler makes vectors of this.
bool goes_one_way(const Batch& batch) noexcept {
  AdjacencyIndex out = 0;
  uintptr_t in = 0;
  for (uint16_t i = 0; i < batch.count; ++i) {
    out |= batch.out[i] ^ batch.out[0];
    in |= reinterpret_cast<uintptr_t>(batch.in[i]) ^ reinterpret_cast<uintptr_t>(batch.in[0]);
  }
  const uint64_t all = batch.count < 64 ? (uint64_t{1} << batch.count) - 1 : UINT64_MAX;
  return out == 0 && in == 0 && (batch.implied_tags == 0 || batch.implied_tags == all);
}

}  // namespace

// Bursts mostly come from one place and go to one: what is the same for frames in a row is decided once.
void forward(WorkerContext& w, Batch& batch) noexcept {
  const uint16_t count = batch.count;
  if (goes_one_way(batch)) [[likely]] {
    forward_run(w, batch.frame.data(), count, *batch.in[0], batch.out[0], implied_tag(batch, 0));
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
      if ((batch.implied_tags >> end & 1) != (batch.implied_tags >> i & 1)) break;
    }
    forward_run(w, &batch.frame[i], static_cast<uint16_t>(end - i), *batch.in[i], batch.out[i], implied_tag(batch, i));
  }
}

}  // namespace causeway
