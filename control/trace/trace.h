// What would become of a frame: a worker of its own, which nobody counts and nobody hears, carries it over the tables
// that run (control/trace/shadow_tables.h). So each decision is the dataplane's own code's. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "control/gateway/gateway.h"
#include "control/trace/shadow_tables.h"
#include "dataplane/counters.h"
#include "dataplane/exchange.h"
#include "dataplane/inspect/capture_ring.h"

namespace causeway {

struct Trace {
  // A place that the frame, or one that came of it, passed or died at; in order.
  struct Seen {
    CapturePlace place;
    uint64_t cycles = 0;
    uint32_t frame_bytes = 0;
  };
  // Where a MAC lives, with kFdbStatic; none: the FDB doesn't know it.
  using Home = std::optional<AdjacencyIndex>;
  // What went to the control thread; not done, but said.
  struct ToControl {
    Punt kind = Punt::to_us;
    AdjacencyIndex from = kNoAdjacency;  // unknown_vtep: the tunnel's
    AdjacencyIndex to = kNoAdjacency;    // unresolved, too_big
    IpAddress vtep{};                    // unknown_vtep
  };
  // What a frame that asks for a host is answered, in place of a flood.
  struct Answer {
    IpAddress ip;
    MacAddress mac;
  };

  PortIndex port = 0;
  uint32_t frame_bytes = 0;
  std::vector<Seen> seen;
  std::optional<FlowKey> flow;  // none: it died, or went to the control thread, before its way was looked up
  Home source;
  Home destination;
  std::optional<Answer> answer;
  std::optional<LearnMessage> learnt;
  std::vector<ShadowTables::Sent> sent;  // in order
  std::vector<ToControl> to_control;
  std::array<uint64_t, kDropReasons> drops{};

  bool dropped(DropReason reason) const { return drops[static_cast<size_t>(reason)] != 0; }
};

// `bytes`: a frame as the port would receive it, 1 to 65,535. As if it were the first in this second: limits of a
// second don't meet it. None: no buffers are left, or the port has no device.
std::optional<Trace> trace_frame(Gateway& gateway, PortIndex port, std::span<const uint8_t> bytes);

}  // namespace causeway
