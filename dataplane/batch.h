// A burst of frames as columns. Stages fill and read columns in the worker's order; a frame that dies or
// leaves early is taken out of the batch by closing the gap.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/flow/adjacency.h"
#include "dataplane/flow/key.h"

struct rte_mbuf;

namespace causeway {

inline constexpr uint16_t kBatch = 64;

struct Batch {
  uint16_t count = 0;
  PortIndex port = 0;                       // all frames came in here
  std::array<rte_mbuf*, kBatch> frame;      // rx
  std::array<FlowKey, kBatch> key;          // parse, decap
  std::array<const Adjacency*, kBatch> in;  // parse, decap: where it came from
  // A bit a frame: it has no tag, and is of the VLAN that batch.in says of those (enter_vlans). Nothing is put on and
  // taken off again on the way between two ends of one VLAN.
  uint64_t implied_tags = 0;
  std::array<AdjacencyIndex, kBatch> out;  // lookup, resolve: where it goes; kFlood, kGone
};

inline constexpr AdjacencyIndex kUnresolved = 0xffff'fffd;  // not in the flow cache
inline constexpr AdjacencyIndex kFlood = 0xffff'fffe;
inline constexpr AdjacencyIndex kGone = 0xffff'ffff;  // dropped, or taken over by somebody

}  // namespace causeway
