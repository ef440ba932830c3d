// Writes what the rows of keys.h say into the JSON Schema and the manual page, while the project is built:
//   describe_keys schema causeway.schema.json.in, describe_keys manual causeway.yaml.5.in
// In the first, "@tunnel" stands for the properties of that table; in the second, a line `.\" @tunnel` does.
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "control/config/keys.h"
#include "control/config/value_text.h"

namespace causeway::config {
namespace {

using Json = nlohmann::ordered_json;

// The schema of a form, without its default.
Json schema_of(const Number& form) {
  Json schema{{"type", "integer"}, {"minimum", form.low}};
  if (form.high != UINT64_MAX) schema["maximum"] = form.high;
  return schema;
}
Json schema_of(const Bytes& form) {
  return {
      {"anyOf",
       {{{"type", "string"}, {"pattern", "^(0|[1-9][0-9]*)[KMGT]?$"}}, {{"type", "integer"}, {"minimum", form.low}}}}};
}
Json schema_of(const Flag&) { return {{"type", "boolean"}}; }
Json schema_of(const AutoOrOff&) { return {{"enum", {"auto", "off"}}}; }
Json schema_of(const OnOffAuto&) { return {{"$ref", "#/$defs/toggle"}}; }
template <size_t N>
Json schema_of(const Words<N>& form) {
  return {{"enum", form.words}};
}
template <size_t N>
Json schema_of(const TunnelTypes<N>& form) {
  Json names = Json::array();
  for (const TunnelType type : form.types) names.push_back(row_of(type).name);
  return {{"enum", names}};
}
Json schema_of(const Mac&) { return {{"$ref", "#/$defs/mac"}}; }
Json schema_of(const Clamp&) { return {{"$ref", "#/$defs/mssClamp"}}; }
Json schema_of(const Range& form) {
  if (form.one) return {{"type", "string"}, {"$ref", "#/$defs/ipv4"}};
  switch (form.of) {
    case Range::Of::mac:
      return {{"$ref", "#/$defs/macRange"}};
    case Range::Of::ipv4:
      return {{"$ref", "#/$defs/ipv4Range"}};
    case Range::Of::port:
      return {{"$ref", "#/$defs/portRange"}};
    case Range::Of::id:
      break;
  }
  return {{"$ref", "#/$defs/idRange"}};
}
Json schema_of(const Other& form) { return Json::parse(form.schema); }

// What the key is where the file doesn't have it; null: none that could be written there.
Json default_of(const Number& form, std::integral auto value) { return value < form.low ? Json() : Json(value); }
Json default_of(const Bytes& form, uint64_t value) { return text_of(form, value); }
Json default_of(const Flag&, bool value) { return value; }
Json default_of(const AutoOrOff& form, bool value) { return text_of(form, value); }
Json default_of(const OnOffAuto&, Toggle value) { return text_of(value); }
Json default_of(const Clamp&, const MssClamp& value) { return text_of(value); }
Json default_of(const Mac&, const MacAddress& value) { return value.is_zero() ? Json() : Json(text_of(value)); }
template <size_t N, typename Enum>
Json default_of(const Words<N>& form, Enum value) {
  return text_of(form, value);
}
Json default_of(const auto&, const auto&) { return {}; }

std::string without_backquotes(std::string_view help) {
  std::string text;
  for (const char c : help) {
    if (c != '`') text += c;
  }
  return text;
}

Json properties_of(const auto& rows, const auto& defaults);

template <const auto& kRows>
Json schema_with_default(const Mapping<kRows>& form, const auto& defaults) {
  if (!form.schema.empty()) return Json::parse(form.schema);
  return {
      {"type", {"object", "null"}}, {"additionalProperties", false}, {"properties", properties_of(kRows, defaults)}};
}
Json schema_with_default(const auto& form, const auto& value) {
  Json schema = schema_of(form);
  if (const Json usual = default_of(form, value); !usual.is_null()) schema["default"] = usual;
  return schema;
}

// `member` of `owner`; without one, nothing.
const auto& member_of(const auto& member, const auto& owner) {
  if constexpr (std::is_member_object_pointer_v<std::remove_cvref_t<decltype(member)>>) {
    return owner.*member;
  } else if constexpr (std::is_invocable_v<decltype(member), decltype(owner)> &&
                       !std::is_pointer_v<std::remove_cvref_t<decltype(member)>>) {
    return member(owner);
  } else {
    return member;
  }
}

Json schema_of_key(const auto& key, const auto& defaults) {
  Json schema = schema_with_default(key.form, member_of(key.member, defaults));
  Json described{{"description", without_backquotes(key.help)}};
  described.update(schema);
  return described;
}

Json properties_of(const auto& rows, const auto& defaults) {
  Json properties = Json::object();
  for_each_key(rows, [&](const auto& key) {
    if (!key.help.empty()) properties[std::string(key.name)] = schema_of_key(key, defaults);
  });
  return properties;
}

// Calls `use(rows, defaults)` with the table of that name.
void with_table(std::string_view name, auto&& use) {
  if (name == "system") return use(kSystemKeys, System{});
  if (name == "ethernet") return use(kEthernetKeys, Ethernet{});
  if (name == "queues") return use(kQueueKeys, Ethernet{});
  if (name == "dpdk") return use(kDpdkKeys, Ethernet{});
  if (name == "hostPath") return use(kHostPathKeys, Ethernet{});
  if (name == "route") return use(kRouteKeys, Route{});
  if (name == "routeTable") return use(kRouteTableKeys, Ethernet{});
  if (name == "neighbor") return use(kNeighborKeys, StaticNeighbor{});
  if (name == "binding") return use(kBindingKeys, Binding{});
  if (name == "offloads") return use(kOffloadKeys, OffloadSettings{});
  if (name == "vlan") return use(kVlanKeys, Ethernet{});
  if (name == "portVlan") return use(kPortVlanKeys, PortVlan{});
  if (name == "bridge") return use(kBridgeKeys, Bridge{});
  if (name == "parameters") return use(kParameterKeys, Bridge{});
  if (name == "staticMac") return use(kStaticMacKeys, StaticMac{});
  if (name == "evpn") return use(kEvpnKeys, Evpn{});
  if (name == "tunnel") return use(kTunnelKeys, Tunnel{});
  if (name == "idDirections") return use(kIdDirectionKeys, Tunnel{});
  if (name == "option") return use(kOptionKeys, GeneveOption{});
  if (name == "sflow") return use(kSflowKeys, Sflow{});
  if (name == "mirror") return use(kMirrorKeys, Mirror{});
  if (name == "generator") return use(kGeneratorKeys, GeneratorSettings{});
  if (name == "generatorTunnel") return use(kGeneratorTunnelKeys, GeneratorTunnel{});
  if (name == "nicModel") return use(kNicModelKeys, NicModelSettings{});
  throw std::runtime_error(fmt::format("there is no table {}", name));
}

// What stands for "@name".
Json replacement_of(std::string_view name) {
  if (name == "features") return kNicFeatureNames;
  Json properties;
  with_table(name, [&](const auto& rows, const auto& defaults) { properties = properties_of(rows, defaults); });
  return properties;
}

void fill_in(Json& node) {
  if (node.is_string() && node.get_ref<const std::string&>().starts_with('@')) {
    node = replacement_of(std::string_view(node.get_ref<const std::string&>()).substr(1));
  }
  if (!node.is_structured()) return;
  for (Json& child : node) fill_in(child);
  // What has to be there has no default.
  if (!node.contains("required") || !node.contains("properties")) return;
  for (const Json& name : node["required"]) node["properties"][name.get<std::string>()].erase("default");
}

std::string schema_from(std::istream& skeleton) {
  Json schema = Json::parse(skeleton);
  fill_in(schema);
  return schema.dump(2) + "\n";
}

// Text for roff, man(7): what stands between backquotes is bold.
std::string roff(std::string_view text) {
  std::string result;
  bool bold = false;
  for (const char c : text) {
    if (c == '`') {
      bold = !bold;
      result += bold ? "\\fB" : "\\fR";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
  }
  return result;
}

std::string manual_of(const auto& rows, const auto& defaults) {
  std::string page;
  for_each_key(rows, [&](const auto& key) {
    if (key.help.empty()) return;
    const Json schema = schema_of_key(key, defaults);
    page += fmt::format(".TP\n\\fB{}\\fR\n{}", roff(key.name), roff(key.help));
    if (schema.contains("default")) {
      const Json& usual = schema["default"];
      page += fmt::format(" (default: {})", roff(usual.is_string() ? usual.get<std::string>() : usual.dump()));
    }
    page += '\n';
  });
  return page;
}

std::string manual_from(std::istream& skeleton) {
  static constexpr std::string_view kMark = ".\\\" @";
  std::string page;
  for (std::string line; std::getline(skeleton, line);) {
    if (!line.starts_with(kMark)) {
      page += line + '\n';
      continue;
    }
    with_table(std::string_view(line).substr(kMark.size()),
               [&](const auto& rows, const auto& defaults) { page += manual_of(rows, defaults); });
  }
  return page;
}

int run(std::string_view what, const char* path) {
  std::ifstream skeleton(path);
  if (!skeleton || (what != "schema" && what != "manual")) {
    throw std::runtime_error(fmt::format("cannot make {} of {}", what, path));
  }
  fmt::print("{}", what == "schema" ? schema_from(skeleton) : manual_from(skeleton));
  return 0;
}

}  // namespace
}  // namespace causeway::config

int main(int argc, char** argv) {
  try {
    if (argc != 3) throw std::runtime_error("usage: describe_keys schema|manual FILE");
    return causeway::config::run(argv[1], argv[2]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "describe_keys: {}\n", error.what());
    return 1;
  }
}
