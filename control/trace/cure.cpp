#include "control/trace/cure.h"

namespace causeway {
namespace {

// Of frames on a bridge's and on an underlay's way.
std::string_view cure_of_way(DropReason reason) {
  switch (reason) {
    case DropReason::port_unassigned:
      return "put the port into a bridge's `interfaces`, or give it `addresses`";
    case DropReason::same_port:
      return "`causewayctl show fdb`: is the destination there by mistake? Then flush it";
    case DropReason::split_horizon:
      return "`isolated: false` on one of the two, where that makes no loop";
    case DropReason::no_flood_target:
      return "`causewayctl show bridges`: a second interface is missing, or down";
    case DropReason::flood_limit:
      return "raise `flood-rate`";
    case DropReason::host_limit:
      return "`causewayctl capture --drops`: who floods the host? Have it filtered on its way";
    case DropReason::port_down:
      return "`causewayctl show ports`: bring the way out up";
    case DropReason::too_big:
      return "a smaller MTU for the sender, a larger one for the underlay, or `mss-clamp: auto`";
    case DropReason::vlan_not_member:
    case DropReason::vlan_not_carried:
      return "add the VLAN to the port's or tunnel's `vlan`";
    case DropReason::mac_not_bound:
    case DropReason::address_not_bound:
      return "add the sender to the port's `bindings`, if it may speak there";
    case DropReason::neighbor_unresolved:
      return "`causewayctl show neighbors`: is the next hop up, and in the underlay's network?";
    case DropReason::no_route:
      return "add a route to the remote: `routes` of an underlay";
    case DropReason::tx_refused:
      return "the MTU of the way out's interface, and whether it is up";
    case DropReason::mbuf_alloc:
    case DropReason::held_limit:
      return "more `memory`, or find who holds the buffers: `causewayctl show control`";
    default:
      return {};
  }
}

}  // namespace

std::string_view cure_of(DropReason reason) {
  switch (reason) {
    case DropReason::not_for_us:
      return "the sender's route, next hop and `remote`: the frame is for another host";
    case DropReason::unknown_protocol:
      return "`port` of the tunnel, or of its peer: do both ends mean the same UDP port and mode?";
    case DropReason::unknown_vni:
      return "`id` or `key` of the tunnel, or of its peer: they must be equal";
    case DropReason::unknown_remote:
      return "add the source to the tunnel's `remote`, or correct the peer's `local`";
    case DropReason::source_not_allowed:
      return "add the source to `allow-from`, if it may send";
    case DropReason::tunnel_unassigned:
      return "put the tunnel into a bridge's `interfaces`";
    case DropReason::geneve_mismatch:
      return "`options` of both ends, or leave out `match-options`";
    case DropReason::udp_zero_checksum:
      return "have the peer send checksums, or `udp6-zero-checksum-rx: true`";
    case DropReason::ip_fragment:
      return "a smaller MTU for the peer's tunnel, so that nobody has to make fragments";
    case DropReason::ecn:
      return "the peer must copy the inner ECN field when it encapsulates (RFC 6040)";
    default:
      return cure_of_way(reason);
  }
}

}  // namespace causeway
