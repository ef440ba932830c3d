// The control thread's own state: how long it was busy at a stretch, and who has the buffers.
#pragma once

#include <nlohmann/json.hpp>

#include "control/gateway/gateway.h"
#include "control/process/event_loop.h"

namespace causeway {

// {"longest_slice_ms", "longest_slice_of_minute_ms", "busy_ms", "slices", "lost_log_lines", "neighbors",
//  "buffers": {"all", "used", "held_for_neighbors", "held_most"}}.
nlohmann::json show_control(const EventLoop::Slices& slices, const Gateway& gateway);

}  // namespace causeway
