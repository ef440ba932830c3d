#include "control/yaml/sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <set>

#include "control/config/address_text.h"
#include "control/config/vlan_rules.h"
#include "control/yaml/generator_key.h"
#include "control/yaml/nic_model_key.h"
#include "dataplane/wire/link_local.h"
#include "pmd/ethdev/devargs.h"

namespace causeway::config {
namespace {

constexpr size_t kLongestInterfaceName = 15;  // IFNAMSIZ - 1, linux/if.h
constexpr size_t kLongestName = 63;
constexpr unsigned kMaxWorkers = 64;
constexpr unsigned kMaxCore = 1023;  // CPU_SETSIZE - 1

// What is wrong with a name, or "". As dev_valid_name() of the kernel's net/core/dev.c has it for interfaces.
std::string name_error(std::string_view name, size_t longest) {
  if (name.empty()) return "the name is empty";
  if (name.size() > longest) {
    return fmt::format("the name is too long ({} bytes, at most {})", name.size(), longest);
  }
  const bool bad = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '/' || c == ':' || c == 0x7f;
  });
  if (bad || name == "." || name == "..") return "a name may not contain spaces, '/' or ':', nor be '.' or '..'";
  return "";
}

bool has_valid_name(const Value& value, std::string_view name, size_t longest) {
  const std::string error = name_error(name, longest);
  if (!error.empty()) value.key_error(error);
  return error.empty();
}

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

bool is_host_and_port(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = parse_ip(host);
  const std::string_view port = text.substr(colon + 1);
  const bool digits = !port.empty() && port.find_first_not_of("0123456789") == std::string_view::npos;
  return ip && ip->is_v6() == bracketed && digits && port.size() <= 5 && std::stoul(std::string(port)) - 1 < 65535;
}

}  // namespace

// Whatever order the file has: a section is read after those it refers to.
void Sections::read(const Value& root) {
  static constexpr std::string_view kKeys[] = {"version", "system", "ethernets", "vlans", "bridges", "tunnels"};
  const Fields fields(root, kKeys);
  fields.require({"version"});
  if (const auto version = fields.find("version")) {
    const auto number = version->number(0, UINT64_MAX);
    if (number && *number != 1) version->error(fmt::format("version {} is not supported, only 1", *number));
  }
  if (const auto system = fields.find("system")) read_system(*system);
  const size_t errors = diagnostics_.count();
  if (const auto ethernets = fields.find("ethernets")) read_ethernets(*ethernets);
  if (const auto vlans = fields.find("vlans")) read_vlans(*vlans);
  own_addresses_complete_ = diagnostics_.count() == errors;
  if (const auto tunnels = fields.find("tunnels")) read_tunnels(*tunnels);
  if (const auto bridges = fields.find("bridges")) read_bridges(*bridges);
}

void Sections::read_system(const Value& value) {
  static constexpr std::string_view kKeys[] = {"name",   "workers", "control-core", "idle",        "hugepages",
                                               "memory", "metrics", "flow-cache",   "held-buffers"};
  const Fields fields(value, kKeys);
  System& system = config_.system;
  if (const auto name = fields.find("name")) {
    if (const auto text = name->text("a name")) {
      if (const std::string error = name_error(*text, kLongestName); !error.empty()) name->error(error);
      system.name = *text;
      system.named = true;
    }
  }
  if (const auto workers = fields.find("workers")) {
    const size_t errors = diagnostics_.count();
    read_workers(*workers);
    workers_complete_ = diagnostics_.count() == errors;
  }
  fields.number("control-core", system.control_core, 0, kMaxCore);
  if (const auto idle = fields.find("idle")) {
    if (const auto word = idle->word({"adaptive", "busy"})) system.idle = *word == 0 ? Idle::adaptive : Idle::busy;
  }
  fields.toggle("hugepages", system.hugepages);
  if (const auto memory = fields.find("memory")) {
    system.memory_bytes = memory->bytes(64ULL << 20, 1ULL << 40).value_or(system.memory_bytes);
  }
  if (const auto metrics = fields.find("metrics")) {
    const auto text = metrics->text("an address and port such as 127.0.0.1:9111");
    if (text && !is_host_and_port(*text)) {
      metrics->error(fmt::format("expected an address and port such as 127.0.0.1:9111, not {}", quote(*text)));
    } else if (text) {
      system.metrics = *text;
      metrics->error("not supported yet");
    }
  }
  fields.number("flow-cache", system.flow_cache_entries, 1024, 16777216);
  system.flow_cache_entries = std::bit_ceil(system.flow_cache_entries);
  fields.number("held-buffers", system.held_buffers, 64, 1048576);
}

