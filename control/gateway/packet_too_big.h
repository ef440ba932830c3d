// Tells the sender of a frame that is too big for its way out what would fit (RFC 1191 section 4, RFC 4443 section
// 3.2), so that it recovers by itself. We have no address where the sender is, so the answer comes from the packet's
// destination, as those of the Linux bridge for its tunnels do (net/ipv4/ip_tunnel_core.c, skb_tunnel_check_pmtu).
#pragma once

#include <rte_mbuf.h>

#include "dataplane/flow/adjacency.h"

namespace causeway {

// Fills the empty frame `answer`, MACs and addresses of `frame` swapped, its VLAN tags kept. False: there must be none.
// Not for anything but IP; IPv4 without DF, or fragments of it; group addresses; ICMP errors; nor if less than every
// host must take fits (576 bytes, IPv6: 1280): nobody would believe it.
bool write_packet_too_big(rte_mbuf* answer, const rte_mbuf* frame, const Adjacency& to);

}  // namespace causeway
