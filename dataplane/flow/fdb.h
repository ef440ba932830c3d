// The forwarding database of all bridges: (bridge, VLAN, MAC) -> adjacency. Open addressing with
// linear probing, 16 bytes a slot, at most half full. One writer (the control thread), readers without
// locks (workers). A slot is named by its index; who keeps an index checks the slot's key on each
// use, so a slot that was freed, reused or moved to a larger table is noticed and looked up again.
//
// Writer's order: body first, key last (release); a freed slot loses its key first, and is not used
// again before every worker has passed a quiescent state (control/bridge/fdb keeps them until then).
#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/flow/adjacency.h"
#include "dataplane/flow/key.h"
#include "dataplane/flow/lazy_array.h"

namespace causeway {

struct FdbSlot {
  std::atomic<MacVlan> key;          // kFdbEmpty, kFdbFreed, kFdbDeleted, or a MAC and VLAN
  std::atomic<AdjacencyIndex> exit;  // where the MAC lives; kFdbStatic set on static entries
  std::atomic<BridgeIndex> bridge;
  // Last frame from it, seconds modulo 65536. Workers write it once a second, though the table is const to them.
  mutable std::atomic<uint16_t> seen_s;
};
static_assert(sizeof(FdbSlot) == 16);

inline constexpr MacVlan kFdbEmpty = 0;          // ends a probe run
inline constexpr MacVlan kFdbDeleted = ~0ULL;    // may be used again
inline constexpr MacVlan kFdbFreed = ~0ULL - 1;  // a reader may still look at its body
inline constexpr AdjacencyIndex kFdbStatic = 1U << 31;
inline constexpr uint32_t kNoSlot = 0xffff'ffff;

class FdbTable {
 public:
  // `slots` is a power of two.
  FdbTable(uint32_t slots, uint64_t seed) : mask_(slots - 1), seed_(seed), slots_(slots) {}

  uint32_t capacity() const noexcept { return mask_ + 1; }
  // Slots by index, any index; valid as long as the table.
  struct View {
    const FdbSlot* slots;
    uint32_t mask;
    const FdbSlot& slot(uint32_t index) const noexcept { return slots[index & mask]; }
  };
  View view() const noexcept { return {slots_.data(), mask_}; }
  const FdbSlot& slot(uint32_t index) const noexcept { return slots_[index & mask_]; }
  FdbSlot& slot(uint32_t index) noexcept { return slots_[index & mask_]; }  // writer only

  // Slot index of the entry, or kNoSlot. Any thread.
  uint32_t find(BridgeIndex bridge, MacVlan key) const noexcept {
    for (uint32_t index = home(bridge, key), probes = 0; probes <= mask_; index = (index + 1) & mask_, ++probes) {
      const MacVlan found = slots_[index].key.load(std::memory_order_acquire);
      if (found == kFdbEmpty) return kNoSlot;
      if (found == key && slots_[index].bridge.load(std::memory_order_relaxed) == bridge) return index;
    }
    return kNoSlot;
  }

  void prefetch(BridgeIndex bridge, MacVlan key) const noexcept { __builtin_prefetch(&slots_[home(bridge, key)]); }

  // Writer only. The caller keeps the table at most half full and has looked first. `was_empty` tells
  // whether a never-used slot was taken.
  uint32_t insert(BridgeIndex bridge, MacVlan key, AdjacencyIndex exit, uint16_t now_s, bool& was_empty) noexcept {
    uint32_t index = home(bridge, key);
    MacVlan found = slots_[index].key.load(std::memory_order_relaxed);
    while (found != kFdbEmpty && found != kFdbDeleted) {
      index = (index + 1) & mask_;
      found = slots_[index].key.load(std::memory_order_relaxed);
    }
    was_empty = found == kFdbEmpty;
    FdbSlot& slot = slots_[index];
    slot.exit.store(exit, std::memory_order_relaxed);
    slot.bridge.store(bridge, std::memory_order_relaxed);
    slot.seen_s.store(now_s, std::memory_order_relaxed);
    slot.key.store(key, std::memory_order_release);
    return index;
  }

  // Writer only: first half of an erase; nobody finds the entry from here on.
  void free(uint32_t index) noexcept { slots_[index].key.store(kFdbFreed, std::memory_order_release); }

  // Writer only, after a grace period: second half. Deleted slots in front of an empty one become empty
  // again. Returns how many did.
  uint32_t reclaim(uint32_t index) noexcept {
    slots_[index].key.store(kFdbDeleted, std::memory_order_relaxed);
    if (slots_[(index + 1) & mask_].key.load(std::memory_order_relaxed) != kFdbEmpty) return 0;
    uint32_t emptied = 0;
    for (; slots_[index].key.load(std::memory_order_relaxed) == kFdbDeleted; index = (index - 1) & mask_, ++emptied) {
      slots_[index].key.store(kFdbEmpty, std::memory_order_release);
    }
    return emptied;
  }

 private:
  uint32_t home(BridgeIndex bridge, MacVlan key) const noexcept {
    return static_cast<uint32_t>(hash_words(key, bridge, seed_) >> 32) & mask_;
  }

  uint32_t mask_;
  uint64_t seed_;
  LazyArray<FdbSlot> slots_;
};

}  // namespace causeway
