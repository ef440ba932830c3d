#include "control/ovsdb/mapping/translate.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_set>

#include "control/config/address_text.h"
#include "control/ovsdb/columns.h"
#include "control/ovsdb/mapping/bridge_settings.h"
#include "control/ovsdb/mapping/devices.h"
#include "control/ovsdb/mapping/mirrors.h"
#include "control/ovsdb/mapping/port_vlan.h"
#include "control/ovsdb/mapping/tunnel_options.h"
#include "control/yaml/section_readers.h"

namespace causeway::ovsdb {
namespace {

constexpr Column kBridgeColumns[] = {{"name", ColumnKind::text},
                                     {"ports", ColumnKind::texts},
                                     {"fail_mode", ColumnKind::text},
                                     {"other_config", ColumnKind::map}};
constexpr Column kPortColumns[] = {{"name", ColumnKind::text},        {"interfaces", ColumnKind::texts},
                                   {"tag", ColumnKind::integer},      {"trunks", ColumnKind::integers},
                                   {"vlan_mode", ColumnKind::text},   {"protected", ColumnKind::flag},
                                   {"fake_bridge", ColumnKind::flag}, {"other_config", ColumnKind::map}};
constexpr Column kInterfaceColumns[] = {{"name", ColumnKind::text},
                                        {"type", ColumnKind::text},
                                        {"options", ColumnKind::map},
                                        {"mac", ColumnKind::text},
                                        {"mtu_request", ColumnKind::integer}};

constexpr std::string_view kLoopback = "lo";

struct NamedRow {
  std::string name;
  const std::string* uuid;
  const Row* row;
};

NamedRow named(const TableRows::value_type& entry) {
  const std::string* const name = text_at(entry.second, "name");
  return {name != nullptr ? *name : std::string(), &entry.first, &entry.second};
}

void sort_by_name(std::vector<NamedRow>& rows) {
  std::ranges::sort(
      rows, [](const NamedRow& a, const NamedRow& b) { return std::tie(a.name, *a.uuid) < std::tie(b.name, *b.uuid); });
}

// The rows that a column names, by name. A row that is gone isn't among them, one that stands twice is there once.
std::vector<NamedRow> named_rows(const TableRows& rows, const Row& from, std::string_view column) {
  std::vector<NamedRow> list;
  for_each_text(from, column, [&](const std::string& uuid) {
    const auto found = rows.find(uuid);
    if (found != rows.end()) list.push_back(named(*found));
  });
  sort_by_name(list);
  const auto same = [](const NamedRow& a, const NamedRow& b) { return a.row == b.row; };
  list.erase(std::unique(list.begin(), list.end(), same), list.end());
  return list;
}

std::string cannot_add(const std::string& name, std::string_view why) {
  return fmt::format("could not add network device {} to ofproto ({})", shown(name), why);
}

class Translator {
 public:
  Translator(const Database& rows, const config::Config& yaml, const Host& host, NoteDetail detail)
      : rows_(rows),
        ports_(table_of(rows, "Port")),
        interfaces_(table_of(rows, "Interface")),
        yaml_(yaml),
        underlays_(yaml, host),
        devices_(yaml),
        notes_(detail) {
    result_.config = yaml;
    for (const auto& [name, ethernet] : yaml.ethernets) names_.insert(name);
    for (const auto& [name, tunnel] : yaml.tunnels) names_.insert(name);
    std::vector<NamedRow> bridges;
    for (const auto& entry : table_of(rows, "Bridge")) bridges.push_back(named(entry));
    sort_by_name(bridges);
    for (const NamedRow& bridge : bridges) add_bridge(bridge);
  }

  Translation take() {
    add_underlays();
    add_tunnels();
    for (const auto& [name, bridge] : bridges_) {
      read_mirrors(rows_, *bridge, name, result_.config, outputs_[name], notes_);
    }
    note_idle_outputs();
    result_.notes = notes_.take();
    return std::move(result_);
  }

