#include "dataplane/lookup.h"

namespace causeway {

uint16_t lookup(WorkerContext& w, Batch& batch) noexcept {
  const uint16_t count = batch.count;
  // Copies, so that the compiler knows that no store below changes them.
  const FdbTable::View fdb = w.fdb->view();
  const FlowCache::View cache = w.cache.view();
  std::array<const FlowBucket*, kBatch> bucket;
  std::array<uint32_t, kBatch> source;
  std::array<uint32_t, kBatch> destination;

  for (uint16_t i = 0; i < count; ++i) {
    bucket[i] = cache.bucket(batch.key[i]);
    __builtin_prefetch(bucket[i]);
  }
  for (uint16_t i = 0; i < count; ++i) {
    const FlowEntry* const entry = FlowCache::find(bucket[i], batch.key[i]);
    source[i] = entry != nullptr ? entry->source_slot : kNoSlot;
    destination[i] = entry != nullptr ? entry->destination_slot : kNoSlot;
    __builtin_prefetch(&fdb.slot(source[i]));
    __builtin_prefetch(&fdb.slot(destination[i]));
  }
  uint16_t unresolved = 0;
  for (uint16_t i = 0; i < count; ++i) {
    FdbSlot& from = fdb.slot(source[i]);
    const FdbSlot& to = fdb.slot(destination[i]);
    const Adjacency& in = *batch.in[i];
    // Both slots must still be what the entry was made of: the source MAC here, the destination MAC in this
    // bridge. Where it lives now is read afresh.
    const bool valid = from.key.load(std::memory_order_acquire) == batch.key[i].source() &&
                       (from.exit.load(std::memory_order_relaxed) & ~kFdbStatic) == in.index &&
                       to.key.load(std::memory_order_acquire) == batch.key[i].destination() &&
                       to.bridge.load(std::memory_order_relaxed) == in.bridge && source[i] != kNoSlot;
    if (!valid) {
      batch.out[i] = kUnresolved;
      ++unresolved;
      continue;
    }
    if (from.seen_s.load(std::memory_order_relaxed) != w.now_s) from.seen_s.store(w.now_s, std::memory_order_relaxed);
    batch.out[i] = to.exit.load(std::memory_order_relaxed) & ~kFdbStatic;
  }
  w.counters.cache_hits.add(count - unresolved);
  w.counters.cache_misses.add(unresolved);
  return unresolved;
}

}  // namespace causeway
