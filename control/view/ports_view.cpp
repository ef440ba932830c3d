// `show ports`.
#include <variant>

#include "control/config/address_text.h"
#include "control/view/tables.h"
#include "control/view/traffic.h"
#include "control/view/values.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct PortView {
  const Gateway& gateway;
  const std::string& name;
  const Ports::Record& record;
  const Port* device;  // null: missing
  PortTotals totals;
};

RecordStream<PortView> port_views(const Running& running) {
  const Gateway& gateway = running.gateway;
  return records_of<PortView>(gateway.ports().all(),
                              [&gateway](const std::string& name, const Ports::Record& record, const auto& add) {
                                add({gateway, name, record, record.port.get(), port_totals(gateway, record)});
                              });
}

// As Port::kind() says once there is a device.
const char* kind_of(const config::Ethernet& settings) {
  if (settings.vlan_device() != nullptr) return "vlan";
  if (settings.host_device() != nullptr) return "host";
  if (std::holds_alternative<config::DpdkDevice>(settings.device)) return "dpdk";
  if (std::holds_alternative<config::TapDevice>(settings.device)) return "tap";
  if (std::holds_alternative<NicModelSettings>(settings.device)) return "nic-model";
  return std::holds_alternative<GeneratorSettings>(settings.device) ? "generator" : "packet";
}

json kind_json(const PortView& port) {
  return port.device != nullptr ? json(port.device->kind()) : json(kind_of(port.record.settings));
}

json state_json(const PortView& port) {
  if (port.device == nullptr) return "missing";
  return port.record.link_up ? "up" : "down";
}

json addresses_json(const PortView& port) {
  json addresses = json::array();
  if (const Underlay::Port* const underlay = port.gateway.underlay().find(port.record.index)) {
    for (const IpPrefix& address : underlay->addresses) addresses.push_back(to_string(address));
  }
  return addresses;
}

json host_path_json(const PortView& port) {
  const config::HostDevice* const host = port.record.settings.host_device();
  if (host != nullptr) return host->underlay;
  return port.record.settings.host.empty() ? json() : json(port.record.settings.host);
}

json bindings_json(const PortView& port) {
  json bindings = json::array();
  for (const Binding& binding : port.record.settings.bindings) {
    json bound = json::array();
    for (const IpPrefix& address : binding.addresses) bound.push_back(to_string(address));
    bindings.push_back({{"mac", to_string(binding.mac)}, {"addresses", bound}});
  }
  return bindings;
}

json link_json(const PortView& port) {
  const config::VlanDevice* const vlan = port.record.settings.vlan_device();
  return vlan != nullptr ? json(vlan->link) : json();
}

json vlan_id_json(const PortView& port) {
  const config::VlanDevice* const vlan = port.record.settings.vlan_device();
  return vlan != nullptr ? json(vlan->id) : json();
}

constexpr Column<PortView> kColumns[] = {
    {{"name", "NAME", text, "", "The port's name."}, [](const PortView& port) -> json { return port.name; }},
    {{"kind", "KIND", text, "", "What sort of device it is."}, kind_json},
    {{"bridge", "BRIDGE", text, "", "The bridge that it is in."},
     [](const PortView& port) { return bridge_json(port.gateway, port.name); }},
    {{"vlan", "VLAN", text, "", "The VLANs that it carries."},
     [](const PortView& port) { return vlan_json(port.record.settings.vlan); }},
    {{"state", "STATE", text, "", "Whether its link is up, down, or its device missing."}, state_json},
    {{"mtu", "MTU", gauge, "bytes", "The largest IP packet that it carries."},
     [](const PortView& port) { return port.device != nullptr ? json(port.record.mtu) : json(); }},
    {{"mac", "MAC", text, "", "Its MAC address."},
     [](const PortView& port) { return port.device != nullptr ? json(to_string(port.record.mac)) : json(); }},
    {{"addresses", "ADDRESSES", text, "", "Its IP addresses as an underlay."}, addresses_json},
    {{"rx_packets", "RX PACKETS", counter, "packets", "Packets received, switched by its NIC or by a worker."},
     [](const PortView& port) -> json { return port.totals.traffic.rx_packets; }},
    {{"rx_bytes", "RX BYTES", counter, "bytes", "Bytes of the packets received."},
     [](const PortView& port) -> json { return port.totals.traffic.rx_bytes; }},
    {{"tx_packets", "TX PACKETS", counter, "packets", "Packets sent, switched by its NIC or by a worker."},
     [](const PortView& port) -> json { return port.totals.traffic.tx_packets; }},
    {{"tx_bytes", "TX BYTES", counter, "bytes", "Bytes of the packets sent."},
     [](const PortView& port) -> json { return port.totals.traffic.tx_bytes; }},
    {{"rx_drops", "RX DROPS", counter, "packets", "Packets received that died, in the device or behind it."},
     [](const PortView& port) -> json { return port.totals.rx_drops; }},
    {{"tx_drops", "TX DROPS", counter, "packets", "Packets that died on their way out of it."},
     [](const PortView& port) -> json { return port.totals.tx_drops; }},
    {{"rx_workers", "RX WORKERS", text, "", "The workers that poll its receive queues."},
     [](const PortView& port) -> json { return port.gateway.ports().rx_queues().workers_of(port.record.index); }},
    {{"rss", "RSS", text, "", "How it spreads what it receives over its queues."},
     [](const PortView& port) { return port.device != nullptr ? json(to_string(port.device->rx_spread())) : json(); }},
    {{"reason", "", text, "", "Why its device is missing."},
     [](const PortView& port) { return port.device == nullptr ? json(port.record.missing.why.text) : json(); }},
    {{"link", "", text, "", "The port that it is a VLAN of."}, link_json},
    {{"vlan_id", "", text, "", "The VLAN of that port that it is."}, vlan_id_json},
    {{"host_path", "", text, "", "The port at the other end of its host path."}, host_path_json},
    {{"max_macs", "", gauge, "MACs", "How many MACs may be learnt behind it."},
     [](const PortView& port) { return max_macs_json(port.gateway, port.record.adjacency); }},
    {{"macs_refused", "", counter, "MACs", "How often a MAC wasn't learnt as there were too many."},
     [](const PortView& port) { return macs_refused_json(port.gateway, port.record.adjacency); }},
    {{"bindings", "", text, "", "The only MACs and addresses that may speak there."}, bindings_json},
    {{"rx_queues", "", gauge, "queues", "How many receive queues it has."},
     [](const PortView& port) -> json { return port.device != nullptr ? port.device->rx_queues() : 0; }},
    {{"tx_queues", "", gauge, "queues", "How many transmit queues it has."},
     [](const PortView& port) -> json { return port.device != nullptr ? port.device->tx_queues() : 0; }},
};

}  // namespace

Table ports_table() { return table_of(kColumns, port_views); }

}  // namespace causeway
