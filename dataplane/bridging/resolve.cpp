#include "dataplane/bridging/resolve.h"

#include "dataplane/wire/ethernet.h"

namespace causeway {
namespace {

// The MAC of the control thread's probes: it lives nowhere, whatever comes from it, so that answers to it are flooded,
// and taken out there (dataplane/bridging/suppress).
bool is_prober(const WorkerContext& w, MacVlan key) noexcept {
  return w.hosts != nullptr && mac_of(key) == w.hosts->prober();
}

// Slot of the source MAC if it lives where the frame came from. Otherwise the worker reports the MAC
// to the control thread, unless it is a static entry somewhere else: those don't move. Nor is anything learnt of a
// fabric.
uint32_t source_slot(WorkerContext& w, const FlowKey& key, const Adjacency& in) noexcept {
  const uint32_t slot = w.fdb->find(in.bridge, key.source());
  if (slot != kNoSlot) {
    const FdbSlot& from = w.fdb->slot(slot);
    const AdjacencyIndex exit = from.exit.load(std::memory_order_relaxed);
    if ((exit & ~kFdbStatic) == in.index) {
      // Once a second and not more often: other workers read this line.
      if (from.seen_s.load(std::memory_order_relaxed) != w.now_s) {
        from.seen_s.store(w.now_s, std::memory_order_relaxed);
      }
      return slot;
    }
    if ((exit & kFdbStatic) != 0) return kNoSlot;
  }
  if (in.fabric || is_prober(w, key.source())) return kNoSlot;
  // A full ring loses nothing but time: the next frame from this MAC tries again.
  const LearnMessage message{key.source(), in.index, in.bridge};
  if (w.reported.first(message, w.tick, w.changes)) w.mailbox.learn(message);
  return kNoSlot;
}

AdjacencyIndex resolve_one(WorkerContext& w, rte_mbuf* frame, const FlowKey& key, const Adjacency& in) noexcept {
  w.from = in.index;
  if (key.from_group()) {
    drop(w, frame, DropReason::source_multicast);
    return kGone;
  }
  if (key.from_zero()) {
    drop(w, frame, DropReason::source_zero);
    return kGone;
  }
  if (is_bridges_own(key.lo)) {
    drop(w, frame, DropReason::link_local_multicast);
    return kGone;
  }
  const uint32_t from = source_slot(w, key, in);
  if (key.to_group()) return kFlood;
  // A switch's loop probe, to itself. Linux and Open vSwitch learn before they look, and so find it here, wherever it
  // was before.
  if (key.source() == key.destination()) return in.index;
  if (is_prober(w, key.destination())) return kFlood;
  const uint32_t to = w.fdb->find(in.bridge, key.destination());
  if (to == kNoSlot) {
    const AdjacencyIndex reported = w.reported.find(in.bridge, key.destination(), w.tick, w.changes);
    return reported != kNoAdjacency ? reported : kFlood;
  }
  const AdjacencyIndex exit = w.fdb->slot(to).exit.load(std::memory_order_relaxed) & ~kFdbStatic;
  if (from != kNoSlot) w.cache.insert(key, from, to, exit);
  return exit;
}

}  // namespace

void resolve(WorkerContext& w, Batch& batch) noexcept {
  for (uint16_t i = 0; i < batch.count; ++i) {
    if (batch.out[i] != kUnresolved) continue;
    w.fdb->prefetch(batch.in[i]->bridge, batch.key[i].source());
    w.fdb->prefetch(batch.in[i]->bridge, batch.key[i].destination());
  }
  for (uint16_t i = 0; i < batch.count; ++i) {
    if (batch.out[i] != kUnresolved) continue;
    batch.out[i] = resolve_one(w, batch.frame[i], batch.key[i], *batch.in[i]);
  }
  w.counters.cache_entries.add(w.cache.entries() - w.counters.cache_entries.get());
}

}  // namespace causeway
