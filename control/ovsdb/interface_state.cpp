#include "control/ovsdb/interface_state.h"

#include <net/if.h>

#include <algorithm>

#include "control/config/address_text.h"
#include "control/ovsdb/mapping/devices.h"
#include "control/view/traffic.h"

namespace causeway::ovsdb {
namespace {

using nlohmann::json;

json nothing() { return wire_set(json::array()); }

InterfaceState::Statistics statistics_of(const Traffic& traffic) {
  InterfaceState::Statistics statistics;
  statistics.rx_packets = traffic.rx_packets;
  statistics.rx_bytes = traffic.rx_bytes;
  statistics.tx_packets = traffic.tx_packets;
  statistics.tx_bytes = traffic.tx_bytes;
  return statistics;
}

// What is lost counts once: as an error, or as dropped.
InterfaceState::Statistics statistics_of(const PortTotals& totals) {
  InterfaceState::Statistics statistics = statistics_of(totals.traffic);
  statistics.rx_errors = totals.device.rx_errors;
  statistics.tx_errors = totals.device.tx_errors;
  statistics.rx_dropped = totals.rx_drops - std::min(totals.rx_drops, totals.device.rx_errors);
  statistics.tx_dropped = totals.tx_drops - std::min(totals.tx_drops, totals.device.tx_errors);
  return statistics;
}

json wire(const InterfaceState::Statistics& statistics) {
  return wire_map({{"rx_packets", statistics.rx_packets},
                   {"rx_bytes", statistics.rx_bytes},
                   {"rx_dropped", statistics.rx_dropped},
                   {"rx_errors", statistics.rx_errors},
                   {"tx_packets", statistics.tx_packets},
                   {"tx_bytes", statistics.tx_bytes},
                   {"tx_dropped", statistics.tx_dropped},
                   {"tx_errors", statistics.tx_errors}});
}

Columns broken(const std::string& error) {
  Columns columns{{"ofport", -1}, {"error", error}};
  for (const char* empty : {"admin_state", "link_state", "link_resets", "mac_in_use", "mtu", "ifindex"}) {
    columns[empty] = nothing();
  }
  columns["status"] = columns["statistics"] = wire_map(json::object());
  return columns;
}

void add_port(const Gateway& gateway, const Ports::Record& port, const std::string& name, const InterfaceState* before,
              bool statistics, InterfaceState& state) {
  if (port.port == nullptr) {
    const bool absent = port.missing.why.kind == OpenError::Kind::absent;
    state.error = cannot_open(name, absent ? "No such device" : port.missing.why.text);
    return;
  }
  state.link_up = port.link_up;
  state.mac = port.mac;
  state.mtu = port.mtu;
  state.driver = port.port->kind();
  // Three system calls. One that was up a moment ago is the same one, or it would have been missing between.
  const bool known = before != nullptr && before->error.empty();
  state.index = known ? before->index : if_nametoindex(name.c_str());
  if (statistics) state.statistics = statistics_of(port_totals(gateway, port));
}

void add_tunnel(const Gateway& gateway, const Tunnels::Tunnel& tunnel, bool statistics, InterfaceState& state) {
  state.tunnel = true;
  if (statistics) state.statistics = statistics_of(tunnel_totals(gateway, tunnel));
  const Tunnels::Endpoint& end = tunnel.endpoints.front();
  if (end.next_hops.empty()) return;
  const Ports::Record* const egress = gateway.ports().find(end.next_hops.front().port);
  if (egress == nullptr || egress->port == nullptr) return;
  state.driver = egress->port->name();
  state.carrier = egress->link_up;
}

}  // namespace

json wire_set(json atoms) { return json::array({"set", std::move(atoms)}); }

json wire_map(const json& object) {
  json pairs = json::array();
  for (const auto& [key, value] : object.items()) pairs.push_back({key, value});
  return json::array({"map", pairs});
}

Columns InterfaceState::columns() const {
  if (!error.empty()) return broken(error);
  Columns columns{{"ofport", ofport},
                  {"error", nothing()},
                  {"admin_state", "up"},
                  {"link_state", link_up ? "up" : "down"},
                  {"link_resets", 0},
                  {"mac_in_use", tunnel ? nothing() : json(to_string(mac))},
                  {"mtu", tunnel ? nothing() : json(mtu)},
                  {"ifindex", index}};
  json status = json::object();
  if (tunnel && !driver.empty()) {
    status = {{"tunnel_egress_iface", driver}, {"tunnel_egress_iface_carrier", carrier ? "up" : "down"}};
  } else if (!tunnel) {
    status = {{"driver_name", driver}};
  }
  columns["status"] = wire_map(status);
  if (statistics) columns["statistics"] = wire(*statistics);
  return columns;
}

InterfaceState interface_state(const Gateway& gateway, const std::string& name, const InterfaceState* before,
                               bool statistics) {
  InterfaceState state;
  statistics = statistics || before == nullptr || !before->error.empty();
  if (before != nullptr) state.statistics = before->statistics;
  if (const Ports::Record* const port = gateway.ports().find(name)) {
    add_port(gateway, *port, name, before, statistics, state);
  } else if (const Tunnels::Tunnel* const tunnel = gateway.tunnels().find(name)) {
    add_tunnel(gateway, *tunnel, statistics, state);
  } else {
    state.error = "could not open " + name;
  }
  return state;
}

}  // namespace causeway::ovsdb
