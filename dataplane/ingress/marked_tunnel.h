// A NIC's flow rule may have said already which tunnel a frame belongs to: by a mark, the tunnel's adjacency. Rules lag
// behind the tables (the control thread changes them later and slowly), and devices err: so a mark is a
// hint, believed only if the adjacency's own headers are those of the frame, seen from the other end.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>

#include "dataplane/flow/adjacency.h"
#include "dataplane/flow/tables.h"
#include "dataplane/flow/tunnel_table.h"
#include "dataplane/wire/gre.h"

namespace causeway {

// Whether frames that this adjacency sends and those of `key` are the two directions of one tunnel.
inline bool is_tunnel_of(const Adjacency& adjacency, const TunnelKey& key) noexcept {
  if (adjacency.kind != key.kind || !row_of(adjacency.kind).nic_rules) return false;
  if (adjacency.ipv6 != key.remote.is_v6()) return false;
  const uint8_t* const outer = adjacency.outer.data.data() + OuterTemplate::kCapacity - adjacency.outer_bytes;
  const uint8_t* const l4 = outer + adjacency.udp_offset;
  // Source and destination are the IP header's end.
  const size_t bytes = adjacency.ipv6 ? 16 : 4;
  const uint8_t* const ours = l4 - 2 * bytes;
  const uint8_t* const local = adjacency.ipv6 ? key.local.bytes.data() : key.local.v4_wire();
  const uint8_t* const remote = adjacency.ipv6 ? key.remote.bytes.data() : key.remote.v4_wire();
  if (std::memcmp(ours, local, bytes) != 0 || std::memcmp(ours + bytes, remote, bytes) != 0) return false;
  be32 id;
  if (adjacency.kind == TunnelType::gretap) {
    const auto& gre = *reinterpret_cast<const GreHeader*>(l4);
    if (gre.has_key() != (key.keyless == 0)) return false;
    if (!gre.has_key()) return true;
    std::memcpy(&id, l4 + gre.key_offset(), sizeof(id));
    return id.get() == key.id;
  }
  be16 port;
  std::memcpy(&port, l4 + 2, sizeof(port));
  // The VNI stands at the same place in GENEVE (RFC 8926 section 3.4) and VXLAN (RFC 7348 section 5).
  std::memcpy(&id, l4 + 8 + 4, sizeof(id));
  return port.get() == key.udp_port && id.get() >> 8 == key.id;
}

// Null: no mark, or a wrong one.
inline const Adjacency* marked_tunnel(const Tables& tables, const rte_mbuf* m, const TunnelKey& key) noexcept {
  if ((m->ol_flags & RTE_MBUF_F_RX_FDIR_ID) == 0) [[likely]] {
    return nullptr;
  }
  const Adjacency* const adjacency = tables.adjacency(m->hash.fdir.hi);
  return adjacency != nullptr && is_tunnel_of(*adjacency, key) ? adjacency : nullptr;
}

}  // namespace causeway
