// RSS in software: `spread: software`.
#pragma once

#include <cstdint>
#include <memory>

#include "pmd/port.h"

namespace causeway {

// A port with `queues` receive queues over one of `device`. Whoever polls queue 0 polls the device, keeps the frames
// whose flow (dataplane/flow/innermost_flow.h) is of queue 0 and puts each other one into the ring of its queue, from
// where that queue's worker takes it: a flow's frames stay in order, also where queues change hands. A frame that finds
// its ring full is lost, and counted in PortDeviceStats::rx_missed. It takes no flow rules. Everything else is the
// device's.
std::unique_ptr<Port> spread_over(std::unique_ptr<Port> device, uint16_t queues);

}  // namespace causeway
