#include "control/ovsdb/report.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "control/config/address_text.h"
#include "control/ovsdb/columns.h"

namespace causeway::ovsdb {
namespace {

using nlohmann::json;

constexpr int64_t kOwnPort = 65534;        // OFPP_LOCAL, OpenFlow 1.0 section 5.2.1
constexpr int64_t kMaxPortNumber = 65279;  // OFPP_MAX - 1

const std::string& text_or_none(const Row& row, std::string_view column) {
  static const std::string kNone;
  const std::string* const text = text_at(row, column);
  return text != nullptr ? *text : kNone;
}

using InterfaceRows = std::map<std::string_view, const Row*>;  // by UUID

// The interfaces of a bridge; those that are gone are left out.
InterfaceRows interfaces_of(const Database& rows, const Row& bridge) {
  InterfaceRows found;
  const TableRows& ports = table_of(rows, "Port");
  const TableRows& interfaces = table_of(rows, "Interface");
  for_each_text(bridge, "ports", [&](const std::string& uuid) {
    const auto port = ports.find(uuid);
    if (port == ports.end()) return;
    for_each_text(port->second, "interfaces", [&](const std::string& of) {
      const auto row = interfaces.find(of);
      if (row != interfaces.end()) found.emplace(row->first, &row->second);
    });
  });
  return found;
}

json update(const std::string& table, const std::string& uuid, json columns) {
  return {{"op", "update"},
          {"table", table},
          {"where", json::array({json::array({"_uuid", "==", json::array({"uuid", uuid})})})},
          {"row", std::move(columns)}};
}

}  // namespace

void Report::follow(const Database& rows) {
  followed_.reset();
  const TableRows& roots = table_of(rows, "Open_vSwitch");
  root_ = roots.empty() ? std::string() : roots.begin()->first;
  const TableRows& bridges = table_of(rows, "Bridge");
  std::erase_if(bridges_, [&](const auto& item) { return !bridges.contains(item.first); });
  std::unordered_set<std::string_view> taken;  // by bridges before
  for (const auto& [uuid, row] : bridges) {
    Bridge& bridge = bridges_[uuid];
    bridge.name = text_or_none(row, "name");
    InterfaceRows interfaces = interfaces_of(rows, row);
    std::erase_if(interfaces, [&](const auto& item) { return !taken.insert(item.first).second; });
    bridge.keep(interfaces);
    for (const auto& [of, interface] : interfaces) bridge.enter(std::string(of), *interface);
  }
}

void Report::follow(const RowPatch& rows) {
  followed_.emplace();
  for (const auto& [uuid, row] : table_of(rows.after, "Bridge")) {
    Bridge& bridge = bridges_[uuid];
    const InterfaceRows interfaces = interfaces_of(rows.after, row);
    for (const auto& [of, gone] : interfaces_of(rows.before, table_of(rows.before, "Bridge").at(uuid))) {
      if (!interfaces.contains(of)) bridge.leave(std::string(of));
    }
    for (const auto& [of, interface] : interfaces) {
      bridge.enter(std::string(of), *interface);
      followed_->emplace_back(uuid, of);
    }
  }
}

std::vector<json> Report::operations(const InterfaceErrors& errors, const Gateway& gateway, Look look,
                                     std::optional<int64_t> applied) {
  const auto started = Clock::now();
  if (look == Look::at_all && started < next_look_) return {};
  Operations operations;
  if (look == Look::at_followed && followed_) {
    for (const auto& [bridge, uuid] : *followed_) {
      tell_interface(uuid, bridges_.at(bridge).interfaces.at(uuid), errors, gateway, false, operations);
    }
  } else {
    for (auto& [bridge_uuid, bridge] : bridges_) {
      for (auto& [uuid, interface] : bridge.interfaces) {
        tell_interface(uuid, interface, errors, gateway, look == Look::at_counters, operations);
      }
    }
    next_look_ = started + 10 * (Clock::now() - started);
  }
  for (const auto& [uuid, bridge] : bridges_) {
    const Ports::Record* const own = gateway.ports().find(bridge.name);
    if (own == nullptr || own->port == nullptr) continue;
    std::string mac = to_string(own->mac);
    std::erase(mac, ':');
    tell("Bridge", uuid, {{"datapath_id", "0000" + mac}}, operations);
  }
  if (root_.empty()) return operations;
  Columns columns{{"datapath_types", wire_set({"netdev", "system"})},
                  {"iface_types", wire_set({"dpdk", "geneve", "gre", "internal", "ip6gre", "system", "tap", "vxlan"})},
                  {"dpdk_initialized", true}};
  if (applied) columns["cur_cfg"] = *applied;
  tell("Open_vSwitch", root_, columns, operations);
  return operations;
}

void Report::tell_interface(const std::string& uuid, Interface& interface, const InterfaceErrors& errors,
                            const Gateway& gateway, bool statistics, Operations& operations) {
  InterfaceState state;
  if (const auto known = errors.find(uuid); known != errors.end()) {
    state.error = known->second;
  } else {
    state = interface_state(gateway, interface.name, interface.told ? &*interface.told : nullptr, statistics);
  }
  state.ofport = state.error.empty() ? interface.number : -1;
  if (state == interface.told) return;
  json changed = json::object();
  const Columns before = interface.told ? interface.told->columns() : Columns{};
  for (const auto& [column, value] : state.columns()) {
    if (const auto was = before.find(column); was == before.end() || was->second != value) changed[column] = value;
  }
  interface.told = std::move(state);
  if (!changed.empty()) operations.push_back(update("Interface", uuid, std::move(changed)));
}

void Report::forget() {
  told_.clear();
  for (auto& [uuid, bridge] : bridges_) {
    for (auto& [of, interface] : bridge.interfaces) interface.told.reset();
  }
}

std::map<std::string, int64_t> Report::port_numbers(const std::string& bridge) const {
  std::map<std::string, int64_t> numbers;
  for (const auto& [uuid, found] : bridges_) {
    if (found.name != bridge) continue;
    for (const auto& [of, interface] : found.interfaces) {
      if (interface.number != kOwnPort) numbers.emplace(interface.name, interface.number);
    }
  }
  return numbers;
}

void Report::Bridge::keep(const InterfaceRows& rows) {
  std::erase_if(interfaces, [&](const auto& item) {
    if (rows.contains(item.first)) return false;
    used.erase(item.second.number);
    return true;
  });
}

void Report::Bridge::leave(const std::string& uuid) {
  const auto found = interfaces.find(uuid);
  if (found == interfaces.end()) return;
  used.erase(found->second.number);
  interfaces.erase(found);
}

void Report::Bridge::enter(const std::string& uuid, const Row& row) {
  Interface& interface = interfaces[uuid];
  interface.name = text_or_none(row, "name");
  const bool own = interface.name == name;
  const int64_t number = own ? kOwnPort : choose(interface.number == kOwnPort ? 0 : interface.number, row);
  if (number == interface.number) return;
  used.erase(interface.number);
  if (!own) used.insert(number);
  interface.number = number;
}

int64_t Report::Bridge::choose(int64_t known, const Row& row) const {
  const auto wanted = integer_of(row, "ofport_request");
  const auto free = [&](std::optional<int64_t> number) {
    return number && *number > 0 && *number <= kMaxPortNumber && !used.contains(*number);
  };
  if (free(wanted)) return *wanted;
  if (known != 0) return known;
  if (const auto had = integer_of(row, "ofport"); free(had)) return *had;
  int64_t number = 1;  // the first gap
  for (const int64_t taken : used) {
    if (taken != number) break;
    ++number;
  }
  return number;
}

void Report::tell(const std::string& table, const std::string& uuid, const Columns& columns, Operations& operations) {
  Columns& told = told_[uuid];
  json changed = json::object();
  for (const auto& [column, value] : columns) {
    const auto [known, is_new] = told.try_emplace(column, value);
    if (!is_new && known->second == value) continue;
    known->second = value;
    changed[column] = value;
  }
  if (!changed.empty()) operations.push_back(update(table, uuid, std::move(changed)));
}

}  // namespace causeway::ovsdb
