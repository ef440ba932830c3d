// The hosts of the underlay that the control thread has to do with: workers tell by it what a neighbor says from what
// others do. Written by the control thread, read by any.
#pragma once

#include <atomic>
#include <cstdint>
#include <random>

#include "dataplane/flow/adjacency.h"
#include "dataplane/flow/key.h"
#include "dataplane/flow/lazy_array.h"
#include "dataplane/wire/address.h"
#include "dataplane/wire/word_at.h"

namespace causeway {

// Counted by hash, and so without a grace period: another host may pass for a neighbor by chance, but never a neighbor
// for another host.
class KnownNeighbors {
 public:
  KnownNeighbors() {
    std::random_device device;
    seed_ = uint64_t{device()} << 32 | device();
  }

  void add(PortIndex port, const IpAddress& address) noexcept { count(port, address, 1); }
  void remove(PortIndex port, const IpAddress& address) noexcept { count(port, address, UINT32_MAX); }
  bool may_know(PortIndex port, const IpAddress& address) const noexcept {
    return counts_[slot_of(port, address)].load(std::memory_order_relaxed) != 0;
  }

 private:
  static constexpr unsigned kBits = 16;

  size_t slot_of(PortIndex port, const IpAddress& address) const noexcept {
    const auto high = word_at<uint64_t>(address.bytes.data());
    const auto low = word_at<uint64_t>(address.bytes.data() + 8);
    return hash_words(hash_words(high, low, seed_), port, seed_) >> (64 - kBits);
  }
  void count(PortIndex port, const IpAddress& address, uint32_t by) noexcept {
    std::atomic<uint32_t>& slot = counts_[slot_of(port, address)];
    slot.store(slot.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  uint64_t seed_ = 0;
  LazyArray<std::atomic<uint32_t>> counts_{size_t{1} << kBits};
};

}  // namespace causeway
