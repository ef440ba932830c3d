// The mirrors section.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "control/config/keys.h"
#include "control/yaml/read_keys.h"
#include "control/yaml/section_readers.h"

namespace causeway::config {
namespace {

// A port or tunnel that may be named in a mirror; null, and reported, where it may not.
const Claims::Interface* find_interface(Reading& reading, const Value& item, std::string& name) {
  const auto text = item.text("the name of an interface");
  if (!text) return nullptr;
  name = *text;
  const auto found = reading.claims.interfaces.find(*text);
  if (found == reading.claims.interfaces.end()) {
    Suggestion suggestion(*text);
    if (!reading.diagnostics.is_full()) {
      for (const auto& [candidate, interface] : reading.claims.interfaces) suggestion.consider(candidate);
    }
    item.error(fmt::format("no ethernet or tunnel is called {}{}", quote(*text), suggestion.text()));
    return nullptr;
  }
  if (found->second.underlay) {
    item.error(fmt::format("{} has addresses: of an underlay, name the tunnels", *text));
    return nullptr;
  }
  return &found->second;
}

void read_selected(Reading& reading, const Fields& fields, std::string_view key, std::vector<std::string>& out) {
  const auto list = fields.find(key);
  if (!list) return;
  list->for_each_item([&](const Value& item) {
    std::string name;
    const Claims::Interface* const interface = find_interface(reading, item, name);
    if (interface == nullptr) return;
    if (interface->bridge_line == 0) return item.error(fmt::format("{} is in no bridge, so it has no frames", name));
    if (std::ranges::find(out, name) != out.end()) return item.error(fmt::format("{} is in the list already", name));
    out.push_back(std::move(name));
  });
}

void read_select_vlan(const Fields& fields, Mirror& mirror) {
  const auto list = fields.find("select-vlan");
  if (!list) return;
  list->for_each_item([&](const Value& item) {
    const auto vlan = item.number(0, kVlans - 1);
    if (!vlan) return;
    const auto id = static_cast<uint16_t>(*vlan);
    if (std::ranges::find(mirror.select_vlan, id) != mirror.select_vlan.end()) {
      return item.error(fmt::format("VLAN {} is in the list already", id));
    }
    mirror.select_vlan.push_back(id);
  });
}

void read_output_port(Reading& reading, const Fields& fields, Mirror& mirror) {
  const auto output = fields.find("output-port");
  if (!output) return;
  std::string name;
  const Claims::Interface* const interface = find_interface(reading, *output, name);
  if (interface == nullptr) return;
  if (interface->bridge_line != 0) {
    return output->error(fmt::format("{} is in bridges.{}, on line {}: an output port is for mirrors only", name,
                                     interface->bridge, interface->bridge_line));
  }
  mirror.output_port = std::move(name);
}

void read_mirror(Reading& reading, const Value& value, Mirror& mirror) {
  const size_t errors = reading.diagnostics.count();
  const Fields fields(value, kKeyNames<kMirrorKeys>);
  read_keys(fields, kMirrorKeys, mirror);
  read_selected(reading, fields, "select-src-port", mirror.select_src_port);
  read_selected(reading, fields, "select-dst-port", mirror.select_dst_port);
  read_select_vlan(fields, mirror);
  read_output_port(reading, fields, mirror);
  if (reading.diagnostics.count() != errors) return;
  if (!mirror.select_all && mirror.select_src_port.empty() && mirror.select_dst_port.empty()) {
    return value.key_error("selects nothing: it needs select-src-port, select-dst-port or select-all: true");
  }
  if (mirror.output_port.empty() == (mirror.output_vlan == 0)) {
    value.key_error("needs output-port or output-vlan, and not both");
  }
}

}  // namespace

void read_mirrors(const Value& section, Reading& reading) {
  std::unordered_map<std::string_view, int> lines;  // name -> where it stands first
  section.for_each_entry([&](std::string_view name, const Value& value) {
    const auto [first, is_new] = lines.try_emplace(name, value.key_place().line);
    if (!is_new) return value.key_error(fmt::format("duplicate key, first on line {}", first->second));
    if (!has_valid_name(value, name, kLongestName)) return;
    Mirror mirror;
    read_mirror(reading, value, mirror);
    reading.config.mirrors.emplace(name, std::move(mirror));
  });
}

}  // namespace causeway::config
