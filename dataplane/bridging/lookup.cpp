#include "dataplane/bridging/lookup.h"

namespace causeway {
namespace {

using Buckets = std::array<FlowBucket*, kBatch>;
using Entries = std::array<FlowEntry*, kBatch>;

// Each pass is a function of its own: together they'd need more registers than there are.
[[gnu::noinline]] void find_buckets(FlowCache& cache, const Batch& batch, Buckets& bucket) noexcept {
  const FlowCache::View view = cache.view();
  const uint16_t count = batch.count;
  for (uint16_t i = 0; i < count; ++i) {
    bucket[i] = view.bucket(batch.key[i]);
    __builtin_prefetch(bucket[i]);
  }
}

// Takes what this epoch's entries say. The others are left in `stale` by frame, null for the rest; returns how many.
[[gnu::noinline]] uint16_t take_fresh(const FlowCache& cache, Batch& batch, const Buckets& bucket,
                                      Entries& stale) noexcept {
  const uint32_t epoch = cache.epoch();
  const uint16_t count = batch.count;
  uint16_t others = 0;
  for (uint16_t i = 0; i < count; ++i) {
    FlowEntry* entry = FlowCache::find(bucket[i], batch.key[i]);
    if (entry == nullptr) [[unlikely]] {
      entry = FlowCache::find(FlowCache::beside(bucket[i]), batch.key[i]);
    }
    if (entry != nullptr && entry->epoch == epoch) [[likely]] {
      batch.out[i] = entry->exit;
      continue;
    }
    batch.out[i] = kUnresolved;
    stale[i] = entry;
    ++others;
  }
  return others;
}

// Entries of an earlier epoch: both slots must still be what the entry was made of, the source MAC here, the
// destination MAC in this bridge. Where it lives now is read afresh. Returns how many frames stay unresolved.
[[gnu::noinline]] uint16_t renew(WorkerContext& w, Batch& batch, const Entries& stale) noexcept {
  const FdbTable::View fdb = w.fdb->view();
  const uint32_t epoch = w.cache.epoch();
  const uint16_t now_s = w.now_s;
  const uint16_t count = batch.count;
  for (uint16_t i = 0; i < count; ++i) {
    if (batch.out[i] != kUnresolved || stale[i] == nullptr) continue;
    __builtin_prefetch(&fdb.slot(stale[i]->source_slot));
    __builtin_prefetch(&fdb.slot(stale[i]->destination_slot));
  }
  uint16_t unresolved = 0;
  for (uint16_t i = 0; i < count; ++i) {
    if (batch.out[i] != kUnresolved) continue;
    ++unresolved;
    if (stale[i] == nullptr) continue;
    FlowEntry& entry = *stale[i];
    const FdbSlot& from = fdb.slot(entry.source_slot);
    const FdbSlot& to = fdb.slot(entry.destination_slot);
    const Adjacency& in = *batch.in[i];
    const bool valid = from.key.load(std::memory_order_acquire) == batch.key[i].source() &&
                       (from.exit.load(std::memory_order_relaxed) & ~kFdbStatic) == in.index &&
                       to.key.load(std::memory_order_acquire) == batch.key[i].destination() &&
                       to.bridge.load(std::memory_order_relaxed) == in.bridge;
    if (!valid) continue;
    // Other workers read this line: once a second, not once an epoch.
    if (from.seen_s.load(std::memory_order_relaxed) != now_s) from.seen_s.store(now_s, std::memory_order_relaxed);
    entry.exit = to.exit.load(std::memory_order_relaxed) & ~kFdbStatic;
    entry.epoch = epoch;
    batch.out[i] = entry.exit;
    --unresolved;
  }
  return unresolved;
}

}  // namespace

uint16_t lookup(WorkerContext& w, Batch& batch) noexcept {
  Buckets bucket;
  Entries stale;
  find_buckets(w.cache, batch, bucket);
  uint16_t unresolved = take_fresh(w.cache, batch, bucket, stale);
  if (unresolved != 0) unresolved = renew(w, batch, stale);
  w.counters.cache_hits.add(batch.count - unresolved);
  w.counters.cache_misses.add(unresolved);
  return unresolved;
}

}  // namespace causeway
