#include "control/metrics/exported.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "control/view/view.h"

namespace causeway::metrics {
namespace {

std::vector<Exported> exported() {
  return {
      {"ports", "port", {{"port", "name"}}, true, {{"kind", "kind"}, {"bridge", "bridge"}, {"vlan", "vlan"}}},
      {"bridges", "bridge", {{"bridge", "name"}}},
      {"tunnels",
       "tunnel",
       {{"tunnel", "name"}},
       true,
       {{"mode", "mode"},
        {"id", "id"},
        {"local", "local"},
        {"remote", "remote"},
        {"bridge", "bridge"},
        {"vlan", "vlan"}}},
      {"workers", "worker", {{"worker", "id"}}, false, {{"core", "core"}}},
      {"neighbors", "neighbor", {{"port", "port"}, {"address", "address"}}, true, {{"mac", "mac"}}},
      {"offloads", "offload", {{"port", "port"}, {"offload", "offload"}}, true},
      {"multicast", "multicast_group", {{"port", "port"}, {"group", "group"}}, true, {{"protocol", "protocol"}}},
      {"mirrors", "mirror", {{"mirror", "name"}}, false, {{"output", "output"}}},
      {"evpn",
       "evpn",
       {{"vni", "vni"}},
       true,
       {{"name", "name"}, {"bridge", "bridge"}, {"vlan", "vlan"}, {"mode", "mode"}, {"local", "local"}}},
      {"control", "control", {}},
  };
}

size_t place_of(const Table& table, std::string_view column) {
  const auto found = std::ranges::find(table.columns, column, &ColumnText::name);
  if (found == table.columns.end()) throw std::logic_error(fmt::format("no column {}", column));
  return static_cast<size_t>(found - table.columns.begin());
}

Layout layout_of(Exported exported) {
  auto table = find_table(exported.subject);
  if (!table) throw std::logic_error(fmt::format("no table {}", exported.subject));
  Layout layout{std::move(exported), std::move(*table), {}, {}, {}};
  const auto add = [&layout](const Label& label) {
    layout.labels.push_back(label.name);
    layout.texts.push_back(place_of(layout.table, label.column));
  };
  for (const Label& key : layout.exported.keys) add(key);
  if (layout.exported.has_state) add({"state", "state"});
  for (const Label& label : layout.exported.info) add(label);
  for (size_t column = 0; column < layout.table.columns.size(); ++column) {
    if (layout.table.columns[column].kind != ColumnKind::text) layout.numbers.push_back(column);
  }
  return layout;
}

// A unit as Prometheus has it, and as columns say it in their names.
struct Unit {
  std::string_view unit;
  std::string_view ending;  // of the column's name; it goes
  std::string_view base;
  double scale;
};
constexpr Unit kUnits[] = {
    {"milliseconds", "_ms", "_seconds", 1e-3},
    {"seconds", "_s", "_seconds", 1},
    {"bytes", "_bytes", "_bytes", 1},
};

const Unit* unit_of(const ColumnText& column) {
  const auto* const found = std::ranges::find(kUnits, column.unit, &Unit::unit);
  return found != std::end(kUnits) ? found : nullptr;
}

}  // namespace

const std::vector<Layout>& layouts() {
  static const std::vector<Layout> kLayouts = [] {
    std::vector<Layout> all;
    for (Exported& table : exported()) all.push_back(layout_of(std::move(table)));
    return all;
  }();
  return kLayouts;
}

std::string metric_name(std::string_view what, const ColumnText& column) {
  std::string name = fmt::format("causeway_{}_{}", what, column.name);
  std::ranges::replace(name, '.', '_');
  if (const Unit* const unit = unit_of(column)) {
    if (name.ends_with(unit->ending)) name.resize(name.size() - unit->ending.size());
    name += unit->base;
  }
  if (column.kind == ColumnKind::counter) name += "_total";
  return name;
}

double metric_scale(const ColumnText& column) {
  const Unit* const unit = unit_of(column);
  return unit != nullptr ? unit->scale : 1;
}

}  // namespace causeway::metrics
