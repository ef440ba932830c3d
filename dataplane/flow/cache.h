// A worker's flow cache: FlowKey -> where the frame goes. Two-way buckets of one cache line; what finds no way free in
// its own may stand in the bucket beside it, so that few flows are without one even when it is half full.
//
// An entry names the two FDB slots it was made of, and holds what they said (`exit`) in the epoch it was looked at.
// A new epoch begins when the control thread has changed something that could make an exit wrong, and once a second;
// the first hit in it looks at the slots again (the lookup stage). So it needs no flush when a MAC moves, ages or
// its tunnel changes. A miss costs two FDB lookups, no upcall.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <optional>

#include "dataplane/flow/key.h"
#include "dataplane/flow/lazy_array.h"

namespace causeway {

struct FlowEntry {
  FlowKey key;
  uint32_t source_slot;
  uint32_t destination_slot;
  AdjacencyIndex exit;
  uint32_t epoch;  // 0: never
};
static_assert(sizeof(FlowEntry) == 32);

struct alignas(64) FlowBucket {
  std::array<FlowEntry, 2> way;
};

class FlowCache {
 public:
  // `entries` is rounded up to a power of two, at least 1,024.
  FlowCache(uint32_t entries, uint64_t seed)
      : mask_(std::bit_ceil(entries < 1024 ? 1024U : entries) / 2 - 1), seed_(seed), buckets_(mask_ + 1) {}

  // Where keys live; valid as long as the cache.
  struct View {
    FlowBucket* buckets;
    uint64_t seed;
    uint32_t mask;

    FlowBucket* bucket(const FlowKey& key) const noexcept { return &buckets[bucket_of(key, seed) & mask]; }
  };
  View view() noexcept { return {buckets_.data(), seed_, mask_}; }

  static FlowEntry* find(FlowBucket* bucket, const FlowKey& key) noexcept {
    if (bucket->way[0].key == key) return &bucket->way[0];
    if (bucket->way[1].key == key) return &bucket->way[1];
    return nullptr;
  }
  // The other one of a pair; buckets are aligned to it.
  template <class Bucket>
  static Bucket* beside(Bucket* bucket) noexcept {
    return (reinterpret_cast<uintptr_t>(bucket) & sizeof(FlowBucket)) != 0 ? bucket - 1 : bucket + 1;
  }

  uint32_t epoch() const noexcept { return epoch_; }
  // False once in weeks, when the numbers begin anew: what is left of the same number must not count, elsewhere either.
  bool begin_epoch() noexcept {
    if (++epoch_ != 0) return true;
    for (uint32_t i = 0; i <= mask_; ++i) buckets_[i].way[0].epoch = buckets_[i].way[1].epoch = 0;
    epoch_ = 1;
    return false;
  }

  void insert(const FlowKey& key, uint32_t source_slot, uint32_t destination_slot, AdjacencyIndex exit) noexcept {
    static constexpr FlowKey kUnused{0, 0};
    FlowBucket* const own = view().bucket(key);
    FlowBucket* const other = beside(own);
    FlowEntry* place = find(own, key);
    if (place == nullptr) place = find(other, key);
    if (place == nullptr) place = find(own, kUnused);
    if (place == nullptr) place = find(other, kUnused);
    if (place == nullptr) {
      ++evictions_;
      place = &((evictions_ & 2) != 0 ? own : other)->way[evictions_ & 1];
    }
    if (place->key == kUnused) ++entries_;
    std::atomic_ref(place->key.lo).store(key.lo, std::memory_order_relaxed);  // see key_at()
    std::atomic_ref(place->key.hi).store(key.hi, std::memory_order_relaxed);
    place->source_slot = source_slot;
    place->destination_slot = destination_slot;
    place->exit = exit;
    place->epoch = epoch_;
  }

  // Any thread, while the worker writes: the key in one of capacity() places, if there is one. Two halves of two keys
  // are none: they would have to belong here. What the key's ends are the FDB says.
  std::optional<FlowKey> key_at(uint32_t place) const noexcept {
    const FlowBucket* const bucket = &buckets_[place / 2];
    auto& there = const_cast<FlowKey&>(bucket->way[place % 2].key);  // NOLINT: atomic_ref takes no const in C++20
    const FlowKey key{std::atomic_ref(there.lo).load(std::memory_order_relaxed),
                      std::atomic_ref(there.hi).load(std::memory_order_relaxed)};
    const FlowBucket* const own = &buckets_[bucket_of(key, seed_) & mask_];
    if (key == FlowKey{0, 0} || (own != bucket && beside(own) != bucket)) return std::nullopt;
    return key;
  }

  // The number of the first bucket that a key may be in, but for the mask.
  static uint32_t bucket_of(const FlowKey& key, uint64_t seed) noexcept {
    return static_cast<uint32_t>(hash_words(key.lo, key.hi, seed));
  }

  uint32_t entries() const noexcept { return entries_; }
  uint32_t capacity() const noexcept { return (mask_ + 1) * 2; }

 private:
  uint32_t mask_;
  uint64_t seed_;
  LazyArray<FlowBucket> buckets_;
  uint32_t epoch_ = 1;
  uint32_t entries_ = 0;
  uint32_t evictions_ = 0;
};

}  // namespace causeway
