#include "control/capture/clock.h"

#include <rte_cycles.h>

#include <chrono>

namespace causeway {
namespace {

uint64_t system_ns() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

}  // namespace

void CaptureClock::follow() {
  if (rte_rdtsc() - cycles_ > rte_get_tsc_hz()) set();
}

// Of a few looks the one that took least: nobody else had the processor between the two clocks.
void CaptureClock::set() {
  constexpr int kLooks = 5;
  ns_per_cycle_ = 1e9 / static_cast<double>(rte_get_tsc_hz());
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < kLooks; ++i) {
    const uint64_t before = rte_rdtsc();
    const uint64_t ns = system_ns();
    const uint64_t took = rte_rdtsc() - before;
    if (took >= least) continue;
    least = took;
    cycles_ = before + took / 2;
    ns_ = ns;
  }
}

uint64_t CaptureClock::time_at(uint64_t cycles) const noexcept {
  const auto later = static_cast<double>(static_cast<int64_t>(cycles - cycles_)) * ns_per_cycle_;
  return ns_ + static_cast<uint64_t>(static_cast<int64_t>(later));
}

uint64_t CaptureClock::now() const { return time_at(rte_rdtsc()); }

}  // namespace causeway
