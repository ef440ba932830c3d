#include "control/gateway/last_drops.h"

#include <rte_cycles.h>

namespace causeway {
namespace {

LastDrops::Clock::time_point time_of(uint64_t cycles) {
  const auto ago_s = static_cast<double>(rte_rdtsc() - cycles) / static_cast<double>(rte_get_tsc_hz());
  return LastDrops::Clock::now() -
         std::chrono::duration_cast<LastDrops::Clock::duration>(std::chrono::duration<double>(ago_s));
}

}  // namespace

void LastDrops::take(DropExamples& examples) {
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    DropExample example;
    Drop& last = drops_.at(reason);
    if (!examples.take(static_cast<DropReason>(reason), example) || example.cycles < last.example.cycles) continue;
    last = {example, time_of(example.cycles)};
  }
}

}  // namespace causeway
