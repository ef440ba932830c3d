#include "control/import/underlays.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "control/config/address_text.h"
#include "dataplane/wire/link_local.h"

namespace causeway {
namespace {

bool is_in_network_of(const config::Ethernet& ethernet, const IpAddress& ip) {
  return std::ranges::any_of(ethernet.addresses, [&](const IpPrefix& own) { return own.contains(ip); });
}

class Finder {
 public:
  Finder(const config::Config& translated, const ImportHost& host) : translated_(translated), host_(host) {}

  void add(const std::string& name, const config::Tunnel& tunnel) {
    const IpAddress& remote = tunnel.remotes.front();
    const auto route = host_.route_to(remote);
    if (route && route->interface == kLoopback) return;  // this host: it isn't made
    if (!tunnel.local.is_unspecified()) {
      add_owner(name, tunnel.local, remote);
    } else if (route) {
      add_owner(name, route->source, remote);
    } else {
      result_.comments["tunnels." + name].emplace_back("the host has no route to its remote: it needs an underlay");
    }
    if (route) add_route(*route);
  }

  Underlays take() { return std::move(result_); }

 private:
  void add_owner(const std::string& tunnel, const IpAddress& local, const IpAddress& remote) {
    const auto [owner, is_new] = owners_.try_emplace(local);
    if (is_new) owner->second = owner_of(tunnel, local, remote);
  }

  // The ethernet that has a tunnel's address.
  std::string owner_of(const std::string& tunnel, const IpAddress& local, const IpAddress& remote) {
    const auto held = std::ranges::find(host_.addresses, local, [](const auto& each) { return each.address.address; });
    if (held == host_.addresses.end()) {
      return fill_in({IpPrefix{local, static_cast<uint8_t>(local.is_v4() ? 32 : 128)}},
                     fmt::format("{} is an address of no interface of this host, and tunnel {} begins there: write the "
                                 "underlay's name here, and the length of its prefix",
                                 to_string(local), tunnel));
    }
    if (held->interface != kLoopback) return ethernet_of(held->interface, local);
    // An address of the host as a whole: it goes with the interface that the packets leave by.
    const auto route = host_.route_to(remote);
    if (!route || route->interface == kLoopback) {
      return fill_in({held->address},
                     fmt::format("{} is an address of lo: write the underlay's name here", to_string(local)));
    }
    std::string name = ethernet_of(route->interface, local);
    config::Ethernet& ethernet = result_.config.ethernets.at(name);
    if (!ethernet.host_addresses) ethernet.addresses.push_back(held->address);
    return name;
  }

  std::string ethernet_of(const std::string& interface, const IpAddress& local) {
    const auto [entry, is_new] = ethernets_.try_emplace(interface);
    if (is_new) entry->second = make_ethernet(interface, local);
    return entry->second;
  }

  std::string make_ethernet(const std::string& interface, const IpAddress& local) {
    std::vector<IpPrefix> addresses;
    for (const auto& [owner, address] : host_.addresses) {
      const bool wanted = !is_link_local(address.address) || address.address == local;
      if (owner == interface && wanted) addresses.push_back(address);
    }
    const auto own = translated_.ethernets.find(interface);
    if (own == translated_.ethernets.end() || !std::holds_alternative<config::TapDevice>(own->second.device)) {
      result_.config.ethernets[interface].host_addresses = true;
      return interface;
    }
    const auto uplink = uplink_of(interface);
    if (!uplink) {
      return fill_in(std::move(addresses), fmt::format("the addresses of {}, an interface of Open vSwitch's own: write "
                                                       "the name of the one that leads to the other hosts here",
                                                       interface));
    }
    config::Ethernet ethernet = translated_.ethernets.at(*uplink);
    ethernet.addresses = std::move(addresses);
    ethernet.isolated = false;
    ethernet.split_group.clear();
    result_.config.ethernets.emplace(*uplink, std::move(ethernet));
    result_.comments["ethernets." + *uplink].push_back(
        fmt::format("in Open vSwitch the port of bridge {}, whose own interface has the addresses", interface));
    result_.uplinks.insert(*uplink);
    result_.own_ports.insert(interface);
    return *uplink;
  }

  // The one device of the bridge whose own interface this is; none: there are several, or it carries VLANs.
  std::optional<std::string> uplink_of(const std::string& own) const {
    const auto bridge = translated_.bridges.find(own);
    if (bridge == translated_.bridges.end()) return std::nullopt;
    std::optional<std::string> uplink;
    for (const std::string& name : bridge->second.interfaces) {
      const auto ethernet = translated_.ethernets.find(name);
      if (ethernet == translated_.ethernets.end()) return std::nullopt;
      if (ethernet->second.vlan.mode != VlanMode::none) return std::nullopt;
      if (name == own) continue;
      if (uplink || std::holds_alternative<config::TapDevice>(ethernet->second.device)) return std::nullopt;
      uplink = name;
    }
    return uplink;
  }

  std::string fill_in(std::vector<IpPrefix> addresses, const std::string& why) {
    std::string name;
    do {
      name = fmt::format("fill-in-{}", ++filled_in_);
    } while (translated_.ethernets.contains(name) || translated_.tunnels.contains(name));
    config::Ethernet ethernet;
    ethernet.addresses = std::move(addresses);
    result_.config.ethernets.emplace(name, std::move(ethernet));
    result_.comments["ethernets." + name].push_back(why);
    return name;
  }

  // By the interface that it leaves by, which isn't always the one that has the tunnel's address.
  void add_route(const KernelRoute& route) {
    if (!route.gateway || route.gateway->is_v4() != route.to.address.is_v4()) return;
    const auto is_there = [&](const InterfaceAddress& each) { return each.interface == route.interface; };
    if (std::ranges::none_of(host_.addresses, is_there)) return;
    config::Ethernet& ethernet = result_.config.ethernets.at(ethernet_of(route.interface, route.source));
    if (ethernet.host_addresses || is_in_network_of(ethernet, route.to.address)) return;
    const bool on_link = !is_in_network_of(ethernet, *route.gateway) && !is_link_local(*route.gateway);
    const config::Route wanted{route.to, *route.gateway, 0, on_link};
    if (std::ranges::find(ethernet.routes, wanted) == ethernet.routes.end()) ethernet.routes.push_back(wanted);
  }

  const config::Config& translated_;
  const ImportHost& host_;
  std::map<IpAddress, std::string> owners_;
  std::map<std::string, std::string> ethernets_;  // by the interface that has its addresses in the host
  size_t filled_in_ = 0;
  Underlays result_;
};

}  // namespace

Underlays underlays_of(const config::Config& translated, const ImportHost& host) {
  Finder finder(translated, host);
  for (const auto& [name, tunnel] : translated.tunnels) finder.add(name, tunnel);
  return finder.take();
}

}  // namespace causeway
