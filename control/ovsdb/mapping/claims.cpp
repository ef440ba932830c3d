#include "control/ovsdb/mapping/claims.h"

#include "control/ovsdb/columns.h"

namespace causeway::ovsdb {
namespace {

std::string name_of(const Row& row) {
  const std::string* const name = text_at(row, "name");
  return name != nullptr ? *name : std::string();
}

// Uses each claim as (kind, what is claimed, by whom), with kinds of Claims. A reference counts whether or not its row
// is there.
template <typename Bridge, typename Port, typename Interface, typename Name>
void for_each_claim(const Database& rows, Bridge&& bridge_name, Port&& port, Interface&& interface, Name&& name) {
  const TableRows& ports = table_of(rows, "Port");
  const TableRows& interfaces = table_of(rows, "Interface");
  for (const auto& [bridge_uuid, bridge] : table_of(rows, "Bridge")) {
    bridge_name(name_of(bridge), bridge_uuid);
    for_each_text(bridge, "ports", [&, &whose = bridge_uuid](const std::string& port_uuid) {
      port(port_uuid, whose);
      const auto found = ports.find(port_uuid);
      if (found == ports.end()) return;
      for_each_text(found->second, "interfaces", [&](const std::string& uuid) {
        interface(uuid, port_uuid);
        const auto row = interfaces.find(uuid);
        if (row != interfaces.end()) name(name_of(row->second), uuid);
      });
    });
  }
}

const std::string* owner_in(const std::unordered_map<std::string, std::string>& owners, const std::string& of) {
  const auto found = owners.find(of);
  return found == owners.end() ? nullptr : &found->second;
}

}  // namespace

bool Claims::add(const Database& rows) {
  bool alone = true;
  const auto to = [&](Owners& owners) {
    return [&](const std::string& what, const std::string& whose) {
      alone = owners.try_emplace(what, whose).second && alone;
    };
  };
  for_each_claim(rows, to(bridge_names_), to(bridge_of_), to(port_of_), to(interface_names_));
  return alone;
}

void Claims::remove(const Database& rows) {
  const auto from = [](Owners& owners) {
    return [&owners](const std::string& what, const std::string&) { owners.erase(what); };
  };
  for_each_claim(rows, from(bridge_names_), from(bridge_of_), from(port_of_), from(interface_names_));
}

const std::string* Claims::bridge_of(const std::string& port) const { return owner_in(bridge_of_, port); }

const std::string* Claims::port_of(const std::string& interface) const { return owner_in(port_of_, interface); }

const std::string* Claims::interface_named(const std::string& name) const { return owner_in(interface_names_, name); }

}  // namespace causeway::ovsdb
