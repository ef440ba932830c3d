#include "control/yaml/write.h"

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "control/config/address_text.h"
#include "control/config/keys.h"
#include "control/config/value_text.h"
#include "control/config/vlan_rules.h"
#include "control/process/printable.h"
#include "control/yaml/generator_key.h"
#include "control/yaml/yaml_text.h"

namespace causeway::config {
namespace {

// An IPv6 address stands in quotes: YAML may take its colons for a key's.
YamlText yaml_of(const IpAddress& ip) {
  return ip.is_v4() ? YamlText::plain(to_string(ip)) : YamlText::text(to_string(ip));
}
YamlText yaml_of(const IpPrefix& prefix) {
  return prefix.address.is_v4() ? YamlText::plain(to_string(prefix)) : YamlText::text(to_string(prefix));
}
YamlText yaml_of(const std::string& text) { return YamlText::text(text); }
YamlText yaml_of(const NicFeatures& features);
YamlText yaml_of(const PortVlan& vlan);
YamlText yaml_of(const std::vector<uint8_t>& bytes);
YamlText yaml_of(const Route& route);
YamlText yaml_of(const StaticNeighbor& neighbor);
YamlText yaml_of(const Binding& binding);
YamlText yaml_of(const GeneveOption& option);
YamlText yaml_of(const StaticMac& mac);
YamlText yaml_of(const SflowTarget& target);
YamlText yaml_of(const std::integral auto& number) { return YamlText::plain(std::to_string(number)); }
template <typename T>
YamlText yaml_of(const std::vector<T>& items) {
  YamlText list = YamlText::list();
  for (const T& item : items) list.add(yaml_of(item));
  return list;
}

// The same of a value whose form says more than its type.
template <const auto& kRows>
YamlText yaml_of(const Mapping<kRows>&, const auto& value);
YamlText yaml_of(const Mapping<kGeneratorTunnelKeys>&, const GeneratorTunnel& tunnel);
YamlText yaml_of(const Range& form, const GeneratorRange& range);
YamlText yaml_of(const auto& form, const auto& value) {
  constexpr bool kIsScalar = std::integral<std::remove_cvref_t<decltype(value)>>;
  if constexpr (!kIsScalar && requires { yaml_of(value); }) {
    return yaml_of(value);
  } else {
    return YamlText::plain(text_of(form, value));
  }
}

// What stands behind a key that has no member of its own; none: the key isn't needed.
std::optional<YamlText> by_hand(std::string_view name, const System& system);
std::optional<YamlText> by_hand(std::string_view name, const Ethernet& ethernet);
std::optional<YamlText> by_hand(std::string_view name, const NicModelSettings& model);
std::optional<YamlText> by_hand(std::string_view name, const Bridge& bridge);
std::optional<YamlText> by_hand(std::string_view, const Evpn&) { return std::nullopt; }
std::optional<YamlText> by_hand(std::string_view name, const Tunnel& tunnel);

template <typename Member>
constexpr bool kIsMember = std::is_member_object_pointer_v<Member>;
template <typename Owner, typename Outer, typename Inner>
constexpr bool kIsMember<In<Owner, Outer, Inner>> = true;

// Each key of `rows` that says something else than `defaults`, and those of `always`.
void write_keys(YamlText& mapping, const auto& rows, const auto& owner, const auto& defaults,
                std::initializer_list<std::string_view> always = {}) {
  for_each_key(rows, [&](const auto& key) {
    if constexpr (kIsMember<std::remove_cvref_t<decltype(key.member)>>) {
      const auto& value = std::invoke(key.member, owner);
      const bool differs = value != std::invoke(key.member, defaults);
      if (differs || std::ranges::find(always, key.name) != always.end()) {
        mapping.set(key.name, yaml_of(key.form, value));
      }
    } else if (auto value = by_hand(key.name, owner)) {
      mapping.set(key.name, std::move(*value));
    }
  });
}

template <const auto& kRows>
YamlText yaml_of(const Mapping<kRows>&, const auto& value) {
  YamlText mapping;
  write_keys(mapping, kRows, value, std::remove_cvref_t<decltype(value)>{});
  return mapping;
}

YamlText yaml_of(const NicFeatures& features) {
  YamlText list = YamlText::list();
  for (size_t i = 0; i < kNicFeatureNames.size(); ++i) {
    if (features.has(static_cast<NicFeature>(i))) list.add(YamlText::plain(std::string(kNicFeatureNames[i])));
  }
  return list;
}

YamlText yaml_of(const PortVlan& vlan) {
  YamlText mapping;
  const bool trunk = vlan.mode == VlanMode::trunk;
  mapping.set("mode", YamlText::plain(trunk ? "trunk" : vlan.mode == VlanMode::access ? "access" : "native"));
  if (!trunk) mapping.set("tag", yaml_of(vlan.tag));
  if (vlan.trunks.empty()) return mapping;
  YamlText trunks = YamlText::list();
  for (std::string& range : ranges_of(vlan.trunks)) trunks.add(YamlText::plain(std::move(range)));
  mapping.set("trunks", std::move(trunks));
  return mapping;
}

// In quotes, however many digits there are, and no letters.
YamlText yaml_of(const std::vector<uint8_t>& bytes) { return YamlText::plain('"' + hex_digits(bytes) + '"'); }

YamlText yaml_of(const Route& route) {
  YamlText mapping;
  write_keys(mapping, kRouteKeys, route, Route{}, {"to"});
  if (route.to.length == 0) mapping.set("to", YamlText::plain("default"));
  return mapping;
}

YamlText yaml_of(const StaticNeighbor& neighbor) {
  YamlText mapping;
  write_keys(mapping, kNeighborKeys, neighbor, StaticNeighbor{});
  return mapping;
}

YamlText yaml_of(const Binding& binding) {
  YamlText mapping;
  write_keys(mapping, kBindingKeys, binding, Binding{});
  return mapping;
}

YamlText yaml_of(const GeneveOption& option) {
  YamlText mapping;
  write_keys(mapping, kOptionKeys, option, GeneveOption{}, {"class", "type"});
  return mapping;
}

YamlText yaml_of(const StaticMac& mac) {
  YamlText mapping;
  write_keys(mapping, kStaticMacKeys, mac, StaticMac{});
  return mapping;
}

YamlText yaml_of(const SflowTarget& target) { return YamlText::text(text_of(target)); }

YamlText yaml_of(const Range& form, const GeneratorRange& range) {
  YamlText first = YamlText::plain(text_of(form, GeneratorRange{range.first, 1}));
  if (range.count == 1) return first;
  YamlText mapping;
  mapping.set("first", std::move(first));
  mapping.set("count", yaml_of(range.count));
  return mapping;
}

YamlText yaml_of(const Mapping<kGeneratorTunnelKeys>&, const GeneratorTunnel& tunnel) {
  GeneratorTunnel defaults;
  defaults.port = row_of(tunnel.mode).udp_port;
  YamlText mapping;
  write_keys(mapping, kGeneratorTunnelKeys, tunnel, defaults, {"id", "source-address", "destination-address"});
  return mapping;
}

YamlText yaml_of(const GeneratorSettings& generator) {
  GeneratorSettings defaults;
  defaults.flows = generator.flows;
  default_ranges(defaults);
  defaults.flows = GeneratorSettings{}.flows;
  YamlText mapping;
  write_keys(mapping, kGeneratorKeys, generator, defaults);
  return mapping;
}

YamlText yaml_of(const System& system) {
  System defaults;
  if (!system.named) defaults.name = system.name;
  YamlText mapping;
  write_keys(mapping, kSystemKeys, system, defaults);
  return mapping;
}

std::optional<YamlText> by_hand(std::string_view name, const System& system) {
  if (name != "workers" || (system.workers == System{}.workers && system.worker_cores.empty())) return std::nullopt;
  return YamlText::plain(workers_text(system));
}

std::optional<YamlText> by_hand(std::string_view name, const NicModelSettings& model) {
  if (name != "over" || model.over == NicModelSettings::Over::interface) return std::nullopt;
  return model.over == NicModelSettings::Over::tap ? YamlText::plain("tap") : YamlText::text(model.devargs);
}

// `rx-workers` counts the queues already.
void write_queues(YamlText& mapping, const Ethernet& ethernet) {
  if (ethernet.rx_workers.empty()) write_keys(mapping, kQueueKeys, ethernet, Ethernet{});
}

// What stands behind the key `name`, if that says which device it is.
std::optional<YamlText> device_of(std::string_view name, const Ethernet& ethernet) {
  YamlText mapping;
  if (name == "packet" && std::holds_alternative<PacketDevice>(ethernet.device)) {
    write_queues(mapping, ethernet);
    if (mapping.entries.empty()) return std::nullopt;
    return mapping;
  }
  if (name == "tap" && std::holds_alternative<TapDevice>(ethernet.device)) {
    write_queues(mapping, ethernet);
    return mapping;
  }
  if (const auto* const dpdk = std::get_if<DpdkDevice>(&ethernet.device); dpdk != nullptr && name == "dpdk") {
    mapping.set("devargs", yaml_of(dpdk->devargs));
    write_queues(mapping, ethernet);
    return mapping;
  }
  if (const auto* const generator = std::get_if<GeneratorSettings>(&ethernet.device);
      generator != nullptr && name == "generator") {
    return yaml_of(*generator);
  }
  if (const auto* const model = std::get_if<NicModelSettings>(&ethernet.device);
      model != nullptr && name == "nic-model") {
    write_queues(mapping, ethernet);
    write_keys(mapping, kNicModelKeys, *model, NicModelSettings{});
    return mapping;
  }
  return std::nullopt;
}

std::optional<YamlText> by_hand(std::string_view name, const Ethernet& ethernet) {
  if (name == "rx-workers" && !ethernet.rx_workers.empty()) return YamlText::plain(rx_workers_text(ethernet));
  if (name == "vlan" && ethernet.vlan.mode != VlanMode::none) return yaml_of(ethernet.vlan);
  const VlanDevice* const vlan = ethernet.vlan_device();
  if (vlan == nullptr) return device_of(name, ethernet);
  if (name == "id") return yaml_of(vlan->id);
  if (name == "link") return yaml_of(vlan->link);
  return std::nullopt;
}

// What is followed, before what is given.
YamlText routes_of(const Ethernet& ethernet) {
  if (ethernet.routes.empty() && ethernet.route_tables == std::vector{kMainTable}) return YamlText::plain("host");
  YamlText list = YamlText::list();
  for (const uint32_t table : ethernet.route_tables) {
    YamlText mapping;
    mapping.set("table", YamlText::plain(table_text(table)));
    list.add(std::move(mapping));
  }
  for (const Route& route : ethernet.routes) list.add(yaml_of(route));
  return list;
}

YamlText yaml_of(const Ethernet& ethernet) {
  YamlText mapping;
  if (ethernet.vlan_device() != nullptr) {
    write_keys(mapping, kVlanKeys, ethernet, Ethernet{});
  } else {
    write_keys(mapping, kEthernetKeys, ethernet, Ethernet{});
  }
  if (ethernet.host_addresses) mapping.set("addresses", YamlText::plain("host"));
  if (!ethernet.host.empty()) {
    YamlText path;
    path.set("interface", yaml_of(ethernet.host));
    mapping.set("host", std::move(path));
  }
  if (!ethernet.route_tables.empty()) mapping.set("routes", routes_of(ethernet));
  return mapping;
}

std::optional<YamlText> by_hand(std::string_view name, const Bridge& bridge) {
  if (name == "interfaces" && !bridge.interfaces.empty()) return yaml_of(bridge.interfaces);
  if (name == "static-macs" && !bridge.static_macs.empty()) return yaml_of(bridge.static_macs);
  if (name != "parameters") return std::nullopt;
  YamlText parameters;
  write_keys(parameters, kParameterKeys, bridge, Bridge{});
  if (parameters.entries.empty()) return std::nullopt;
  return parameters;
}

YamlText evpn_of(const Tunnel& instance) {
  YamlText mapping;
  mapping.set("vni", yaml_of(*instance.id));
  mapping.set("local", yaml_of(instance.local));
  if (instance.mode != TunnelType::vxlan) mapping.set("mode", YamlText::plain(std::string(row_of(instance.mode).name)));
  if (instance.vlan.mode == VlanMode::access) mapping.set("vlan", yaml_of(instance.vlan.tag));
  if (instance.split_group != Evpn::kGroup) mapping.set("group", yaml_of(instance.split_group));
  write_keys(mapping, kEvpnKeys, *instance.evpn, Evpn{});
  return mapping;
}

// Its EVPN instances are no interfaces in the file.
YamlText yaml_of(const Bridge& bridge, const Config& config) {
  Bridge without = bridge;
  std::vector<YamlText> instances;
  std::erase_if(without.interfaces, [&](const std::string& interface) {
    const auto tunnel = config.tunnels.find(interface);
    const bool evpn = tunnel != config.tunnels.end() && tunnel->second.evpn;
    if (evpn) instances.push_back(evpn_of(tunnel->second));
    return evpn;
  });
  if (!instances.empty() && without.suppresses()) without.arp_nd_suppress.reset();  // on by itself
  YamlText mapping;
  write_keys(mapping, kBridgeKeys, without, Bridge{});
  if (instances.size() == 1) mapping.set("evpn", std::move(instances.front()));
  if (instances.size() > 1) {
    YamlText list = YamlText::list();
    for (YamlText& instance : instances) list.add(std::move(instance));
    mapping.set("evpn", std::move(list));
  }
  return mapping;
}

std::optional<YamlText> by_hand(std::string_view name, const Tunnel& tunnel) {
  if (name == "local" && !tunnel.local.is_unspecified()) return yaml_of(tunnel.local);
  if (name == "tos" && (tunnel.tos_inherit || tunnel.tos != 0)) return YamlText::plain(tos_text(tunnel));
  if (name == "options" && !tunnel.options.empty()) return yaml_of(tunnel.options);
  if (name == "vlan" && tunnel.vlan.mode != VlanMode::none) return yaml_of(tunnel.vlan);
  return std::nullopt;
}

YamlText yaml_of(const Tunnel& tunnel) {
  Tunnel defaults;
  defaults.port = row_of(tunnel.mode).udp_port;
  YamlText mapping;
  write_keys(mapping, kTunnelKeys, tunnel, defaults, {"mode"});
  if (tunnel.remotes.size() == 1) mapping.set("remote", yaml_of(tunnel.remotes.front()));
  if (!tunnel.id || !tunnel.sent_id) return mapping;
  YamlText keys;
  keys.set("input", yaml_of(*tunnel.id));
  keys.set("output", yaml_of(*tunnel.sent_id));
  mapping.set("keys", std::move(keys));
  mapping.remove("id");
  return mapping;
}

YamlText yaml_of(const Mirror& mirror) {
  YamlText mapping;
  write_keys(mapping, kMirrorKeys, mirror, Mirror{});
  return mapping;
}

void append_comments(std::string& out, size_t indent, const Comments& comments, const std::string& key) {
  const auto found = comments.find(key);
  if (found == comments.end()) return;
  for (const std::string& text : found->second) {
    out += std::string(indent, ' ') + "# " + printable(text) + '\n';
  }
}

// Of the entries those that are `wanted`; nothing where there are none, nor anything to say of the section.
template <typename T>
void append_section(
    std::string& out, const std::string& name, const std::map<std::string, T>& entries, const Comments& comments,
    const std::function<bool(const T&)>& wanted,
    const std::function<YamlText(const T&)>& write = [](const T& value) { return yaml_of(value); }) {
  std::string lines;
  append_comments(lines, 2, comments, name);
  for (const auto& [key, value] : entries) {
    if (!wanted(value)) continue;
    append_comments(lines, 2, comments, fmt::format("{}.{}", name, key));
    append_entry(lines, 2, key, write(value));
  }
  if (!lines.empty()) out += name + ":\n" + lines;
}

}  // namespace

std::string write_config(const Config& config, const Comments& comments) {
  std::string out;
  append_comments(out, 0, comments, "");
  out += "version: 1\n";
  append_comments(out, 0, comments, "system");
  if (const YamlText system = yaml_of(config.system); !system.entries.empty()) append_entry(out, 0, "system", system);
  const auto is_vlan = [](const Ethernet& ethernet) { return ethernet.vlan_device() != nullptr; };
  const auto is_ethernet = [](const Ethernet& ethernet) {
    return ethernet.vlan_device() == nullptr && ethernet.host_device() == nullptr;
  };
  append_section<Ethernet>(out, "ethernets", config.ethernets, comments, is_ethernet);
  append_section<Ethernet>(out, "vlans", config.ethernets, comments, is_vlan);
  const auto all = [](const auto&) { return true; };
  append_section<Bridge>(out, "bridges", config.bridges, comments, all,
                         [&](const Bridge& bridge) { return yaml_of(bridge, config); });
  append_section<Tunnel>(out, "tunnels", config.tunnels, comments, [](const Tunnel& tunnel) { return !tunnel.evpn; });
  if (config.sflow) {
    YamlText sflow;
    write_keys(sflow, kSflowKeys, *config.sflow, Sflow{});
    append_comments(out, 0, comments, "sflow");
    append_entry(out, 0, "sflow", sflow);
  }
  append_section<Mirror>(out, "mirrors", config.mirrors, comments, all);
  return out;
}

}  // namespace causeway::config
