// (tunnel type, VNI, outer source, outer destination, UDP port) -> ingress adjacency, read by every
// worker, written by the control thread alone. A record with zero addresses stands for "this VNI is
// known here", which tells an unknown VNI from a known one that came from an unknown VTEP. One with no outer
// source says that unknown VTEPs are welcome: a multicast tunnel learns its remotes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>

#include "dataplane/flow/adjacency.h"
#include "dataplane/wire/gre.h"

namespace causeway {

struct TunnelKey {
  IpAddress remote;       // outer source on receive
  IpAddress local;        // outer destination on receive
  uint32_t id = 0;        // VNI (24 bits) or GRE key
  uint16_t udp_port = 0;  // destination port, host order; 0 for GRE
  TunnelType kind = TunnelType::geneve;
  uint8_t keyless = 0;  // GRE without a key

  TunnelKey any_remote() const noexcept {
    TunnelKey key = *this;
    key.remote = key.local = IpAddress{};
    return key;
  }
  TunnelKey any_source() const noexcept {
    TunnelKey key = *this;
    key.remote = IpAddress{};
    return key;
  }
  // Of GRE with a key, which NVGRE reads otherwise.
  bool may_be_nvgre() const noexcept { return kind == TunnelType::gretap && keyless == 0; }
  TunnelKey as_nvgre() const noexcept {
    TunnelKey key = *this;
    key.kind = TunnelType::nvgre;
    key.id = nvgre_vsid(id);
    return key;
  }
  bool operator==(const TunnelKey&) const = default;
};
static_assert(sizeof(TunnelKey) == 40);

struct TunnelSlot {
  std::atomic<AdjacencyIndex> adjacency;  // kNoAdjacency: empty; TunnelTable::kDeleted: was used
  TunnelKey key;
};

class TunnelTable {
 public:
  static constexpr AdjacencyIndex kDeleted = 0xffff'ffff;

  // `slots` is a power of two.
  TunnelTable(uint32_t slots, uint64_t seed) : mask_(slots - 1), seed_(seed), slots_(new TunnelSlot[slots]()) {}

  uint32_t capacity() const noexcept { return mask_ + 1; }
  const TunnelSlot& slot(uint32_t index) const noexcept { return slots_[index]; }

  AdjacencyIndex find(const TunnelKey& key) const noexcept {
    for (uint32_t index = home(key);; index = (index + 1) & mask_) {
      const AdjacencyIndex found = slots_[index].adjacency.load(std::memory_order_acquire);
      if (found == kNoAdjacency) return kNoAdjacency;
      if (found != kDeleted && slots_[index].key == key) return found;
    }
  }

  // Writer only, at most half full. A deleted slot is never used again within one table, since a reader
  // may be comparing its key: the writer starts a new table when deleted ones pile up.
  void insert(const TunnelKey& key, AdjacencyIndex adjacency) noexcept {
    uint32_t index = home(key);
    while (slots_[index].adjacency.load(std::memory_order_relaxed) != kNoAdjacency) index = (index + 1) & mask_;
    slots_[index].key = key;
    slots_[index].adjacency.store(adjacency, std::memory_order_release);
  }

  // Writer only. False when the key isn't there.
  bool erase(const TunnelKey& key) noexcept {
    for (uint32_t index = home(key);; index = (index + 1) & mask_) {
      const AdjacencyIndex found = slots_[index].adjacency.load(std::memory_order_relaxed);
      if (found == kNoAdjacency) return false;
      if (found == kDeleted || !(slots_[index].key == key)) continue;
      slots_[index].adjacency.store(kDeleted, std::memory_order_release);
      return true;
    }
  }

 private:
  uint32_t home(const TunnelKey& key) const noexcept {
    std::array<uint64_t, 5> w{};
    std::memcpy(w.data(), &key, sizeof(key));
    const uint64_t addresses = (w[0] * 0x9e3779b97f4a7c15ULL) ^ w[1] ^ (w[2] * 0xc2b2ae3d27d4eb4fULL) ^ (w[3] << 7);
    return static_cast<uint32_t>(hash_words(addresses, w[4], seed_) >> 32) & mask_;
  }

  uint32_t mask_;
  uint64_t seed_;
  std::unique_ptr<TunnelSlot[]> slots_;
};

}  // namespace causeway
