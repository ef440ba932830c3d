// Frames that ask a port for one offload each: for its self-test.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

#include "control/config/config.h"
#include "dataplane/flow/tunnel_table.h"
#include "dataplane/frame/intent.h"

namespace causeway {

struct OffloadProbe {
  Outer outer = Outer::none;
  GsoType cut = GsoType::none;  // none: only a checksum, of TCP over IPv4
  bool outer_checksum = false;
  uint8_t flow = 0;  // others differ in an inner port only
};

// One mbuf with its Intent; null when the pool is empty.
rte_mbuf* make_probe(const OffloadProbe& probe, rte_mempool* pool);
// How often `probe` is cut.
inline constexpr uint32_t kProbeSegments = 4;

// The tunnel of a probe, as a rule would name its frames if they came in. No configuration has it: its addresses are
// documentation's (RFC 5737, RFC 3849).
TunnelKey probe_tunnel(Outer outer);

}  // namespace causeway
