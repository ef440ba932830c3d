// The start of the last frame that died of each reason: a slot a reason, which the control thread empties some times a
// second and the next frame fills. What lives is never looked at; what dies while its slot is full costs one look.
// One thread writes, one reads.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "dataplane/drop_reason.h"
#include "dataplane/inspect/capture_ring.h"

namespace causeway {

struct DropExample {
  static constexpr uint32_t kMostBytes = 128;

  CapturePlace place;
  uint64_t cycles = 0;       // of the timestamp counter
  uint32_t frame_bytes = 0;  // all that the frame had
  uint32_t kept_bytes = 0;
  std::array<uint8_t, kMostBytes> bytes;
};

class DropExamples {
 public:
  // Who drops.
  bool wants(DropReason reason) const noexcept {
    return !full_[static_cast<size_t>(reason)].load(std::memory_order_acquire);
  }
  // Only where it is wanted. The frame stays the caller's.
  void keep(const rte_mbuf* frame, const CapturePlace& place) noexcept;

  // Who reads: false where no frame has died of this reason since the last call.
  bool take(DropReason reason, DropExample& example) noexcept;

 private:
  std::array<std::atomic<bool>, kDropReasons> full_{};
  std::array<DropExample, kDropReasons> examples_;
};

}  // namespace causeway
