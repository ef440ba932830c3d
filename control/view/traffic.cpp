#include "control/view/traffic.h"

namespace causeway {

void Traffic::add(const TrafficCounters& counters) {
  rx_packets += counters.rx_packets.get();
  rx_bytes += counters.rx_bytes.get();
  tx_packets += counters.tx_packets.get();
  tx_bytes += counters.tx_bytes.get();
}

void Traffic::add(const SwitchedTraffic& switched) {
  rx_packets += switched.rx_packets;
  rx_bytes += switched.rx_bytes;
  tx_packets += switched.tx_packets;
  tx_bytes += switched.tx_bytes;
}

PortTotals port_totals(const Gateway& gateway, const Ports::Record& record) {
  PortTotals totals;
  if (record.port != nullptr) totals.device = record.port->device_stats();
  totals.rx_drops = totals.device.rx_missed + totals.device.rx_errors;
  totals.tx_drops = totals.device.tx_errors;
  for (const auto& worker : gateway.workers()) {
    const PortCounters& counters = worker->counters().ports[record.index];
    totals.traffic.add(counters.traffic);
    totals.rx_drops += counters.rx_drops.get();
    totals.tx_drops += counters.tx_drops.get();
  }
  totals.traffic.add(gateway.elephants().of_port(record.index));
  return totals;
}

void Traffic::add(const Traffic& other) {
  rx_packets += other.rx_packets;
  rx_bytes += other.rx_bytes;
  tx_packets += other.tx_packets;
  tx_bytes += other.tx_bytes;
}

Traffic remote_totals(const Gateway& gateway, AdjacencyIndex adjacency) {
  Traffic traffic;
  for (const auto& worker : gateway.workers()) traffic.add(worker->counters().tunnels[adjacency]);
  traffic.add(gateway.elephants().of_tunnel(adjacency));
  return traffic;
}

Traffic tunnel_totals(const Gateway& gateway, const Tunnels::Tunnel& tunnel) {
  Traffic traffic;
  for (const Tunnels::Endpoint& endpoint : tunnel.endpoints) traffic.add(remote_totals(gateway, endpoint.adjacency));
  for (const auto& [remote, vtep] : tunnel.vteps) traffic.add(remote_totals(gateway, vtep.adjacency));
  return traffic;
}

std::array<uint64_t, kDropReasons> drop_totals(const Gateway& gateway) {
  std::array<uint64_t, kDropReasons> totals = gateway.drops();
  for (const auto& worker : gateway.workers()) {
    for (size_t reason = 0; reason < kDropReasons; ++reason) {
      totals[reason] += worker->counters().drops[reason].get();
    }
  }
  return totals;
}

}  // namespace causeway
