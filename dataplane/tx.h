// The transmit stage: a buffer per output port, flushed when full and at the end of each loop. Frames that
// want more than the port can do pass the segment stage on their way in.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "dataplane/counters.h"
#include "dataplane/flow/adjacency.h"
#include "dataplane/intent.h"

namespace causeway {

struct WorkerContext;

struct TxBuffer {
  static constexpr uint16_t kCapacity = 64;
  uint16_t count = 0;
  std::array<rte_mbuf*, kCapacity> frame;
};

struct TxBuffers {
  LazyArray<TxBuffer> port{kMaxPorts};
  std::array<PortIndex, kMaxPorts> pending{};  // ports with frames, in order of first use
  uint16_t pending_count = 0;
};

// Queues a frame; takes it over.
void tx_enqueue(WorkerContext& w, PortIndex port, rte_mbuf* frame) noexcept;

// Sends everything. Frames a device refuses are dropped as tx_full.
void tx_flush_all(WorkerContext& w) noexcept;

}  // namespace causeway
