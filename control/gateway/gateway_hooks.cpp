// What the parts of the gateway tell each other, and ask: who is called is said here alone.
#include "control/gateway/gateway.h"

namespace causeway {

Neighbors::Hooks Gateway::neighbor_hooks() {
  Neighbors::Hooks hooks;
  hooks.make_frame = [this] { return exchange_.make_frame(); };
  hooks.send = [this](PortIndex port, rte_mbuf* frame) { exchange_.send(port, frame); };
  hooks.resume = [this](const PuntedFrame& frame) { exchange_.resume(frame); };
  hooks.drop = [this](rte_mbuf* frame, PortIndex port, DropReason reason) {
    const PortEntry* const entry = tables_.port(port);
    if (reason == DropReason::control_ignored && entry != nullptr && entry->host_path != kNoPort) {
      return rte_pktmbuf_free(frame);  // a copy
    }
    const bool host = reason == DropReason::control_ignored && underlay_.host_answers(port);
    exchange_.drop(frame, port, host ? DropReason::host_traffic : reason);
  };
  hooks.changed = [this](const NextHop& hop) { tunnels_.neighbor_changed(hop); };
  hooks.noted = [this](const auto& hop, const auto& before, const auto& now) { events_.neighbor(hop, before, now); };
  return hooks;
}

Fdb::Hooks Gateway::fdb_hooks() {
  Fdb::Hooks hooks;
  hooks.moved = [this](BridgeIndex bridge, MacVlan key, AdjacencyIndex from, AdjacencyIndex to) {
    events_.moved(bridge, key, from, to);
  };
  hooks.refused = [this](BridgeIndex bridge, AdjacencyIndex end, uint32_t most) {
    events_.macs_full(bridge, end, most);
  };
  hooks.changed = [this](BridgeIndex bridge, MacVlan key) { evpn_.fabric().mac_changed(bridge, key); };
  return hooks;
}

Hosts::Hooks Gateway::host_hooks() {
  Hosts::Hooks hooks;
  hooks.make_frame = [this] { return exchange_.make_frame(); };
  hooks.forward = [this](const Adjacency& port, rte_mbuf* frame) { exchange_.forward(port, frame); };
  return hooks;
}

Tunnels::Hooks Gateway::tunnel_hooks() {
  Tunnels::Hooks hooks;
  hooks.published = [this](AdjacencyIndex end, DropReason blocked) { events_.tunnel(end, blocked); };
  hooks.vtep_learnt = [this](const auto& tunnel, const IpAddress& vtep) { events_.vtep_learnt(tunnel, vtep); };
  hooks.vtep_gone = [this](const auto& tunnel, const IpAddress& vtep) { events_.vtep_gone(tunnel, vtep); };
  hooks.vteps_full = [this](const auto& tunnel) { events_.vteps_full(tunnel, Tunnels::kMaxVteps); };
  return hooks;
}

Evpn::Hooks Gateway::evpn_hooks() {
  Evpn::Hooks hooks;
  hooks.host = [this](BridgeIndex bridge, uint16_t vlan, const IpAddress& ip, const MacAddress& mac) {
    hosts_.fabric_host(bridge, vlan, ip, mac);
  };
  hooks.host_gone = [this](BridgeIndex bridge, uint16_t vlan, const IpAddress& ip) {
    hosts_.fabric_host_gone(bridge, vlan, ip);
  };
  hooks.vteps_changed = [this] {
    offload_sync_.changed();
    clear_released();
  };
  return hooks;
}

Silences::Hooks Gateway::silence_hooks() {
  Silences::Hooks hooks;
  hooks.packets = [this](AdjacencyIndex end) {
    Tunnels::Packets packets = exchange_.packets_of(end);
    const SwitchedTraffic& switched = elephants_.of_tunnel(end);
    packets.received += switched.rx_packets;
    packets.sent += switched.tx_packets;
    return packets;
  };
  hooks.changed = [this](AdjacencyIndex end, bool silent) { events_.silent(end, silent); };
  return hooks;
}

Memberships::Hooks Gateway::membership_hooks() {
  Memberships::Hooks hooks;
  hooks.make_frame = [this] { return exchange_.make_frame(); };
  hooks.send = [this](PortIndex port, rte_mbuf* frame) { exchange_.send(port, frame); };
  hooks.changed = [this](PortIndex port) { ports_.listen_anew(port); };
  hooks.join_as_host = [this](PortIndex port, const IpAddress& group) {
    host_sockets_.join(underlay_.find(port)->name, group);
  };
  hooks.leave_as_host = [this](PortIndex port, const IpAddress& group) {
    host_sockets_.leave(underlay_.find(port)->name, group);
  };
  return hooks;
}

}  // namespace causeway