void Sections::read_workers(const Value& value) {
  System& system = config_.system;
  if (!value.is_list()) {
    system.workers = static_cast<unsigned>(value.number(1, kMaxWorkers).value_or(1));
    return;
  }
  value.for_each_item([&](const Value& item) {
    const auto core = item.number(0, kMaxCore);
    if (!core) return;
    const auto first = std::find(system.worker_cores.begin(), system.worker_cores.end(), *core);
    if (first != system.worker_cores.end()) return item.error(fmt::format("core {} has a worker already", *core));
    system.worker_cores.push_back(static_cast<unsigned>(*core));
  });
  system.workers = static_cast<unsigned>(system.worker_cores.size());
  if (system.workers == 0 || system.workers > kMaxWorkers) {
    value.error(fmt::format("{} workers are out of range (1 to {})", system.workers, kMaxWorkers));
  }
}

bool Sections::add_interface(const char* section, std::string_view name, const Value& value, size_t longest_name) {
  const YamlNode& key = value.key_place();
  const auto [entry, is_new] = interfaces_.try_emplace(name, Interface{section, &key});
  const Interface& first = entry->second;
  if (is_new) return has_valid_name(value, name, longest_name);
  if (std::string_view(first.section) == section) {
    value.key_error(fmt::format("duplicate key, first on line {}", first.key->line));
  } else if (first.key->line < key.line) {
    value.key_error(fmt::format("the name is taken by {}.{} on line {}", first.section, name, first.key->line));
  } else {
    diagnostics_.add(first.key->line, first.key->column, fmt::format("{}.{}", first.section, name),
                     fmt::format("the name is taken by {}.{} on line {}", section, name, key.line));
  }
  return false;
}

void Sections::read_ethernets(const Value& section) {
  section.for_each_entry([&](std::string_view name, const Value& value) {
    if (!add_interface("ethernets", name, value, kLongestInterfaceName)) return;
    Ethernet ethernet;
    read_ethernet(name, value, ethernet);
    interfaces_[name].underlay = ethernet.is_underlay();
    config_.ethernets.emplace(name, std::move(ethernet));
  });
}

void Sections::read_ethernet(std::string_view name, const Value& value, Ethernet& ethernet) {
  static constexpr std::string_view kKeys[] = {"packet",     "dpdk",       "tap",        "generator", "rx-workers",
                                               "mtu",        "macaddress", "addresses",  "routes",    "neighbors",
                                               "offloads",   "isolated",   "mss-clamp",  "nic-model", "vlan",
                                               "allow-from", "max-macs",   "flood-rate", "bindings"};
  const Fields fields(value, kKeys);
  read_device(name, fields, ethernet);
  if (const auto workers = fields.find("rx-workers")) read_rx_workers(*workers, ethernet);
  fields.number("mtu", ethernet.mtu, 68, 65535);
  fields.mac("macaddress", ethernet.mac);
  read_network(name, fields, ethernet);
  if (const auto offloads = fields.find("offloads")) {
    static constexpr std::string_view kOffloadKeys[] = {"checksum", "tso", "tunnel-tso", "flow",
                                                        "gro",      "lro", "elephants"};
    const Fields toggles(*offloads, kOffloadKeys);
    toggles.toggle("checksum", ethernet.offloads.checksum);
    toggles.toggle("tso", ethernet.offloads.tso);
    toggles.toggle("tunnel-tso", ethernet.offloads.tunnel_tso);
    toggles.toggle("flow", ethernet.offloads.flow);
    toggles.toggle("gro", ethernet.offloads.gro);
    toggles.toggle("lro", ethernet.offloads.lro);
    toggles.toggle("elephants", ethernet.offloads.elephants);
  }
  fields.boolean("isolated", ethernet.isolated);
}

