#include "dataplane/inspect/drop_examples.h"

#include <rte_cycles.h>

#include <algorithm>
#include <cstring>

namespace causeway {

void DropExamples::keep(const rte_mbuf* frame, const CapturePlace& place) noexcept {
  const auto reason = static_cast<size_t>(place.reason);
  DropExample& example = examples_[reason];
  example.place = place;
  example.cycles = rte_rdtsc();
  example.frame_bytes = frame->pkt_len;
  example.kept_bytes = std::min(frame->pkt_len, DropExample::kMostBytes);
  const void* const from = rte_pktmbuf_read(frame, 0, example.kept_bytes, example.bytes.data());
  if (from != example.bytes.data()) std::memcpy(example.bytes.data(), from, example.kept_bytes);
  full_[reason].store(true, std::memory_order_release);
}

bool DropExamples::take(DropReason reason, DropExample& example) noexcept {
  std::atomic<bool>& full = full_[static_cast<size_t>(reason)];
  if (!full.load(std::memory_order_acquire)) return false;
  example = examples_[static_cast<size_t>(reason)];
  full.store(false, std::memory_order_release);
  return true;
}

}  // namespace causeway
