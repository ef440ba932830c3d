// Quiescent-state based reclamation (QSBR). The control thread replaces what workers read by pointer
// and frees the old one only after every worker has said, once each loop, "I hold nothing".
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace causeway {

class Quiescence {
 public:
  static constexpr size_t kMaxWorkers = 64;

  // Worker `id`: joins (or comes back from sleep), and says it holds nothing. Costs a load and, when the
  // control thread has published something since, a store.
  void online(size_t id) noexcept {
    // Held first, then a read-modify-write of the epoch: in its order with start()'s, one of the two threads sees what
    // the other did before. Not a fence, which the thread sanitizer does not know.
    seen_[id].epoch.store(kHeld, std::memory_order_relaxed);
    seen_[id].epoch.store(epoch_.fetch_add(0, std::memory_order_acq_rel), std::memory_order_release);
  }
  void quiescent(size_t id) noexcept {
    const uint64_t now = epoch_.load(std::memory_order_acquire);
    if (seen_[id].epoch.load(std::memory_order_relaxed) != now) seen_[id].epoch.store(now, std::memory_order_release);
  }
  // Worker `id`: will not read anything until online() again.
  void offline(size_t id) noexcept { seen_[id].epoch.store(kOffline, std::memory_order_release); }

  // Control thread: starts a grace period for all that was unpublished before the call; done(token) tells
  // when it has passed.
  uint64_t start() noexcept { return epoch_.fetch_add(1, std::memory_order_seq_cst) + 1; }
  bool done(uint64_t token) const noexcept {
    for (const Seen& seen : seen_) {
      if (seen.epoch.load(std::memory_order_acquire) < token) return false;
    }
    return true;
  }
  // Any thread: the same for one worker alone.
  bool passed(size_t id, uint64_t token) const noexcept {
    return seen_[id].epoch.load(std::memory_order_acquire) >= token;
  }

 private:
  static constexpr uint64_t kOffline = ~0ULL;
  static constexpr uint64_t kHeld = 0;  // before every grace period
  struct alignas(64) Seen {
    std::atomic<uint64_t> epoch{kOffline};
  };
  alignas(64) std::atomic<uint64_t> epoch_{1};
  std::array<Seen, kMaxWorkers> seen_;
};

}  // namespace causeway