 private:
  // An Interface on its way, and what it is of.
  struct Member {
    const NamedRow& bridge;
    const Row& port;
    const std::string& uuid;
    const Row& row;
    std::string name;
    std::string type;
    config::PortVlan vlan;
    bool is_protected = false;
    std::string split_group;  // empty: `is_protected` says it all
  };
  struct WaitingTunnel {
    std::string bridge;
    std::string uuid;
    std::string name;
    config::Tunnel tunnel;
  };

  void refuse(const std::string& uuid, const std::string& why) { result_.errors.try_emplace(uuid, why); }

  // The same word for each Interface of a Port that nothing else has taken.
  template <typename Why>
  void refuse_port(const Row& port, Why why) {
    for (const NamedRow& interface : named_rows(interfaces_, port, "interfaces")) {
      if (seen_.insert(*interface.uuid).second) refuse(*interface.uuid, why(interface.name));
    }
  }

  std::string bridge_error(const NamedRow& bridge) const {
    if (const std::string_view column = wrong_column(*bridge.row, kBridgeColumns); !column.empty()) {
      return fmt::format("bridge {}: column {} has a wrong type", shown(bridge.name), column);
    }
    if (const std::string error = config::name_error(bridge.name, config::kLongestName); !error.empty()) {
      return fmt::format("bridge {}: {}", shown(bridge.name), error);
    }
    if (result_.config.bridges.contains(bridge.name)) return fmt::format("there is a bridge {} already", bridge.name);
    if (text_of(*bridge.row, "fail_mode") == "secure") {
      return fmt::format("bridge {}: fail_mode=secure needs an OpenFlow controller", bridge.name);
    }
    return "";
  }

  void add_bridge(const NamedRow& bridge) {
    const auto ports = named_rows(ports_, *bridge.row, "ports");
    if (const std::string error = bridge_error(bridge); !error.empty()) {
      for (const NamedRow& port : ports) {
        refuse_port(*port.row, [&](const std::string& name) { return cannot_add(name, error); });
      }
      return;
    }
    read_bridge_settings(*bridge.row, bridge.name, result_.config.bridges[bridge.name], notes_);
    notes_.of_bridge(*bridge.row, bridge.name);
    bridges_.emplace(bridge.name, bridge.row);
    for (const NamedRow& port : ports) add_port(bridge, port);
  }

  void add_port(const NamedRow& bridge, const NamedRow& port) {
    if (const std::string_view column = wrong_column(*port.row, kPortColumns); !column.empty()) {
      return refuse_port(*port.row, [&](const std::string& name) {
        return cannot_add(name, fmt::format("column {} of its port has a wrong type", column));
      });
    }
    const auto interfaces = named_rows(interfaces_, *port.row, "interfaces");
    if (interfaces.size() > 1) {
      return refuse_port(*port.row,
                         [](const std::string& name) { return cannot_add(name, "bonds are not supported"); });
    }
    config::PortVlan vlan;
    if (const std::string error = read_port_vlan(*port.row, shown(port.name), vlan, notes_); !error.empty()) {
      return refuse_port(*port.row, [&](const std::string& name) { return cannot_add(name, error); });
    }
    notes_.of_port(*port.row, shown(port.name));
    for (const NamedRow& each : interfaces) {
      if (!seen_.insert(*each.uuid).second) {
        notes_.add("port in multiple bridges",
                   fmt::format("{}: port is in multiple bridges, {} not among those that it "
                               "works in",
                               shown(each.name), bridge.name));
        continue;
      }
      // OVS makes the bridge's own interface an internal one whatever its row says.
      const bool is_local = each.name == bridge.name;
      std::string type = is_local ? "internal" : text_of(*each.row, "type").value_or("");
      add_interface({bridge, *port.row, *each.uuid, *each.row, each.name, std::move(type), vlan,
                     flag_of(*port.row, "protected"), split_group_of(*port.row, shown(port.name))});
    }
  }

