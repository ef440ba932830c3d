// The bridges section.
#include <fmt/format.h>

#include <array>
#include <string>
#include <unordered_map>
#include <utility>

#include "control/config/keys.h"
#include "control/config/vlan_rules.h"
#include "control/yaml/read_keys.h"
#include "control/yaml/section_readers.h"

namespace causeway::config {
namespace {

// Null: it has no VLAN mode.
const PortVlan* vlan_of(const Reading& reading, const std::string& interface) {
  const PortVlan* vlan = nullptr;
  if (const auto found = reading.config.ethernets.find(interface); found != reading.config.ethernets.end())
    vlan = &found->second.vlan;
  if (const auto found = reading.config.tunnels.find(interface); found != reading.config.tunnels.end())
    vlan = &found->second.vlan;
  return vlan != nullptr && vlan->mode != VlanMode::none ? vlan : nullptr;
}

void read_member(Reading& reading, std::string_view bridge_name, const Value& item, Bridge& bridge) {
  const auto name = item.text("the name of an interface");
  if (!name) return;
  const auto found = reading.claims.interfaces.find(*name);
  if (found == reading.claims.interfaces.end()) {
    Suggestion suggestion(*name);
    if (!reading.diagnostics.is_full()) {
      for (const auto& [candidate, interface] : reading.claims.interfaces) suggestion.consider(candidate);
    }
    return item.error(fmt::format("no ethernet or tunnel is called {}{}", quote(*name), suggestion.text()));
  }
  Claims::Interface& interface = found->second;
  if (interface.underlay) {
    return item.error(fmt::format("{} has addresses: an underlay cannot be in a bridge", *name));
  }
  if (const auto tunnel = reading.config.tunnels.find(std::string(*name));
      tunnel != reading.config.tunnels.end() && tunnel->second.mode == TunnelType::erspan) {
    return item.error(fmt::format("{} is an erspan tunnel: it carries what mirrors copy, as their output-port", *name));
  }
  if (interface.bridge_line != 0) {
    return item.error(
        fmt::format("{} is in bridges.{} already, on line {}", *name, interface.bridge, interface.bridge_line));
  }
  interface.bridge = bridge_name;
  interface.bridge_line = item.place().line;
  bridge.interfaces.emplace_back(*name);
}

void read_static_macs(Reading& reading, std::string_view bridge_name, const Value& list, bool members_complete,
                      Bridge& bridge) {
  std::unordered_map<uint64_t, int> lines;
  list.for_each_item([&](const Value& item) {
    const size_t errors = reading.diagnostics.count();
    const Fields fields(item, kKeyNames<kStaticMacKeys>);
    fields.require({"mac", "port"});
    StaticMac entry;
    read_keys(fields, kStaticMacKeys, entry);
    if (const auto port = fields.find("port")) {
      if (const auto name = port->text("the name of an interface")) {
        const auto found = reading.claims.interfaces.find(*name);
        if (members_complete && (found == reading.claims.interfaces.end() || found->second.bridge != bridge_name)) {
          port->error(fmt::format("{} is not among the bridge's interfaces", quote(*name)));
        }
        entry.port = *name;
      }
    }
    // An access port's hosts are in its VLAN; nobody should have to say so again.
    if (const PortVlan* const vlan = vlan_of(reading, entry.port)) {
      if (!fields.find("vlan")) entry.vlan = vlan->tag;
      if (!rules_of(*vlan).carries(entry.vlan)) {
        fields.find("vlan").value_or(item).error(fmt::format("{} does not carry VLAN {}", entry.port, entry.vlan));
      }
    }
    if (reading.diagnostics.count() != errors) return;
    const uint64_t key = entry.mac.to_u64() | static_cast<uint64_t>(entry.vlan) << 48;
    const auto [first, is_new] = lines.try_emplace(key, item.place().line);
    if (!is_new) {
      const auto mac = fields.find("mac");
      return mac->error(fmt::format("duplicate static MAC, first on line {}", first->second));
    }
    bridge.static_macs.push_back(std::move(entry));
  });
}

// What only one of all bridges and tunnels may have.
void check_evpn(const Reading& reading, const Value& vni, const Bridge& bridge, const std::string& name,
                const Tunnel& instance) {
  if (const auto taken = reading.claims.interfaces.find(name); taken != reading.claims.interfaces.end()) {
    const Claims::Interface& first = taken->second;
    const auto other = reading.config.tunnels.find(name);
    const bool same = other != reading.config.tunnels.end() && other->second.evpn;
    vni.error(
        same ? fmt::format("VNI {} is in bridges.{} already, on line {}", *instance.id, first.bridge, first.key->line)
             : fmt::format("its tunnel is called {}, a name that {}.{} has, on line {}", name, first.section, name,
                           first.key->line));
  }
  for (const auto& [other_name, other] : reading.config.tunnels) {
    const bool same_local = other.local == instance.local || other.local.is_unspecified();
    if (other.evpn || other.mode != instance.mode || other.id != instance.id || other.port != instance.port ||
        !same_local) {
      continue;
    }
    vni.error(fmt::format("same mode, id, port and local as tunnels.{}", other_name));
  }
  for (const std::string& interface : bridge.interfaces) {
    const auto other = reading.config.tunnels.find(interface);
    if (other == reading.config.tunnels.end() || !other->second.evpn) continue;
    if (other->second.vlan.tag == instance.vlan.tag) {
      vni.error(fmt::format("VNI {} has the same VLAN of the bridge", *other->second.id));
    }
  }
}

// An instance is a tunnel called evpnVNI, to VTEPs that the fabric names as it runs.
void read_evpn(Reading& reading, std::string_view bridge_name, const Value& value, Bridge& bridge) {
  static constexpr std::array kModes{TunnelType::vxlan, TunnelType::geneve};
  const size_t errors = reading.diagnostics.count();
  const Fields fields(value, kKeyNames<kEvpnKeys>);
  fields.require({"vni", "local"});
  Tunnel instance;
  instance.evpn.emplace();
  read_keys(fields, kEvpnKeys, *instance.evpn);
  instance.mode = TunnelType::vxlan;
  if (const auto mode = fields.find("mode")) instance.mode = mode->tunnel_type(kModes).value_or(instance.mode);
  instance.port = row_of(instance.mode).udp_port;
  fields.number("vni", instance.id, 1, row_of(instance.mode).highest_id);
  if (const auto local = fields.find("local")) read_local(reading, *local, instance);
  instance.remotes = {instance.local.is_v4() ? IpAddress::v4(0, 0, 0, 0) : IpAddress{}};
  fields.number("vlan", instance.vlan.tag, 1, kVlans - 2);
  if (instance.vlan.tag != 0) instance.vlan.mode = VlanMode::access;
  instance.split_group = Evpn::kGroup;
  read_split_group(fields, instance.isolated, instance.split_group);
  if (reading.diagnostics.count() != errors) return;

  const std::string name = fmt::format("evpn{}", *instance.id);
  check_evpn(reading, *fields.find("vni"), bridge, name, instance);
  if (reading.diagnostics.count() != errors) return;
  const auto place = reading.config.tunnels.emplace(name, std::move(instance)).first;
  claim_udp_port(reading, place->first, value, place->second);
  const YamlNode& node = value.place();
  reading.claims.interfaces.emplace(place->first, Claims::Interface{"bridges", &node, false, bridge_name, node.line});
  bridge.interfaces.push_back(name);
}

void read_instances(Reading& reading, std::string_view bridge_name, const Value& value, Bridge& bridge) {
  if (!value.is_list()) return read_evpn(reading, bridge_name, value, bridge);
  const size_t members = bridge.interfaces.size();
  value.for_each_item([&](const Value& item) { read_evpn(reading, bridge_name, item, bridge); });
  if (bridge.interfaces.size() - members < 2) return;
  // What has a tag is for the others, or dies.
  for (size_t i = members; i < bridge.interfaces.size(); ++i) {
    PortVlan& vlan = reading.config.tunnels.at(bridge.interfaces[i]).vlan;
    if (vlan.mode == VlanMode::none) vlan = {VlanMode::trunk, 0, {0}};
  }
}

void read_bridge(Reading& reading, std::string_view name, const Value& value, Bridge& bridge) {
  const Fields fields(value, kKeyNames<kBridgeKeys>);
  const size_t errors = reading.diagnostics.count();
  if (const auto interfaces = fields.find("interfaces")) {
    interfaces->for_each_item([&](const Value& item) { read_member(reading, name, item, bridge); });
  }
  const bool members_complete = reading.diagnostics.count() == errors;
  if (const auto parameters = fields.find("parameters")) {
    read_keys(Fields(*parameters, kKeyNames<kParameterKeys>), kParameterKeys, bridge);
  }
  if (const auto macs = fields.find("static-macs")) {
    read_static_macs(reading, name, *macs, members_complete, bridge);
    if (bridge.static_macs.size() > bridge.max_macs) {
      macs->key_error(fmt::format("{} entries, but max-macs is {}", bridge.static_macs.size(), bridge.max_macs));
    }
  }
  if (const auto evpn = fields.find("evpn")) {
    read_instances(reading, name, *evpn, bridge);
    if (!bridge.arp_nd_suppress) bridge.arp_nd_suppress = true;
  }
}

}  // namespace

void read_bridges(const Value& section, Reading& reading) {
  std::unordered_map<std::string_view, int> lines;  // name -> where it stands first
  section.for_each_entry([&](std::string_view name, const Value& value) {
    const auto [first, is_new] = lines.try_emplace(name, value.key_place().line);
    if (!is_new) return value.key_error(fmt::format("duplicate key, first on line {}", first->second));
    if (!has_valid_name(value, name, kLongestName)) return;
    Bridge bridge;
    read_bridge(reading, name, value, bridge);
    reading.config.bridges.emplace(name, std::move(bridge));
  });
}

}  // namespace causeway::config
