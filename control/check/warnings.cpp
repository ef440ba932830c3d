#include "control/check/warnings.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_set>

#include "control/check/host_addresses.h"
#include "control/config/address_text.h"
#include "control/config/split_group.h"
#include "control/underlay/underlay.h"
#include "control/yaml/yaml_tree.h"
#include "dataplane/wire/link_local.h"

namespace causeway::config {
namespace {

using Names = std::unordered_set<std::string_view>;

Names bridged(const Config& config) {
  Names names;
  for (const auto& [name, bridge] : config.bridges) names.insert(bridge.interfaces.begin(), bridge.interfaces.end());
  return names;
}

Names links_of_vlans(const Config& config) {
  Names names;
  for (const auto& [name, ethernet] : config.ethernets) {
    if (ethernet.vlan_device() != nullptr) names.insert(ethernet.vlan_device()->link);
  }
  return names;
}

// As it would be with every link up.
Underlay underlay_of(const Config& config) {
  Underlay underlay;
  PortIndex index = 0;
  for (const auto& [name, ethernet] : config.ethernets) {
    if (!ethernet.is_underlay()) continue;
    Underlay::Port port;
    port.name = name;
    port.addresses = ethernet.addresses;
    port.routes = ethernet.routes;
    const bool has_v6 = std::ranges::any_of(port.addresses, [](const IpPrefix& own) { return own.address.is_v6(); });
    if (has_v6) port.addresses.push_back({link_local_address(ethernet.mac.value_or(MacAddress{})), 64});
    underlay.set(index++, std::move(port));
  }
  return underlay;
}

void warn_of_idle_interfaces(const Config& config, std::vector<ConfigWarning>& warnings) {
  const Names in_bridge = bridged(config);
  const Names links = links_of_vlans(config);
  Names outputs;
  for (const auto& [name, mirror] : config.mirrors) outputs.insert(mirror.output_port);
  for (const auto& [name, ethernet] : config.ethernets) {
    if (ethernet.host_device() != nullptr) continue;
    if (ethernet.is_underlay() || in_bridge.contains(name) || links.contains(name) || outputs.contains(name)) continue;
    warnings.push_back({ethernet.vlan_device() != nullptr ? "vlans" : "ethernets", name, "",
                        "is in no bridge and has no addresses: what it receives is dropped"});
  }
  for (const auto& [name, tunnel] : config.tunnels) {
    if (in_bridge.contains(name) || outputs.contains(name)) continue;
    warnings.push_back({"tunnels", name, "", "is in no bridge: it carries nothing"});
  }
}

bool follows_host(const Ethernet& ethernet) { return !ethernet.followed_tables().empty(); }

const char* section_of(const Ethernet& ethernet) { return ethernet.vlan_device() != nullptr ? "vlans" : "ethernets"; }

// Of the host's routes nothing is known here but that there are some.
void warn_of_unreachable_remotes(const Config& config, std::vector<ConfigWarning>& warnings) {
  const auto follower =
      std::ranges::find_if(config.ethernets, [](const auto& item) { return follows_host(item.second); });
  size_t by_host = 0;
  const Underlay underlay = underlay_of(config);
  for (const auto& [name, tunnel] : config.tunnels) {
    if (tunnel.evpn) continue;
    for (const IpAddress& remote : tunnel.remotes) {
      const bool reached = remote.is_multicast() ? !underlay.group_route(tunnel.link, tunnel.local, remote).empty()
                                                 : !underlay.routes(tunnel.local, remote).empty();
      if (reached) continue;
      if (follower != config.ethernets.end()) {
        ++by_host;
        continue;
      }
      warnings.push_back(
          {"tunnels", name, "remote",
           fmt::format("{} is in no network of an underlay, and no route leads there", to_string(remote))});
    }
  }
  // Who shares an interface has said so.
  if (by_host == 0 || follower->second.host_addresses) return;
  warnings.push_back({section_of(follower->second), follower->first, "routes",
                      fmt::format("{} of the tunnels' remotes: only the host's routes lead there", by_host)});
}

void warn_of_routes_nowhere(const Config& config, std::vector<ConfigWarning>& warnings) {
  for (const auto& [name, ethernet] : config.ethernets) {
    if (ethernet.route_tables.empty() || !ethernet.host_interface(name).empty()) continue;
    warnings.push_back({section_of(ethernet), name, "routes",
                        "the host has no interface there, so none of its routes counts: `host: true` gives it one"});
  }
}

// Ends of a tunnel are ports of their own to a bridge.
bool is_hub(const Tunnel& tunnel) { return !split_group_of(tunnel) && (tunnel.remotes.size() > 1 || tunnel.group()); }

void warn_of_dead_bridges(const Config& config, std::vector<ConfigWarning>& warnings) {
  for (const auto& [name, bridge] : config.bridges) {
    std::set<std::optional<std::string>> groups;
    bool hub = false;
    for (const std::string& interface : bridge.interfaces) {
      const auto tunnel = config.tunnels.find(interface);
      const auto ethernet = config.ethernets.find(interface);
      if (tunnel != config.tunnels.end()) {
        groups.insert(split_group_of(tunnel->second));
        hub = hub || is_hub(tunnel->second);
      } else if (ethernet != config.ethernets.end()) {
        groups.insert(split_group_of(ethernet->second));
      }
    }
    if (bridge.interfaces.empty()) {
      warnings.push_back({"bridges", name, "", "has no interfaces"});
    } else if (bridge.interfaces.size() == 1 && !hub) {
      warnings.push_back({"bridges", name, "interfaces", "one interface alone: its frames have nowhere to go"});
    } else if (groups.size() == 1 && groups.begin()->has_value()) {
      const std::string& group = groups.begin()->value();
      const std::string all = group.empty() ? "isolated, as tunnels are unless `isolated: false`"
                                            : fmt::format("of the split-horizon group {}", group);
      warnings.push_back(
          {"bridges", name, "interfaces", fmt::format("all are {}: no frame goes from one to another", all)});
    }
  }
}

void warn_of_host_addresses(const Config& config, std::vector<ConfigWarning>& warnings) {
  for (const HostAddress& shared : shared_with_host(config)) {
    const Ethernet& ethernet = config.ethernets.at(shared.ethernet);
    warnings.push_back({section_of(ethernet), shared.ethernet, "addresses", to_string(shared)});
  }
}

void warn_of_vteps_frr_lacks(const Config& config, std::vector<ConfigWarning>& warnings) {
  for (const auto& [name, bridge] : config.bridges) {
    const bool six = std::ranges::any_of(bridge.interfaces, [&config](const std::string& interface) {
      const auto tunnel = config.tunnels.find(interface);
      return tunnel != config.tunnels.end() && tunnel->second.evpn && tunnel->second.local.is_v6();
    });
    if (!six) continue;
    warnings.push_back(
        {"bridges", name, "evpn",
         "`local` is IPv6: the routing daemon has to have IPv6 VTEPs, which FRR hasn't in Debian's 8.4"});
  }
}

}  // namespace

std::vector<ConfigWarning> warnings_of(const Config& config) {
  std::vector<ConfigWarning> warnings;
  warn_of_idle_interfaces(config, warnings);
  warn_of_unreachable_remotes(config, warnings);
  warn_of_routes_nowhere(config, warnings);
  warn_of_dead_bridges(config, warnings);
  warn_of_host_addresses(config, warnings);
  warn_of_vteps_frr_lacks(config, warnings);
  return warnings;
}

std::vector<ConfigError> placed(const std::vector<ConfigWarning>& warnings, const std::string& file_label,
                                std::string_view text) {
  std::vector<ConfigError> result;
  if (warnings.empty()) return result;
  YamlError ignored;
  const auto tree = YamlTree::parse(text, ignored);
  for (const ConfigWarning& warning : warnings) {
    const std::string key = warning.section + '.' + warning.name + (warning.key.empty() ? "" : '.' + warning.key);
    result.push_back({file_label, 0, 0, key, warning.what, Severity::warning});
    const std::string_view path[] = {warning.section, warning.name, warning.key};
    if (const YamlNode* const place = tree ? tree->key_at(path) : nullptr) {
      result.back().line = place->line;
      result.back().column = place->column;
    }
  }
  std::ranges::stable_sort(result, {}, [](const ConfigError& w) { return std::pair(w.line, w.column); });
  if (result.size() > kMaxConfigErrors) {
    const size_t others = result.size() - kMaxConfigErrors;
    result.resize(kMaxConfigErrors);
    result.push_back({file_label, 0, 0, "", fmt::format("{} further warnings", others), Severity::warning});
  }
  return result;
}

}  // namespace causeway::config