  // Of Open vSwitch's own keys none says it: `protected` knows one group.
  std::string split_group_of(const Row& port, std::string_view name) {
    const std::string* const group = value_of(port, "other_config", "split-horizon-group");
    if (group == nullptr || config::name_error(*group, config::kLongestName).empty()) {
      return group != nullptr ? *group : std::string();
    }
    notes_.add("Port.split-horizon-group",
               fmt::format("{}: split-horizon-group {} is no name and is ignored", name, shown(*group)));
    return {};
  }

  void add_interface(const Member& member) {
    if (const std::string_view column = wrong_column(member.row, kInterfaceColumns); !column.empty()) {
      return refuse(member.uuid, cannot_open(member.name, fmt::format("column {} has a wrong type", column)));
    }
    const bool is_tunnel = tunnel_type_of(member.type).has_value();
    const std::string name_error =
        config::name_error(member.name, is_tunnel ? config::kLongestName : config::kLongestInterfaceName);
    if (!name_error.empty()) return refuse(member.uuid, cannot_open(member.name, name_error));
    if (names_.contains(member.name)) return refuse(member.uuid, cannot_add(member.name, "File exists"));
    if (is_tunnel) {
      add_waiting(member);
    } else {
      add_ethernet(member);
    }
  }

  void add_ethernet(const Member& member) {
    config::Ethernet ethernet;
    if (const std::string error = devices_.read(member.row, member.name, member.type, ethernet, notes_);
        !error.empty()) {
      return refuse(member.uuid, error);
    }
    if (member.name == member.bridge.name) {
      ethernet.mac = hardware_address_of(*member.bridge.row, member.bridge.name, notes_);
    } else {
      read_mac(member.row, member.name, ethernet, notes_);
    }
    read_mtu(member.row, member.name, ethernet, notes_);
    notes_.of_interface(member.row, member.name);
    ethernet.vlan = member.vlan;
    ethernet.isolated = member.is_protected && member.split_group.empty();
    ethernet.split_group = member.split_group;
    names_.insert(member.name);
    result_.config.ethernets.emplace(member.name, std::move(ethernet));
    result_.config.bridges[member.bridge.name].interfaces.push_back(member.name);
  }

  void add_waiting(const Member& member) {
    TunnelReading reading = read_tunnel_options(member.row, member.name, member.type, notes_);
    config::Tunnel& tunnel = reading.tunnel;
    if (!reading.error.empty()) return refuse(member.uuid, reading.error);
    const IpAddress& remote = tunnel.remotes.front();
    const auto interface = underlays_.interface_to(remote);
    if (underlays_.is_own(remote) || tunnel.local == remote || interface == kLoopback) {
      return refuse(member.uuid, fmt::format("{}: remote_ip={} is an address of this host: a tunnel leads to another",
                                             member.name, to_string(remote)));
    }
    if (integer_of(member.row, "mtu_request")) {
      notes_.add("tunnel mtu_request",
                 fmt::format("{}: mtu_request of a tunnel has no equal and is ignored", member.name));
    }
    notes_.of_interface(member.row, member.name);
    if (tunnel.mode != TunnelType::erspan) {
      tunnel.vlan = member.vlan;
      tunnel.isolated = member.is_protected || !member.split_group.empty();
      tunnel.split_group = member.split_group;
    }
    names_.insert(member.name);
    if (interface) {
      shared_.emplace(*interface, member.name);
      ++result_.underlays[*interface];
    }
    waiting_.push_back({member.bridge.name, member.uuid, member.name, std::move(tunnel)});
  }

  // Interfaces of the host's that tunnels need, unless they are somebody's already.
  void add_underlays() {
    for (const auto& [interface, tunnel] : shared_) {
      const auto [place, is_new] = result_.config.ethernets.try_emplace(interface);
      if (is_new) place->second.host_addresses = true;
      if (place->second.is_underlay()) continue;
      notes_.add("underlay " + interface,
                 fmt::format("{}: the way to its remote_ip leads out of {}, which is no underlay but a port of ours",
                             tunnel, interface));
    }
  }

