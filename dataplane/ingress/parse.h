// Frame -> flow key and offsets. A bridge port's frame gives its key at once; an underlay port's frame is
// read from the outer Ethernet header to the inner one in one pass.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/batch.h"
#include "dataplane/context.h"

namespace causeway {

// Bridge port: fills key and in; too short frames die.
void parse_bridge_port(WorkerContext& w, const Adjacency& in, Batch& batch) noexcept;

// What an underlay frame turned out to be.
struct OuterFrame {
  enum class Verdict : uint8_t { tunnel, control, dead };
  TunnelKey key;                         // of the tunnel it belongs to
  DropReason reason = DropReason::none;  // with Verdict::dead
  uint8_t ecn = 0;                       // of the outer IP header
  bool zero_checksum = false;            // IPv6 and UDP checksum 0
  bool plain_gre = true;                 // neither checksum nor sequence number
  bool critical = false;                 // GENEVE: the header says that there are critical options
  uint16_t options_offset = 0;           // of GENEVE's options, which go up to the inner frame; 0: none
  uint16_t ip_offset = 0;
  uint16_t inner_offset = 0;  // of the inner Ethernet header
  uint32_t end = 0;           // bytes from the frame's start to the inner frame's end
};

// Reads and checks the outer headers (design table "On the wire"). Changes nothing.
OuterFrame::Verdict parse_outer(const WorkerContext& w, const PortEntry& port, const rte_mbuf* m,
                                OuterFrame& outer) noexcept;

}  // namespace causeway
