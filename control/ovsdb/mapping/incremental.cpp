#include "control/ovsdb/mapping/incremental.h"

#include <algorithm>
#include <set>
#include <utility>

#include "control/ovsdb/columns.h"

namespace causeway::ovsdb {
namespace {

using Uuids = std::set<std::string>;

const Row* find(const Database& rows, std::string_view table, const std::string& uuid) {
  const TableRows& found = table_of(rows, table);
  const auto row = found.find(uuid);
  return row == found.end() ? nullptr : &row->second;
}

// As it was before the changes.
const Row* find_before(const Database& rows, const RowsBefore& before, std::string_view table,
                       const std::string& uuid) {
  if (const auto changed = before.find(table); changed != before.end()) {
    if (const auto row = changed->second.find(uuid); row != changed->second.end()) {
      return row->second ? &*row->second : nullptr;
    }
  }
  return find(rows, table, uuid);
}

bool differ_in_ports_alone(const Row& before, const Row& now) {
  return before.size() == now.size() && std::ranges::equal(before, now, [](const auto& a, const auto& b) {
           return a.first == b.first && (a.first == "ports" || a.second == b.second);
         });
}

std::vector<std::string_view> sorted_texts(const Row& row, std::string_view column) {
  std::vector<std::string_view> texts;
  for_each_text(row, column, [&](const std::string& text) { texts.push_back(text); });
  if (!std::ranges::is_sorted(texts)) std::ranges::sort(texts);
  return texts;
}

// Those of `these` that aren't in `others`, each a text of a sorted list.
template <typename Use>
void for_each_other(const std::vector<std::string_view>& these, const std::vector<std::string_view>& others,
                    Use&& use) {
  std::vector<std::string_view> rest;
  std::ranges::set_difference(these, others, std::back_inserter(rest));
  for (const std::string_view text : rest) use(std::string(text));
}

bool has_ports(const Row& bridge) {
  static constexpr Column kPorts[] = {{"ports", ColumnKind::texts}};
  return wrong_column(bridge, kPorts).empty();
}

// Adds a Bridge without ports to both parts. False: its ports are no list of them.
bool add_bridge(const Row& row, const std::string& uuid, RowPatch& patch) {
  if (patch.after["Bridge"].contains(uuid)) return true;
  if (!has_ports(row)) return false;
  Row copy;
  for (const auto& [column, value] : row) {
    if (column != "ports") copy.emplace(column, value);
  }
  copy["ports"] = nlohmann::json::array();
  for (Database* part : {&patch.before, &patch.after}) (*part)["Bridge"].emplace(uuid, copy);
  return true;
}

// Adds a Port of a Bridge, with its Interfaces, to `part`, by a function that finds rows. False: it has a device of
// DPDK's, whose name no row has alone.
template <typename Find>
bool add_port(const Find& find, const std::string& bridge, const std::string& uuid, Database& part) {
  part["Bridge"].at(bridge).at("ports").push_back(uuid);
  const Row* const port = find("Port", uuid);
  if (port == nullptr) return true;
  part["Port"].emplace(uuid, *port);
  bool possible = true;
  for_each_text(*port, "interfaces", [&](const std::string& of) {
    const Row* const interface = find("Interface", of);
    if (interface == nullptr) return;
    part["Interface"].emplace(of, *interface);
    const std::string* const type = text_at(*interface, "type");
    possible = possible && (type == nullptr || *type != "dpdk");
  });
  return possible;
}

}  // namespace

Translation IncrementalTranslator::translate_all(const Database& rows, const config::Config& yaml, const Host& host) {
  Translation all = translate(rows, yaml, host);
  claims_ = {};
  // A mirror may select each port that comes, or have waited for it.
  alone_ = claims_.add(rows) && !all.conflict && table_of(rows, "Mirror").empty();
  ends_ = std::move(all.ends);
  underlays_ = all.underlays;
  return all;
}

std::optional<TranslatedPatch> IncrementalTranslator::translate_changes(const Database& rows, const RowsBefore& before,
                                                                        const config::Config& yaml, const Host& host) {
  // What can't be exchanged leaves a mess that only translate_all clears up.
  if (!std::exchange(alone_, false)) return std::nullopt;
  auto changed = changed_ports(rows, before);
  if (!changed || !exchange_claims(*changed)) return std::nullopt;
  Translation old = translate(changed->before, yaml, host);
  Translation now = translate(changed->after, yaml, host);
  if (now.conflict || !exchange_ends(old, now, yaml) || !exchange_underlays(old, now, yaml)) return std::nullopt;
  alone_ = true;
  return TranslatedPatch{
      std::move(*changed), {std::move(old.config), std::move(now.config)}, std::move(now.errors), std::move(now.notes)};
}

// The ports that the changes are about. Null: they are about more than ports.
std::optional<RowPatch> IncrementalTranslator::changed_ports(const Database& rows, const RowsBefore& before) const {
  RowPatch patch;
  std::map<std::string, Uuids> bridges_of;  // of the ports, now
  const auto touch = [&](const std::string& port) -> Uuids& {
    const auto [place, is_new] = bridges_of.try_emplace(port);
    const std::string* const bridge = is_new ? claims_.bridge_of(port) : nullptr;
    if (bridge != nullptr) place->second.insert(*bridge);
    return place->second;
  };
  const auto changes_of = [&](std::string_view table) -> const RowsBefore::mapped_type& {
    static const RowsBefore::mapped_type kNone;
    const auto found = before.find(table);
    return found == before.end() ? kNone : found->second;
  };
  const auto now = [&](std::string_view table, const std::string& uuid) { return find(rows, table, uuid); };
  if (!changes_of("Mirror").empty()) return std::nullopt;
  for (const auto& [uuid, row] : changes_of("Open_vSwitch")) {
    if (!row || now("Open_vSwitch", uuid) == nullptr) return std::nullopt;
  }
  for (const auto& [uuid, row] : changes_of("Bridge")) {
    const Row* const bridge = now("Bridge", uuid);
    if (!row || bridge == nullptr || !differ_in_ports_alone(*row, *bridge)) return std::nullopt;
    if (!has_ports(*row) || !has_ports(*bridge)) return std::nullopt;
    const auto old_ports = sorted_texts(*row, "ports");
    const auto ports = sorted_texts(*bridge, "ports");
    for_each_other(old_ports, ports, [&, &of = uuid](const std::string& port) { touch(port).erase(of); });
    for_each_other(ports, old_ports, [&, &of = uuid](const std::string& port) { touch(port).insert(of); });
  }
  for (const auto& [uuid, row] : changes_of("Port")) touch(uuid);
  for (const auto& [uuid, row] : changes_of("Interface")) {
    if (const std::string* const port = claims_.port_of(uuid)) touch(*port);
  }

  const auto old = [&](std::string_view table, const std::string& uuid) {
    return find_before(rows, before, table, uuid);
  };
  const auto add = [&](const auto& find_row, const std::string& bridge, const std::string& port, Database& part) {
    const Row* const row = now("Bridge", bridge);
    return row != nullptr && add_bridge(*row, bridge, patch) && add_port(find_row, bridge, port, part);
  };
  for (const auto& [port, bridges] : bridges_of) {
    if (bridges.size() > 1) return std::nullopt;
    const std::string* const old_bridge = claims_.bridge_of(port);
    if (old_bridge != nullptr && !add(old, *old_bridge, port, patch.before)) return std::nullopt;
    if (!bridges.empty() && !add(now, *bridges.begin(), port, patch.after)) return std::nullopt;
  }
  return patch;
}

// Each exchanges what the ports had for what they have. False: somebody else has it.
bool IncrementalTranslator::exchange_claims(const RowPatch& rows) {
  claims_.remove(rows.before);
  return claims_.add(rows.after);
}

bool IncrementalTranslator::exchange_ends(const Translation& before, const Translation& after,
                                          const config::Config& yaml) {
  for (const auto& [name, tunnel] : before.config.tunnels) {
    if (!yaml.tunnels.contains(name)) ends_.release(tunnel);
  }
  for (const auto& [name, tunnel] : after.config.tunnels) {
    if (yaml.tunnels.contains(name)) continue;
    if (ends_.conflict_of(tunnel)) return false;
    ends_.take(tunnel);
  }
  return true;
}

// An underlay that tunnels of other ports need, too, stays as it is, and is no part of the change. False also where a
// port of the database is the underlay of others.
bool IncrementalTranslator::exchange_underlays(Translation& before, Translation& after, const config::Config& yaml) {
  std::set<std::string> interfaces;
  for (const auto* translation : {&before, &after}) {
    for (const auto& [interface, tunnels] : translation->underlays) interfaces.insert(interface);
    for (const auto& [name, ethernet] : translation->config.ethernets) {
      if (underlays_.contains(name) && !ethernet.host_addresses && !yaml.ethernets.contains(name)) return false;
    }
  }
  for (const std::string& interface : interfaces) {
    const auto known = underlays_.find(interface);
    const size_t gone = before.underlays[interface];
    const size_t come = after.underlays[interface];
    if (known == underlays_.end() || known->second + come <= gone) return false;
    known->second = known->second + come - gone;
    if (yaml.ethernets.contains(interface)) continue;
    before.config.ethernets.erase(interface);
    after.config.ethernets.erase(interface);
  }
  return true;
}

}  // namespace causeway::ovsdb
