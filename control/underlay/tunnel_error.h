// ICMP errors about our tunnels' packets (RFC 792, RFC 4443): what hosts and routers of the underlay say to them.
#pragma once

#include <rte_mbuf.h>

#include <optional>

#include "dataplane/flow/tables.h"

namespace causeway {

struct TunnelError {
  enum class Kind : uint8_t {
    too_big,        // of the way: `mtu` would have fitted
    no_port,        // nobody listens on the UDP port there
    no_protocol,    // nobody takes GRE there
    prohibited,     // a filter refuses it
    unreachable,    // a router knows no way to the remote, or the remote doesn't answer it
    time_exceeded,  // the TTL is used up: it is too low, or routers send the packet round and round
  };
  Kind kind = Kind::too_big;
  IpAddress from;             // who says so
  TunnelKey tunnel;           // whose packet was quoted: `local` sent it to `remote`; `id` is what was sent
  uint32_t packet_bytes = 0;  // of that packet
  uint32_t mtu = 0;           // with too_big
};

const char* to_string(TunnelError::Kind kind);

// Nothing: no ICMP error of these kinds, or one that is not about a packet that a tunnel of ours could have sent: its
// addresses, ports and tunnel header must all stand in the quote.
std::optional<TunnelError> read_tunnel_error(const rte_mbuf* frame, const UdpListeners& listeners);

}  // namespace causeway