  // The file's tunnels come first, then the rows' in their order.
  void add_tunnels() {
    enum Owner : size_t { kFile, kDatabase };
    for (const auto& [name, tunnel] : yaml_.tunnels) result_.ends.take(tunnel, kFile);
    for (WaitingTunnel& waiting : waiting_) {
      if (const auto conflict = result_.ends.conflict_of(waiting.tunnel)) {
        const bool port = conflict->kind == config::TunnelConflict::Kind::udp_port;
        refuse(waiting.uuid, cannot_add(waiting.name, port ? "Address already in use" : "File exists"));
        result_.conflict = result_.conflict || conflict->with == kDatabase;
        continue;
      }
      result_.ends.take(waiting.tunnel, kDatabase);
      const bool output = waiting.tunnel.mode == TunnelType::erspan;
      (output ? outputs_[waiting.bridge] : result_.config.bridges[waiting.bridge].interfaces).push_back(waiting.name);
      result_.config.tunnels.emplace(std::move(waiting.name), std::move(waiting.tunnel));
    }
    for (auto& [name, bridge] : result_.config.bridges) {
      if (!yaml_.bridges.contains(name)) std::ranges::sort(bridge.interfaces);
    }
    for (auto& [bridge, tunnels] : outputs_) std::ranges::sort(tunnels);
  }

  // Open vSwitch would forward into these, too.
  void note_idle_outputs() {
    for (const auto& [bridge, tunnels] : outputs_) {
      for (const std::string& name : tunnels) {
        const bool used = std::ranges::any_of(
            result_.config.mirrors, [&name = name](const auto& item) { return item.second.output_port == name; });
        if (!used)
          notes_.add("erspan", fmt::format("{}: an ERSPAN tunnel carries mirrors' copies alone, and no "
                                           "mirror has it as output_port",
                                           name));
      }
    }
  }

  const Database& rows_;
  const TableRows& ports_;
  const TableRows& interfaces_;
  const config::Config& yaml_;
  Underlays underlays_;
  Devices devices_;
  Notes notes_;
  std::unordered_set<std::string> seen_;       // Interfaces, by UUID
  std::unordered_set<std::string> names_;      // of the interfaces that there are
  std::map<std::string, const Row*> bridges_;  // that have a place
  std::vector<WaitingTunnel> waiting_;
  std::map<std::string, std::vector<std::string>> outputs_;  // a bridge's ERSPAN tunnels, which are no members of it
  std::map<std::string, std::string> shared_;                // interfaces of the host's, and a tunnel that each is for
  Translation result_;
};

}  // namespace

Translation translate(const Database& rows, const config::Config& yaml, const Host& host, NoteDetail detail) {
  return Translator(rows, yaml, host, detail).take();
}

std::vector<WatchedTable> vswitch_tables() {
  return {{"Open_vSwitch", {"bridges", "next_cfg", "other_config", "external_ids"}, {}},
          {"Bridge",
           {"name", "ports", "datapath_type", "fail_mode", "other_config", "external_ids", "controller", "mirrors",
            "stp_enable", "rstp_enable", "mcast_snooping_enable", "netflow", "sflow", "ipfix", "flood_vlans"},
           {}},
          {"Port",
           {"name", "interfaces", "tag", "trunks", "vlan_mode", "cvlans", "qos", "bond_mode", "lacp", "other_config",
            "external_ids", "fake_bridge", "protected"},
           {}},
          {"Interface",
           {"name", "type", "options", "mac", "mtu_request", "ofport_request", "ingress_policing_rate", "bfd",
            "cfm_mpid", "lldp", "other_config", "external_ids"},
           {"ofport"}},
          {"Mirror",
           {"name", "select_all", "select_src_port", "select_dst_port", "select_vlan", "output_port", "output_vlan",
            "snaplen"},
           {}}};
}

}  // namespace causeway::ovsdb
