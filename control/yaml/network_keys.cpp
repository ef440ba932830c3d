// What ethernets and VLANs have alike: addresses, routes and neighbors of an underlay, or what is said of a bridge
// port.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "control/config/address_text.h"
#include "control/config/keys.h"
#include "control/config/value_text.h"
#include "control/yaml/read_keys.h"
#include "control/yaml/section_readers.h"
#include "dataplane/wire/link_local.h"

namespace causeway::config {
namespace {

// Reachable without a router: in the network of one of the interface's addresses.
bool is_on_link(const Ethernet& ethernet, const IpAddress& ip) {
  return std::any_of(ethernet.addresses.begin(), ethernet.addresses.end(), [&](const IpPrefix& own) {
    return own.contains(ip) || (is_link_local(ip) && own.address.is_v6());
  });
}

bool is_host(const IpAddress& ip) { return !ip.is_multicast() && !ip.is_unspecified(); }

// Its first and last address are nobody's (RFC 919; in a /31 they are hosts', RFC 3021).
bool has_broadcast(const IpPrefix& network) { return network.address.is_v4() && network.length < 31; }

IpAddress broadcast_of(const IpPrefix& network) {
  IpAddress last = network.address;
  for (size_t bit = 96U + network.length; bit < 128; ++bit) {
    last.bytes[bit / 8] = static_cast<uint8_t>(last.bytes[bit / 8] | 0x80 >> bit % 8);
  }
  return last;
}

// Why no packet can go by `gateway`, or "".
std::string gateway_error(const Ethernet& ethernet, const IpAddress& gateway, bool on_link) {
  const std::string text = to_string(gateway);
  if (!is_host(gateway)) return fmt::format("{} is no address of a host", text);
  bool same_version = false;
  for (const IpPrefix& own : ethernet.addresses) {
    same_version |= own.address.is_v4() == gateway.is_v4();
    if (own.address == gateway) return fmt::format("{} is the interface's own address", text);
    const IpPrefix network = network_of(own);
    if (has_broadcast(network) && (gateway == network.address || gateway == broadcast_of(network))) {
      return fmt::format("{} is {} address of {}, no host's", text,
                         gateway == network.address ? "the network" : "the broadcast", to_string(network));
    }
  }
  if (on_link && !same_version) return fmt::format("the interface has no address to ask for {} from", text);
  if (on_link || is_on_link(ethernet, gateway)) return "";
  return fmt::format("{} is in the network of none of the interface's addresses; on-link: true says it is there", text);
}

void read_addresses(Reading& reading, std::string_view name, const Value& list, Ethernet& ethernet) {
  list.for_each_item([&](const Value& item) {
    const auto prefix = item.prefix();
    if (!prefix) return;
    const IpAddress& ip = prefix->address;
    if (!is_host(ip)) return item.error(fmt::format("{} is no address of a host", to_string(ip)));
    // A link-local address is its link's: another link may have the same (RFC 4007 section 6).
    const auto [first, last] = reading.claims.own_addresses.equal_range(ip);
    const auto taken =
        std::find_if(first, last, [&](const auto& known) { return !is_link_local(ip) || known.second.name == name; });
    if (taken != last) {
      const Claims::Owner& owner = taken->second;
      return item.error(fmt::format("{} is an address of {}.{} already, on line {}", to_string(ip),
                                    reading.claims.interfaces.at(owner.name).section, owner.name, owner.line));
    }
    reading.claims.own_addresses.emplace(ip, Claims::Owner{name, item.place().line});
    if (const IpPrefix network = network_of(*prefix); has_broadcast(network)) {
      reading.claims.network_ends[network.address] = reading.claims.network_ends[broadcast_of(network)] = network;
    }
    ethernet.addresses.push_back(*prefix);
  });
}

// The host's end, an ethernet of its own that no file names.
void read_host_path(Reading& reading, std::string_view name, const Value& value, Ethernet& ethernet) {
  std::string interface = fmt::format("host-{}", name);
  if (value.is_map()) {
    const Fields fields(value, kKeyNames<kHostPathKeys>);
    fields.require({"interface"});
    const auto given = fields.find("interface");
    const auto text = given ? given->text("the name of an interface") : std::nullopt;
    if (!text) return;
    interface = *text;
  } else if (const auto wanted = value.boolean(); !wanted || !*wanted) {
    return;
  } else if (interface.size() > kLongestInterfaceName) {
    return value.error(
        fmt::format("{} is longer than an interface's name may be ({} bytes): give it one, "
                    "{{interface: NAME}}",
                    interface, kLongestInterfaceName));
  }
  if (!ethernet.is_underlay()) return value.key_error("only an ethernet with addresses has a host path");
  if (std::string error = name_error(interface, kLongestInterfaceName); !error.empty()) {
    return value.error(std::move(error));
  }
  const auto [entry, is_new] = reading.config.ethernets.try_emplace(interface);
  const auto [claim, is_free] = reading.claims.interfaces.try_emplace(
      entry->first, Claims::Interface{.section = "host-path", .key = &value.key_place(), .underlay = true});
  if (!is_new || !is_free) {
    if (is_new) reading.config.ethernets.erase(entry);
    const Claims::Interface& first = claim->second;
    return value.error(fmt::format("the name is taken by {}.{} on line {}", first.section, interface, first.key->line));
  }
  entry->second.device = HostDevice{std::string(name)};
  ethernet.host = std::move(interface);
}

// The host keeps them.
void read_host(const Fields& fields, Ethernet& ethernet) {
  ethernet.host_addresses = true;
  if (const auto there = fields.find("neighbors")) {
    there->key_error("with `addresses: host` they are the host's: ip neigh");
  }
}

void read_route_table(const Value& item, Ethernet& ethernet) {
  const Fields fields(item, kKeyNames<kRouteTableKeys>);
  fields.require({"table"});
  const auto table = fields.find("table");
  if (!table) return;
  const bool is_main = table->is_text() && table->text("") == "main";
  const auto number = is_main ? kMainTable : table->number(1, UINT32_MAX);
  if (!number) return;
  const auto wanted = static_cast<uint32_t>(*number);
  if (wanted == kLocalTable) return table->error("255 is the table of the host's own addresses");
  if (std::ranges::find(ethernet.route_tables, wanted) != ethernet.route_tables.end()) {
    return table->error(fmt::format("second time table {}", table_text(wanted)));
  }
  ethernet.route_tables.push_back(wanted);
}

bool has_key(const Value& mapping, std::string_view key) {
  bool found = false;
  if (mapping.is_map()) mapping.for_each_entry([&](std::string_view name, const Value&) { found |= name == key; });
  return found;
}

void read_routes(const Value& routes, Ethernet& ethernet) {
  if (routes.is_text() && routes.text("") == "host") {
    ethernet.route_tables = {kMainTable};
    return;
  }
  if (routes.is_map()) return read_route_table(routes, ethernet);
  std::set<std::pair<IpPrefix, IpAddress>> seen;
  routes.for_each_item([&](const Value& item) {
    if (has_key(item, "table")) return read_route_table(item, ethernet);
    if (ethernet.host_addresses) return item.error("with `addresses: host` they are the host's: ip route");
    const Fields fields(item, kKeyNames<kRouteKeys>);
    fields.require({"to", "via"});
    const auto to = fields.find("to");
    const auto via = fields.find("via");
    const auto gateway = via ? via->address() : std::nullopt;
    Route route;
    read_keys(fields, kRouteKeys, route);
    if (const std::string error = gateway ? gateway_error(ethernet, *gateway, route.on_link) : ""; !error.empty()) {
      via->error(error);
    }
    if (!to || !gateway) return;
    route.via = *gateway;
    if (to->is_text() && to->text("") == "default") {
      route.to.address = gateway->is_v4() ? IpAddress::v4(0, 0, 0, 0) : IpAddress{};
    } else if (const auto prefix = to->prefix()) {
      if (prefix->address.is_v4() != gateway->is_v4()) {
        return to->error(
            fmt::format("{} and its gateway {} are of different IP versions", to_string(*prefix), to_string(*gateway)));
      }
      const IpPrefix network = network_of(*prefix);
      if (network != *prefix) {
        return to->error(fmt::format("{} is no network, {} is", to_string(*prefix), to_string(network)));
      }
      route.to = network;
    } else {
      return;
    }
    if (!seen.emplace(route.to, route.via).second) {
      return to->error(fmt::format("second route to {} via {}", to_string(route.to), to_string(route.via)));
    }
    ethernet.routes.push_back(route);
  });
}

void read_neighbors(const Value& list, Ethernet& ethernet) {
  std::set<IpAddress> seen;
  list.for_each_item([&](const Value& item) {
    const Fields fields(item, kKeyNames<kNeighborKeys>);
    fields.require({"to", "macaddress"});
    StaticNeighbor neighbor;
    read_keys(fields, kNeighborKeys, neighbor);
    const auto to = fields.find("to");
    const auto ip = to ? to->address() : std::nullopt;
    if (!ip) return;
    const bool is_gateway = std::any_of(ethernet.routes.begin(), ethernet.routes.end(),
                                        [&](const Route& route) { return route.via == *ip; });
    if (!is_gateway && (!is_host(*ip) || !is_on_link(ethernet, *ip))) {
      return to->error(fmt::format("{} is in the network of none of the interface's addresses", to_string(*ip)));
    }
    if (!seen.insert(*ip).second) return to->error(fmt::format("{} has a MAC address already", to_string(*ip)));
    neighbor.to = *ip;
    ethernet.neighbors.push_back(neighbor);
  });
}

void read_allow_from(const Fields& fields, Ethernet& ethernet) {
  const auto prefixes = fields.find("allow-from");
  if (!prefixes) return;
  if (!ethernet.is_underlay()) prefixes->key_error("only an ethernet with addresses takes tunnels");
  prefixes->for_each_item([&](const Value& item) {
    if (const auto prefix = item.prefix()) ethernet.allow_from.push_back(network_of(*prefix));
  });
}

}  // namespace

void read_network(Reading& reading, std::string_view name, const Fields& fields, Ethernet& ethernet) {
  if (const auto addresses = fields.find("addresses");
      addresses && addresses->is_text() && addresses->text("") == "host") {
    read_host(fields, ethernet);
  } else if (addresses) {
    read_addresses(reading, name, *addresses, ethernet);
  }
  if (const auto host = fields.find("host")) read_host_path(reading, name, *host, ethernet);
  if (ethernet.host_addresses && ethernet.host.empty() && !std::holds_alternative<PacketDevice>(ethernet.device)) {
    fields.find("addresses")->error("the host has addresses on existing interfaces only");
  }
  const bool has_v6 = std::any_of(ethernet.addresses.begin(), ethernet.addresses.end(),
                                  [](const IpPrefix& own) { return own.address.is_v6(); });
  if (has_v6 && ethernet.mtu.value_or(1500) < 1280) {
    fields.find("mtu")->error(fmt::format("{} is too small for IPv6 (at least 1280)", *ethernet.mtu));
  }
  if (const auto routes = fields.find("routes")) read_routes(*routes, ethernet);
  if (const auto neighbors = fields.find("neighbors"); neighbors && !ethernet.host_addresses)
    read_neighbors(*neighbors, ethernet);
  if (const auto clamp = fields.find("mss-clamp"); clamp && ethernet.is_underlay()) {
    clamp->key_error("an underlay's frames are tunnels' frames: mss-clamp is for these");
  }
  read_port_vlan(fields, ethernet.vlan);
  read_split_group(fields, ethernet.isolated, ethernet.split_group);
  if (const auto vlan = fields.find("vlan"); vlan && ethernet.is_underlay()) {
    vlan->key_error("an underlay is in no bridge; `vlans` puts one on a VLAN");
  }
  if (const auto limit = fields.find("max-macs"); limit && ethernet.is_underlay()) {
    limit->key_error("an underlay is no bridge port: no MAC is learnt behind it");
  }
  read_allow_from(fields, ethernet);
  read_bindings(fields, ethernet);
}

}  // namespace causeway::config
