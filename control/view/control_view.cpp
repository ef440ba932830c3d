#include "control/view/control_view.h"

#include <rte_mempool.h>

#include "control/process/log.h"

namespace causeway {
namespace {

double ms(std::chrono::nanoseconds time) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(time).count()) / 1000;
}

}  // namespace

nlohmann::json show_control(const EventLoop::Slices& slices, const Gateway& gateway) {
  const HeldFrames& held = gateway.neighbors().held();
  return {{"longest_slice_ms", ms(slices.longest)},
          {"longest_slice_of_minute_ms", ms(slices.longest_of_minute)},
          {"busy_ms", ms(slices.all)},
          {"slices", slices.count},
          {"lost_log_lines", lost_log_lines()},
          {"neighbors", gateway.neighbors().all().size()},
          {"buffers",
           {{"all", gateway.pool()->size},
            {"used", rte_mempool_in_use_count(gateway.pool())},
            {"held_for_neighbors", held.buffers()},
            {"held_most", held.most_buffers()}}}};
}

}  // namespace causeway
