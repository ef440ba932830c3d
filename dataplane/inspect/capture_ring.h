// Frames on their way from one worker to whoever shows them: copies of different lengths in a ring of bytes. One thread
// writes, one reads; no locks, no allocation after construction. A full ring takes nothing.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "dataplane/drop_reason.h"
#include "dataplane/flow/adjacency.h"

namespace causeway {

// Which headers a frame of a tunnel has where it is looked at.
enum class TunnelHeaders : uint8_t {
  as_sent,  // looked at on a port, not at a tunnel's end
  inner,    // without the outer ones
  outer,    // with them
};

// Where frames are looked at.
struct CapturePlace {
  PortIndex port = 0;
  bool outgoing = false;
  TunnelHeaders headers = TunnelHeaders::as_sent;
  DropReason reason = DropReason::none;  // else they died of it here
  AdjacencyIndex tunnel = kNoAdjacency;  // the end they came from or go to, where that is known
};

struct CapturedFrame {
  uint32_t record_bytes = 0;  // this, the bytes behind it, and what fills up to kAlignment
  uint32_t kept_bytes = 0;    // behind this
  uint32_t frame_bytes = 0;   // all that the frame had
  CapturePlace place;
  uint64_t cycles = 0;  // of the timestamp counter

  const uint8_t* bytes() const noexcept { return reinterpret_cast<const uint8_t*>(this + 1); }
};

class CaptureRing {
 public:
  // `bytes` is rounded up to a power of two.
  explicit CaptureRing(size_t bytes) : memory_(std::bit_ceil(bytes) / kAlignment), mask_(std::bit_ceil(bytes) - 1) {}

  // Writer: room for a frame of which so many bytes are kept; null where there is none. It is the reader's with
  // commit().
  CapturedFrame* reserve(uint32_t kept_bytes) noexcept {
    const auto wanted =
        static_cast<uint32_t>((sizeof(CapturedFrame) + kept_bytes + kAlignment - 1) & ~(kAlignment - 1));
    const uint64_t to_end = mask_ + 1 - (head_value_ & mask_);
    // A record lies in one piece: what is too short for it at the end is passed over.
    const uint64_t passed_over = wanted > to_end ? to_end : 0;
    if (!has_room(passed_over + wanted)) return nullptr;
    if (passed_over != 0) {
      const auto skipped = static_cast<uint32_t>(passed_over) | kPassedOver;
      std::memcpy(at(head_value_), &skipped, sizeof skipped);
      head_value_ += passed_over;
    }
    auto* const frame = new (at(head_value_)) CapturedFrame;
    frame->record_bytes = wanted;
    frame->kept_bytes = kept_bytes;
    head_value_ += wanted;
    return frame;
  }
  void commit() noexcept { head_.store(head_value_, std::memory_order_release); }

  // Reader: the oldest frame, until pop(); null where there is none.
  const CapturedFrame* front() noexcept {
    uint64_t tail = tail_.load(std::memory_order_relaxed);
    const uint64_t head = head_.load(std::memory_order_acquire);
    if (tail == head) return nullptr;
    uint32_t bytes = 0;
    std::memcpy(&bytes, at(tail), sizeof bytes);
    if ((bytes & kPassedOver) != 0) {
      tail += bytes & ~kPassedOver;
      tail_.store(tail, std::memory_order_release);
    }
    return reinterpret_cast<const CapturedFrame*>(at(tail));
  }
  void pop() noexcept {
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    const auto* const frame = reinterpret_cast<const CapturedFrame*>(at(tail));
    tail_.store(tail + frame->record_bytes, std::memory_order_release);
  }

 private:
  static constexpr size_t kAlignment = 8;
  static constexpr uint32_t kPassedOver = 1U << 31;

  bool has_room(uint64_t bytes) noexcept {
    if (head_value_ + bytes - tail_cache_ <= mask_ + 1) return true;
    tail_cache_ = tail_.load(std::memory_order_acquire);
    return head_value_ + bytes - tail_cache_ <= mask_ + 1;
  }
  uint8_t* at(uint64_t position) noexcept { return reinterpret_cast<uint8_t*>(memory_.data()) + (position & mask_); }

  std::vector<uint64_t> memory_;
  const uint64_t mask_;
  alignas(64) std::atomic<uint64_t> head_{0};
  uint64_t head_value_ = 0;  // the writer's: with what isn't committed
  uint64_t tail_cache_ = 0;  // the writer's
  alignas(64) std::atomic<uint64_t> tail_{0};
};

}  // namespace causeway
