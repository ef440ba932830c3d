#include "control/ovsdb/schema.h"

#include <algorithm>
#include <exception>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace causeway::ovsdb {
namespace {

using nlohmann::json;
using Kind = ColumnType::Kind;
using Atom = ColumnType::Atom;

constexpr const char* kNoUuid = "00000000-0000-0000-0000-000000000000";

Atom read_atom_type(const json& type) {
  const std::string& name = (type.is_object() ? type.at("type") : type).get_ref<const std::string&>();
  if (name == "integer") return Atom::integer;
  if (name == "real") return Atom::real;
  if (name == "boolean") return Atom::boolean;
  if (name == "string") return Atom::string;
  if (name == "uuid") return Atom::uuid;
  throw std::runtime_error("unknown type " + name);
}

// RFC 7047 section 3.2, <type>.
ColumnType read_type(const json& type) {
  if (type.is_string()) return {Kind::atom, read_atom_type(type)};
  ColumnType result{Kind::atom, read_atom_type(type.at("key"))};
  const json one = 1;
  const auto min = type.find("min");
  const auto max = type.find("max");
  result.one = max == type.end() || *max == one;
  if (const auto value = type.find("value"); value != type.end()) {
    result.kind = Kind::map;
    result.value = read_atom_type(*value);
  } else if (!result.one || (min != type.end() && *min != one)) {
    result.kind = Kind::set;
  }
  return result;
}

json read_atom(Atom type, const json& wire) {
  bool fits = false;
  switch (type) {
    case Atom::integer:
      fits = wire.is_number_integer();
      break;
    case Atom::real:
      fits = wire.is_number();
      break;
    case Atom::boolean:
      fits = wire.is_boolean();
      break;
    case Atom::string:
      fits = wire.is_string();
      break;
    case Atom::uuid:
      fits = wire.is_array() && wire.size() == 2 && wire.at(0) == "uuid" && wire.at(1).is_string();
      break;
  }
  if (!fits) throw std::runtime_error("a value is not of its column's type");
  return type == Atom::uuid ? wire.at(1) : wire;
}

json default_atom(Atom type) {
  switch (type) {
    case Atom::integer:
      return 0;
    case Atom::real:
      return 0.0;
    case Atom::boolean:
      return false;
    case Atom::string:
      return "";
    case Atom::uuid:
      break;
  }
  return kNoUuid;
}

// `name` is "set" or "map": ["set", [...]].
bool is_tagged(const json& wire, const char* name) {
  return wire.is_array() && wire.size() == 2 && wire.at(0) == name && wire.at(1).is_array();
}

json read_set(Atom type, const json& wire) {
  json result = json::array();
  if (!is_tagged(wire, "set")) {
    result.push_back(read_atom(type, wire));  // a set of one is its only member
    return result;
  }
  for (const json& member : wire.at(1)) result.push_back(read_atom(type, member));
  std::sort(result.begin(), result.end());
  return result;
}

json read_map(const ColumnType& type, const json& wire) {
  if (!is_tagged(wire, "map")) throw std::runtime_error("a value is not of its column's type");
  json result = json::object();
  for (const json& pair : wire.at(1)) {
    const json key = read_atom(type.key, pair.at(0));
    result[key.is_string() ? key.get_ref<const std::string&>() : key.dump()] = read_atom(type.value, pair.at(1));
  }
  return result;
}

std::vector<std::string> known_of(const std::vector<std::string>& names, const TableColumns& columns) {
  std::vector<std::string> known;
  std::ranges::copy_if(names, std::back_inserter(known), [&](const auto& name) { return columns.contains(name); });
  return known;
}

}  // namespace

Error read_schema(const json& schema, const std::vector<WatchedTable>& wanted, WatchedColumns& columns) try {
  columns.clear();
  const json& tables = schema.at("tables");
  for (const WatchedTable& table : wanted) {
    const auto found = tables.find(table.name);
    if (found == tables.end()) continue;
    const json& there = found->at("columns");
    for (const auto* names : {&table.columns, &table.initial_only}) {
      for (const std::string& name : *names) {
        if (const auto column = there.find(name); column != there.end()) {
          columns[table.name][name] = read_type(column->at("type"));
        }
      }
    }
  }
  return columns.empty() ? "the schema has nothing of what is wanted" : Error();
} catch (const std::exception& error) {
  return "a schema that can't be read: " + std::string(error.what());
}

json monitor_requests(const WatchedColumns& columns, const std::vector<WatchedTable>& wanted) {
  json requests = json::object();
  for (const WatchedTable& table : wanted) {
    const auto known = columns.find(table.name);
    if (known == columns.end()) continue;
    json& of_table = requests[table.name] = json::array();
    of_table.push_back({{"columns", known_of(table.columns, known->second)}});
    const auto initial_only = known_of(table.initial_only, known->second);
    if (initial_only.empty()) continue;
    const json select = {{"initial", true}, {"insert", false}, {"delete", false}, {"modify", false}};
    of_table.push_back({{"columns", initial_only}, {"select", select}});
  }
  return requests;
}

std::vector<std::string> missing_columns(const WatchedColumns& columns, const std::vector<WatchedTable>& wanted) {
  std::vector<std::string> missing;
  for (const WatchedTable& table : wanted) {
    const auto known = columns.find(table.name);
    for (const auto* names : {&table.columns, &table.initial_only}) {
      for (const std::string& name : *names) {
        if (known == columns.end() || !known->second.contains(name)) missing.push_back(table.name + "." + name);
      }
    }
  }
  return missing;
}

json read_value(const ColumnType& type, const json& wire) {
  switch (type.kind) {
    case Kind::set:
      return read_set(type.key, wire);
    case Kind::map:
      return read_map(type, wire);
    case Kind::atom:
      break;
  }
  return read_atom(type.key, wire);
}

json default_value(const ColumnType& type) {
  switch (type.kind) {
    case Kind::set:
      return json::array();
    case Kind::map:
      return json::object();
    case Kind::atom:
      break;
  }
  return default_atom(type.key);
}

json changed_value(const ColumnType& type, json value, const json& wire_difference) {
  json difference = read_value(type, wire_difference);
  if (type.one) return difference;
  if (type.kind == Kind::set) {
    json result = json::array();
    std::set_symmetric_difference(std::make_move_iterator(value.begin()), std::make_move_iterator(value.end()),
                                  std::make_move_iterator(difference.begin()),
                                  std::make_move_iterator(difference.end()), std::back_inserter(result));
    return result;
  }
  for (auto& [key, changed] : difference.items()) {
    const auto old = value.find(key);
    if (old != value.end() && *old == changed) {
      value.erase(old);
    } else {
      value[key] = std::move(changed);
    }
  }
  return value;
}

}  // namespace causeway::ovsdb