// What an underlay has, or else a bridge port. The MTU has been read.
void Sections::read_network(std::string_view name, const Fields& fields, Ethernet& ethernet) {
  if (const auto addresses = fields.find("addresses")) read_addresses(name, *addresses, ethernet);
  const bool has_v6 = std::any_of(ethernet.addresses.begin(), ethernet.addresses.end(),
                                  [](const IpPrefix& own) { return own.address.is_v6(); });
  if (has_v6 && ethernet.mtu.value_or(1500) < 1280) {
    fields.find("mtu")->error(fmt::format("{} is too small for IPv6 (at least 1280)", *ethernet.mtu));
  }
  if (const auto routes = fields.find("routes")) read_routes(*routes, ethernet);
  if (const auto neighbors = fields.find("neighbors")) read_neighbors(*neighbors, ethernet);
  fields.mss_clamp(ethernet.mss_clamp);
  if (const auto clamp = fields.find("mss-clamp"); clamp && ethernet.is_underlay()) {
    clamp->key_error("an underlay's frames are tunnels' frames: mss-clamp is for these");
  }
  read_port_vlan(fields, ethernet.vlan);
  if (const auto vlan = fields.find("vlan"); vlan && ethernet.is_underlay()) {
    vlan->key_error("an underlay is in no bridge; `vlans` puts one on a VLAN");
  }
  read_limits(fields, ethernet.limits);
  if (const auto limit = fields.find("max-macs"); limit && ethernet.is_underlay()) {
    limit->key_error("an underlay is no bridge port: no MAC is learnt behind it");
  }
  read_allow_from(fields, ethernet);
  read_bindings(fields, ethernet);
}

void Sections::read_limits(const Fields& fields, Limits& limits) {
  fields.number("max-macs", limits.max_macs, 1, 16777216);
  fields.number("flood-rate", limits.flood_rate, 1, UINT32_MAX);
}

void Sections::read_allow_from(const Fields& fields, Ethernet& ethernet) {
  const auto prefixes = fields.find("allow-from");
  if (!prefixes) return;
  if (!ethernet.is_underlay()) prefixes->key_error("only an ethernet with addresses takes tunnels");
  prefixes->for_each_item([&](const Value& item) {
    if (const auto prefix = item.prefix()) ethernet.allow_from.push_back(network_of(*prefix));
  });
}

void Sections::read_device(std::string_view name, const Fields& fields, Ethernet& ethernet) {
  const auto packet = fields.find("packet");
  const auto dpdk = fields.find("dpdk");
  const auto tap = fields.find("tap");
  const auto generator = fields.find("generator");
  if (dpdk && tap) tap->key_error("an interface is either dpdk or tap");
  if (generator && (dpdk || tap)) (tap ? tap : dpdk)->key_error("an interface is either dpdk, tap or generator");
  if (packet && (dpdk || tap || generator)) packet->key_error("an interface of another kind is no packet interface");
  if (generator) {
    const GeneratorSettings settings = read_generator(*generator);
    ethernet.rx_queues = settings.rx_queues;
    ethernet.device = settings;
  }
  static constexpr std::string_view kQueueKeys[] = {"rx-queues"};
  if (packet) Fields(*packet, kQueueKeys).number("rx-queues", ethernet.rx_queues, 1, kMaxWorkers);
  if (const auto model = fields.find("nic-model")) {
    if (packet || dpdk || tap || generator) model->key_error("an interface of another kind is no nic-model");
    ethernet.device = read_nic_model(*model, ethernet.rx_queues);
  }
  if (tap) {
    Fields(*tap, kQueueKeys).number("rx-queues", ethernet.rx_queues, 1, kMaxWorkers);
    ethernet.device = TapDevice{};
  }
  if (!dpdk) return;
  static constexpr std::string_view kKeys[] = {"devargs", "rx-queues"};
  const Fields dpdk_fields(*dpdk, kKeys);
  dpdk_fields.require({"devargs"});
  DpdkDevice device;
  dpdk_fields.number("rx-queues", ethernet.rx_queues, 1, kMaxWorkers);
  if (const auto devargs = dpdk_fields.find("devargs")) {
    device.devargs = devargs->text("a PCI address or a vdev").value_or("");
    if (devargs->is_text()) check_devargs(name, *devargs, device.devargs);
  }
  ethernet.device = std::move(device);
}

