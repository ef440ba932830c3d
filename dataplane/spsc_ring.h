// Bounded ring between one producer thread and one consumer thread. No locks, no allocation after
// construction; a full ring refuses.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>

namespace causeway {

template <class T>
class SpscRing {
 public:
  // `capacity` is rounded up to a power of two.
  explicit SpscRing(size_t capacity) : mask_(std::bit_ceil(capacity) - 1), items_(new T[mask_ + 1]()) {}

  // Producer. False when full.
  bool push(const T& item) noexcept {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head - tail_cache_ > mask_) {
      tail_cache_ = tail_.load(std::memory_order_acquire);
      if (head - tail_cache_ > mask_) return false;
    }
    items_[head & mask_] = item;
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

  // Either end: how many there were a moment ago.
  size_t size() const noexcept { return head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_acquire); }

  // Consumer. False when empty.
  bool pop(T& item) noexcept {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail == head_cache_) {
      head_cache_ = head_.load(std::memory_order_acquire);
      if (tail == head_cache_) return false;
    }
    item = items_[tail & mask_];
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Consumer.
  bool empty() const noexcept { return tail_.load(std::memory_order_relaxed) == head_.load(std::memory_order_acquire); }

 private:
  size_t mask_;
  std::unique_ptr<T[]> items_;
  alignas(64) std::atomic<size_t> head_{0};
  size_t tail_cache_ = 0;  // producer's
  alignas(64) std::atomic<size_t> tail_{0};
  size_t head_cache_ = 0;  // consumer's
};

}  // namespace causeway
