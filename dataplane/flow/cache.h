// A worker's flow cache: FlowKey -> (source FDB slot, destination FDB slot). Two-way buckets of one
// cache line. It copies nothing from what it names: a hit is checked against both slots' keys, so it
// needs no flush when a MAC moves, ages or its tunnel changes. A miss costs two FDB lookups, no upcall.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>

#include "dataplane/flow/key.h"

namespace causeway {

struct FlowEntry {
  FlowKey key;
  uint32_t source_slot;
  uint32_t destination_slot;
  uint64_t unused;
};
static_assert(sizeof(FlowEntry) == 32);

struct alignas(64) FlowBucket {
  std::array<FlowEntry, 2> way;
};

class FlowCache {
 public:
  // `entries` is rounded up to a power of two, at least 1,024.
  FlowCache(uint32_t entries, uint64_t seed)
      : mask_(std::bit_ceil(entries < 1024 ? 1024U : entries) / 2 - 1),
        seed_(seed),
        buckets_(new FlowBucket[mask_ + 1]()) {}

  // Where keys live; valid as long as the cache.
  struct View {
    FlowBucket* buckets;
    uint64_t seed;
    uint32_t mask;

    FlowBucket* bucket(const FlowKey& key) const noexcept {
      return &buckets[static_cast<uint32_t>(hash_words(key.lo, key.hi, seed)) & mask];
    }
  };
  View view() const noexcept { return {buckets_.get(), seed_, mask_}; }

  static const FlowEntry* find(const FlowBucket* bucket, const FlowKey& key) noexcept {
    if (bucket->way[0].key == key) return &bucket->way[0];
    if (bucket->way[1].key == key) return &bucket->way[1];
    return nullptr;
  }

  void insert(const FlowKey& key, uint32_t source_slot, uint32_t destination_slot) noexcept {
    static constexpr FlowKey kUnused{0, 0};
    FlowBucket* const b = view().bucket(key);
    size_t way = 0;
    if (b->way[0].key == key || b->way[0].key == kUnused) {
      way = 0;
    } else if (b->way[1].key == key || b->way[1].key == kUnused) {
      way = 1;
    } else {
      way = ++evictions_ & 1;
    }
    if (b->way[way].key == kUnused) ++entries_;
    b->way[way] = {key, source_slot, destination_slot, 0};
  }

  uint32_t entries() const noexcept { return entries_; }
  uint32_t capacity() const noexcept { return (mask_ + 1) * 2; }

 private:
  uint32_t mask_;
  uint64_t seed_;
  std::unique_ptr<FlowBucket[]> buckets_;
  uint32_t entries_ = 0;
  uint32_t evictions_ = 0;
};

}  // namespace causeway