// A device is one ethernet's; what its driver is told doesn't matter.
void Sections::check_devargs(std::string_view name, const Value& value, std::string_view devargs) {
  if (std::string error = devargs_error(devargs); !error.empty()) return value.error(std::move(error));
  const std::string id = device_name(devargs).name;
  const auto [owner, is_new] = devices_.try_emplace(id, Owner{name, value.place().line});
  if (is_new) return;
  value.error(fmt::format("{} is ethernets.{} already, on line {}", id, owner->second.name, owner->second.line));
}

// One worker a queue; without a number of queues the list's length is it.
void Sections::read_rx_workers(const Value& list, Ethernet& ethernet) {
  const unsigned workers = config_.system.workers;
  bool good = true;
  list.for_each_item([&](const Value& item) {
    const auto worker = item.number(0, kMaxWorkers - 1);
    good = good && worker.has_value();
    if (!worker) return;
    if (workers_complete_ && *worker >= workers) {
      item.error(workers == 1 ? fmt::format("there is no worker {}, only worker 0", *worker)
                              : fmt::format("there is no worker {}, only 0 to {}", *worker, workers - 1));
    }
    ethernet.rx_workers.push_back(static_cast<unsigned>(*worker));
  });
  const size_t count = ethernet.rx_workers.size();
  if (!list.is_list() || !good) return;
  if (count == 0 || count > kMaxWorkers) {
    list.error(fmt::format("{} rx queues are out of range (1 to {})", count, kMaxWorkers));
  } else if (ethernet.rx_queues != 0 && ethernet.rx_queues != count) {
    list.error(fmt::format("one worker for each rx queue is needed: {}, not {}", ethernet.rx_queues, count));
  } else {
    ethernet.rx_queues = static_cast<uint16_t>(count);
  }
}

void Sections::read_addresses(std::string_view name, const Value& list, Ethernet& ethernet) {
  list.for_each_item([&](const Value& item) {
    const auto prefix = item.prefix();
    if (!prefix) return;
    const IpAddress& ip = prefix->address;
    if (!is_host(ip)) return item.error(fmt::format("{} is no address of a host", to_string(ip)));
    // A link-local address is its link's: another link may have the same (RFC 4007 section 6).
    const auto [first, last] = own_addresses_.equal_range(ip);
    const auto taken =
        std::find_if(first, last, [&](const auto& known) { return !is_link_local(ip) || known.second.name == name; });
    if (taken != last) {
      const Owner& owner = taken->second;
      return item.error(fmt::format("{} is an address of {}.{} already, on line {}", to_string(ip),
                                    interfaces_.at(owner.name).section, owner.name, owner.line));
    }
    own_addresses_.emplace(ip, Owner{name, item.place().line});
    if (const IpPrefix network = network_of(*prefix); has_broadcast(network)) {
      network_ends_[network.address] = network_ends_[broadcast_of(network)] = network;
    }
    ethernet.addresses.push_back(*prefix);
  });
}

