// A worker's transmit buffers, one per output port. For the tx stage.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/flow/adjacency.h"
#include "dataplane/flow/lazy_array.h"

struct rte_mbuf;

namespace causeway {

struct TxBuffer {
  static constexpr uint16_t kCapacity = 64;
  uint16_t count = 0;
  uint32_t bytes = 0;  // of all of them
  std::array<rte_mbuf*, kCapacity> frame;
};

struct TxBuffers {
  LazyArray<TxBuffer> port{kMaxPorts};
  std::array<PortIndex, kMaxPorts> pending{};  // ports with frames, in order of first use
  uint16_t pending_count = 0;
};

}  // namespace causeway