void Sections::read_routes(const Value& list, Ethernet& ethernet) {
  static constexpr std::string_view kKeys[] = {"to", "via", "metric", "on-link"};
  std::set<std::pair<IpPrefix, IpAddress>> seen;
  list.for_each_item([&](const Value& item) {
    const Fields fields(item, kKeys);
    fields.require({"to", "via"});
    const auto to = fields.find("to");
    const auto via = fields.find("via");
    const auto gateway = via ? via->address() : std::nullopt;
    Route route;
    fields.number("metric", route.metric, 0, UINT32_MAX);
    fields.boolean("on-link", route.on_link);
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

void Sections::read_neighbors(const Value& list, Ethernet& ethernet) {
  static constexpr std::string_view kKeys[] = {"to", "macaddress"};
  std::set<IpAddress> seen;
  list.for_each_item([&](const Value& item) {
    const Fields fields(item, kKeys);
    fields.require({"to", "macaddress"});
    StaticNeighbor neighbor;
    fields.mac("macaddress", neighbor.mac);
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

void Sections::read_bridges(const Value& section) {
  Lines lines;
  section.for_each_entry([&](std::string_view name, const Value& value) {
    const auto [first, is_new] = lines.try_emplace(name, value.key_place().line);
    if (!is_new) return value.key_error(fmt::format("duplicate key, first on line {}", first->second));
    if (!has_valid_name(value, name, kLongestName)) return;
    Bridge bridge;
    read_bridge(name, value, bridge);
    config_.bridges.emplace(name, std::move(bridge));
  });
}

void Sections::read_bridge(std::string_view name, const Value& value, Bridge& bridge) {
  static constexpr std::string_view kKeys[] = {"interfaces", "parameters", "static-macs"};
  const Fields fields(value, kKeys);
  const size_t errors = diagnostics_.count();
  if (const auto interfaces = fields.find("interfaces")) {
    interfaces->for_each_item([&](const Value& item) { read_member(name, item, bridge); });
  }
  const bool members_complete = diagnostics_.count() == errors;
  if (const auto parameters = fields.find("parameters")) {
    static constexpr std::string_view kParameterKeys[] = {"ageing-time", "max-macs"};
    const Fields parameter_fields(*parameters, kParameterKeys);
    parameter_fields.number("ageing-time", bridge.ageing_time_s, 0, 1000000);  // IEEE 802.1Q table 8-6
    parameter_fields.number("max-macs", bridge.max_macs, 1, 16777216);
  }
  if (const auto macs = fields.find("static-macs")) {
    read_static_macs(name, *macs, members_complete, bridge);
    if (bridge.static_macs.size() > bridge.max_macs) {
      macs->key_error(fmt::format("{} entries, but max-macs is {}", bridge.static_macs.size(), bridge.max_macs));
    }
  }
}

void Sections::read_member(std::string_view bridge_name, const Value& item, Bridge& bridge) {
  const auto name = item.text("the name of an interface");
  if (!name) return;
  const auto found = interfaces_.find(*name);
  if (found == interfaces_.end()) {
    Suggestion suggestion(*name);
    if (!diagnostics_.is_full()) {
      for (const auto& [candidate, interface] : interfaces_) suggestion.consider(candidate);
    }
    return item.error(fmt::format("no ethernet or tunnel is called {}{}", quote(*name), suggestion.text()));
  }
  Interface& interface = found->second;
  if (interface.underlay) {
    return item.error(fmt::format("{} has addresses: an underlay cannot be in a bridge", *name));
  }
  if (interface.bridge_line != 0) {
    return item.error(
        fmt::format("{} is in bridges.{} already, on line {}", *name, interface.bridge, interface.bridge_line));
  }
  interface.bridge = bridge_name;
  interface.bridge_line = item.place().line;
  bridge.interfaces.emplace_back(*name);
}

void Sections::read_static_macs(std::string_view bridge_name, const Value& list, bool members_complete,
                                Bridge& bridge) {
  static constexpr std::string_view kKeys[] = {"mac", "port", "vlan"};
  std::unordered_map<uint64_t, int> lines;
  list.for_each_item([&](const Value& item) {
    const size_t errors = diagnostics_.count();
    const Fields fields(item, kKeys);
    fields.require({"mac", "port"});
    StaticMac entry;
    fields.mac("mac", entry.mac);
    fields.number("vlan", entry.vlan, 1, 4094);
    if (const auto port = fields.find("port")) {
      if (const auto name = port->text("the name of an interface")) {
        const auto found = interfaces_.find(*name);
        if (members_complete && (found == interfaces_.end() || found->second.bridge != bridge_name)) {
          port->error(fmt::format("{} is not among the bridge's interfaces", quote(*name)));
        }
        entry.port = *name;
      }
    }
    // An access port's hosts are in its VLAN; nobody should have to say so again.
    if (const PortVlan* const vlan = vlan_of(entry.port)) {
      if (!fields.find("vlan")) entry.vlan = vlan->tag;
      if (!rules_of(*vlan).carries(entry.vlan)) {
        fields.find("vlan").value_or(item).error(fmt::format("{} does not carry VLAN {}", entry.port, entry.vlan));
      }
    }
    if (diagnostics_.count() != errors) return;
    const uint64_t key = entry.mac.to_u64() | static_cast<uint64_t>(entry.vlan) << 48;
    const auto [first, is_new] = lines.try_emplace(key, item.place().line);
    if (!is_new) {
      const auto mac = fields.find("mac");
      return mac->error(fmt::format("duplicate static MAC, first on line {}", first->second));
    }
    bridge.static_macs.push_back(std::move(entry));
  });
}

}  // namespace causeway::config
