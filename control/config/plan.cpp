#include "control/config/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <concepts>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "control/config/address_text.h"
#include "control/config/vlan_rules.h"
#include "pmd/ethdev/devargs.h"

namespace causeway::config {
namespace {

struct ThingRow {
  Thing thing;
  std::string_view name;
  std::string_view section;  // of the file
};
constexpr std::array<ThingRow, 7> kThings{{{Thing::system, "system", "system"},
                                           {Thing::ethernet, "ethernet", "ethernets"},
                                           {Thing::vlan, "vlan", "vlans"},
                                           {Thing::bridge, "bridge", "bridges"},
                                           {Thing::tunnel, "tunnel", "tunnels"},
                                           {Thing::member, "member", "bridges"},
                                           {Thing::static_mac, "static-mac", "bridges"}}};
const ThingRow& row_of(Thing thing) { return kThings[static_cast<size_t>(thing)]; }
constexpr std::array<std::string_view, 6> kVerbNames{"remove", "close", "open", "reopen", "change", "add"};

std::string joined(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts) result += (result.empty() ? "" : ", ") + text;
  return result;
}

std::string text_of(const std::string& text) { return text; }
std::string text_of(bool value) { return value ? "true" : "false"; }
template <std::unsigned_integral T>
std::string text_of(T value) {
  return std::to_string(value);
}
std::string text_of(Toggle toggle) {
  return toggle == Toggle::automatic ? "auto" : toggle == Toggle::on ? "on" : "off";
}
std::string text_of(const MssClamp& clamp) {
  if (clamp.mode == MssClamp::Mode::fixed) return std::to_string(clamp.bytes);
  return clamp.mode == MssClamp::Mode::automatic ? "auto" : "off";
}
std::string text_of(Idle idle) { return idle == Idle::adaptive ? "adaptive" : "busy"; }
std::string text_of(const MacAddress& mac) { return to_string(mac); }
std::string text_of(const IpAddress& ip) { return to_string(ip); }
std::string text_of(const IpPrefix& prefix) { return to_string(prefix); }
std::string text_of(const Route& route) {
  const std::string text =
      fmt::format("{} via {}", route.to.length == 0 ? "default" : to_string(route.to), to_string(route.via));
  return text + (route.metric == 0 ? "" : fmt::format(" metric {}", route.metric)) + (route.on_link ? " on-link" : "");
}
std::string text_of(const StaticNeighbor& neighbor) {
  return fmt::format("{} at {}", to_string(neighbor.to), to_string(neighbor.mac));
}
std::string text_of(TunnelType type) { return std::string(row_of(type).name); }
template <typename T>
std::string text_of(const std::optional<T>& value) {
  return value ? text_of(*value) : "default";
}
template <typename T>
std::string text_of(const std::vector<T>& list) {
  std::vector<std::string> texts;
  for (const T& item : list) texts.push_back(text_of(item));
  return texts.size() == 1 ? texts.front() : fmt::format("[{}]", joined(texts));
}

std::string text_of(const Binding& binding) {
  return to_string(binding.mac) + (binding.addresses.empty() ? "" : " with " + text_of(binding.addresses));
}

std::string text_of(const NicFeatures& features) {
  std::vector<std::string> names;
  for (size_t i = 0; i < kNicFeatureNames.size(); ++i) {
    if (features.has(static_cast<NicFeature>(i))) names.emplace_back(kNicFeatureNames[i]);
  }
  return fmt::format("[{}]", joined(names));
}
std::string text_of(const NicModelSettings& model) {
  const bool tap = model.over == NicModelSettings::Over::tap;
  const std::string over = model.over == NicModelSettings::Over::dpdk ? model.devargs : tap ? "tap" : "interface";
  std::string text = fmt::format("nic-model over {} flow-rules {}", over, model.flow_rules);
  if (!model.switch_name.empty()) text += " switch " + model.switch_name;
  if (!model.without.empty()) text += " without " + text_of(model.without);
  if (!model.misreport.empty()) text += " misreport " + text_of(model.misreport);
  return text;
}

std::string text_of(const Ethernet& ethernet) {
  if (const auto* dpdk = std::get_if<DpdkDevice>(&ethernet.device)) return "dpdk " + dpdk->devargs;
  if (const auto* generator = std::get_if<GeneratorSettings>(&ethernet.device)) {
    const std::string rate = generator->rate != 0 ? fmt::format(" rate {}", generator->rate) : "";
    return fmt::format("generator flows {} frame-bytes {}{}", generator->flows, text_of(generator->frame_bytes), rate);
  }
  if (const auto* model = std::get_if<NicModelSettings>(&ethernet.device)) return text_of(*model);
  if (const VlanDevice* const vlan = ethernet.vlan_device()) return fmt::format("id {} link {}", vlan->id, vlan->link);
  return std::holds_alternative<TapDevice>(ethernet.device) ? "tap" : "interface";
}
std::string text_of_queues(const Ethernet& ethernet) {
  return ethernet.rx_queues == 0 ? "default" : text_of(ethernet.rx_queues);
}
std::string text_of_workers(const Ethernet& ethernet) {
  std::vector<std::string> texts;
  for (const unsigned worker : ethernet.rx_workers) texts.push_back(text_of(worker));
  return texts.empty() ? "default" : fmt::format("[{}]", joined(texts));
}

std::string text_of(const Tunnel& tunnel) {
  const std::string id = tunnel.id ? fmt::format(" id {}", *tunnel.id) : "";
  return fmt::format("{}{} {} -> {}", text_of(tunnel.mode), id, text_of(tunnel.local), text_of(tunnel.remotes));
}

// "mtu 1500 -> 9000, macaddress default -> 02:00:00:00:00:01"
class Differences {
 public:
  template <typename T>
  void compare(std::string_view key, const T& before, const T& after) {
    if (before != after) texts_.push_back(fmt::format("{} {} -> {}", key, text_of(before), text_of(after)));
  }
  // "addresses +172.31.0.2/24 -172.31.0.1/24". Another order is a difference, too: it says which of a tunnel's remotes
  // a static MAC is behind, and what `show` lists first.
  template <typename T>
  void compare_lists(std::string_view key, const std::vector<T>& before, const std::vector<T>& after) {
    std::string text;
    const std::set<T> old_items(before.begin(), before.end());
    const std::set<T> new_items(after.begin(), after.end());
    for (const T& item : after) {
      if (!old_items.contains(item)) text += fmt::format(" +{}", text_of(item));
    }
    for (const T& item : before) {
      if (!new_items.contains(item)) text += fmt::format(" -{}", text_of(item));
    }
    if (text.empty() && before != after) text = " in another order";
    if (!text.empty()) texts_.push_back(fmt::format("{}{}", key, text));
  }
  bool empty() const { return texts_.empty(); }
  std::string text() const { return joined(texts_); }

 private:
  std::vector<std::string> texts_;
};

void compare_limits(Differences& result, const Limits& before, const Limits& after) {
  result.compare("max-macs", uint64_t{before.max_macs}, uint64_t{after.max_macs});
  result.compare("flood-rate", uint64_t{before.flood_rate}, uint64_t{after.flood_rate});
}

using ValueText = std::string (*)(uint64_t);
std::string mac_text(uint64_t value) { return to_string(MacAddress::from_u64(value)); }
std::string address_text(uint64_t value) {
  const auto byte = [value](unsigned shift) { return static_cast<uint8_t>(value >> shift); };
  return to_string(IpAddress::v4(byte(24), byte(16), byte(8), byte(0)));
}
std::string number_text(uint64_t value) { return std::to_string(value); }

// "10.9.0.1", or "5 from 10.9.0.1"
std::string text_of(const GeneratorRange& range, ValueText text) {
  return range.count == 1 ? text(range.first) : fmt::format("{} from {}", range.count, text(range.first));
}

// What text_of(Ethernet) doesn't say of a generator.
void compare_generators(Differences& result, const GeneratorSettings& before, const GeneratorSettings& after) {
  const auto range = [&](std::string_view key, GeneratorRange GeneratorSettings::*field, ValueText text) {
    result.compare(fmt::format("generator.{}", key), text_of(before.*field, text), text_of(after.*field, text));
  };
  static constexpr std::array<std::string_view, 3> kDistributions{"sequential", "uniform", "zipf"};
  const auto distribution = [](const GeneratorSettings& settings) {
    return std::string(kDistributions.at(static_cast<size_t>(settings.distribution)));
  };
  result.compare("generator.limit", before.limit, after.limit);
  result.compare("generator.distribution", distribution(before), distribution(after));
  range("source-mac", &GeneratorSettings::source_mac, mac_text);
  range("destination-mac", &GeneratorSettings::destination_mac, mac_text);
  range("source-address", &GeneratorSettings::source_address, address_text);
  range("destination-address", &GeneratorSettings::destination_address, address_text);
  range("source-port", &GeneratorSettings::source_port, number_text);
  range("destination-port", &GeneratorSettings::destination_port, number_text);
  const GeneratorTunnel& old = before.tunnel;
  const GeneratorTunnel& fresh = after.tunnel;
  result.compare("generator.tunnel.mode", old.mode, fresh.mode);
  result.compare("generator.tunnel.id", text_of(old.id, number_text), text_of(fresh.id, number_text));
  result.compare("generator.tunnel.source-mac", old.source_mac, fresh.source_mac);
  result.compare("generator.tunnel.source-address", text_of(old.source_address, address_text),
                 text_of(fresh.source_address, address_text));
  result.compare("generator.tunnel.destination-address", address_text(old.destination_address),
                 address_text(fresh.destination_address));
  result.compare("generator.tunnel.port", old.port, fresh.port);
}

Differences differences_of(const Ethernet& before, const Ethernet& after) {
  Differences result;
  if (before.device != after.device) result.compare("device", text_of(before), text_of(after));
  const auto* const old = std::get_if<GeneratorSettings>(&before.device);
  const auto* const fresh = std::get_if<GeneratorSettings>(&after.device);
  if (result.empty() && old != nullptr && fresh != nullptr) compare_generators(result, *old, *fresh);
  result.compare("rx-queues", text_of_queues(before), text_of_queues(after));
  result.compare("rx-workers", text_of_workers(before), text_of_workers(after));
  result.compare("mtu", before.mtu, after.mtu);
  result.compare("macaddress", before.mac, after.mac);
  result.compare_lists("addresses", before.addresses, after.addresses);
  result.compare_lists("routes", before.routes, after.routes);
  result.compare_lists("neighbors", before.neighbors, after.neighbors);
  result.compare_lists("allow-from", before.allow_from, after.allow_from);
  compare_limits(result, before.limits, after.limits);
  result.compare("offloads.checksum", before.offloads.checksum, after.offloads.checksum);
  result.compare("offloads.tso", before.offloads.tso, after.offloads.tso);
  result.compare("offloads.tunnel-tso", before.offloads.tunnel_tso, after.offloads.tunnel_tso);
  result.compare("offloads.flow", before.offloads.flow, after.offloads.flow);
  result.compare("offloads.gro", before.offloads.gro, after.offloads.gro);
  result.compare("offloads.lro", before.offloads.lro, after.offloads.lro);
  result.compare("offloads.elephants", before.offloads.elephants, after.offloads.elephants);
  result.compare("mss-clamp", before.mss_clamp, after.mss_clamp);
  result.compare_lists("bindings", before.bindings, after.bindings);
  result.compare("vlan", to_string(before.vlan), to_string(after.vlan));
  result.compare("underlay-vlans", before.underlay_vlans, after.underlay_vlans);
  result.compare("bridged-vlans", before.bridged_vlans, after.bridged_vlans);
  result.compare("isolated", before.isolated, after.isolated);
  return result;
}

// The DPDK device that only one port can have, without its driver's parameters; empty: none.
std::string device_of(const Ethernet& ethernet) { return device_name(ethernet.devargs()).name; }

// A port is opened as an underlay or not (PortOptions), so becoming one is a reopening too. A generator's frames are
// made for one MAC. How many queues a port has by default only the open device knows.
bool needs_reopening(const Ethernet& before, const Ethernet& after) {
  const bool generator = std::holds_alternative<GeneratorSettings>(after.device);
  const bool other_queues = before.rx_queues != after.rx_queues && before.rx_queues != 0 && after.rx_queues != 0;
  return before.device != after.device || before.is_underlay() != after.is_underlay() ||
         before.carries_underlay() != after.carries_underlay() || before.bridged_vlans != after.bridged_vlans ||
         other_queues || (generator && before.mac != after.mac);
}

std::string text_of(const std::vector<GeneveOption>& options) {
  std::string text;
  for (const GeneveOption& option : options) {
    text += fmt::format("{}{:04x}/{:02x}", text.empty() ? "" : ",", option.option_class, option.type);
    for (size_t i = 0; i < option.data.size(); ++i) text += fmt::format("{}{:02x}", i == 0 ? "/" : "", option.data[i]);
  }
  return text.empty() ? "none" : text;
}

Differences differences_of(const Tunnel& before, const Tunnel& after) {
  const auto tos = [](const Tunnel& tunnel) {
    return tunnel.tos_inherit ? std::string("inherit") : text_of(uint64_t{tunnel.tos.value_or(0)});
  };
  const auto path_mtu = [](const Tunnel& tunnel) { return std::string(tunnel.path_mtu ? "auto" : "off"); };
  Differences result;
  result.compare("mode", before.mode, after.mode);
  result.compare("id", before.id, after.id);
  result.compare("keys.output", before.sent_id, after.sent_id);
  result.compare("local", before.local, after.local);
  result.compare_lists("remote", before.remotes, after.remotes);
  result.compare("link", before.link, after.link);
  result.compare_lists("allow-from", before.allow_from, after.allow_from);
  result.compare("port", before.port, after.port);
  result.compare("ttl", before.ttl, after.ttl);
  result.compare("tos", tos(before), tos(after));
  result.compare("checksum", before.checksum, after.checksum);
  result.compare("sequence", before.sequence, after.sequence);
  result.compare("options", text_of(before.options), text_of(after.options));
  result.compare("match-options", before.match_options, after.match_options);
  result.compare("udp6-zero-checksum-rx", before.allow_zero_checksum, after.allow_zero_checksum);
  result.compare("mss-clamp", before.mss_clamp, after.mss_clamp);
  result.compare("path-mtu", path_mtu(before), path_mtu(after));
  compare_limits(result, before.limits, after.limits);
  result.compare("vlan", to_string(before.vlan), to_string(after.vlan));
  result.compare("isolated", before.isolated, after.isolated);
  return result;
}

Differences differences_of(const Bridge& before, const Bridge& after) {
  Differences result;
  result.compare("ageing-time", before.ageing_time_s, after.ageing_time_s);
  result.compare("max-macs", before.max_macs, after.max_macs);
  return result;
}

using Operations = std::vector<Operation>;

class Diff {
 public:
  Diff(const Config& before, const Config& after) : before_(before), after_(after) {
    note_replaced(before.tunnels, after.ethernets);
    note_replaced(before.ethernets, after.tunnels);
    for (const auto& [name, ethernet] : before.ethernets) {
      const auto kept = after.ethernets.find(name);
      if (kept != after.ethernets.end() && is_another(ethernet, kept->second)) replaced_.insert(name);
    }
  }

  Operations run() {
    diff_system();
    diff_ethernets();
    close_what_others_take();
    diff_tunnels();
    diff_bridges();
    // Within a kind the order is that of the names, as the maps have it.
    std::stable_sort(operations_.begin(), operations_.end(),
                     [](const Operation& a, const Operation& b) { return order_of(a.kind) < order_of(b.kind); });
    return std::move(operations_);
  }

 private:
  // A name that stays but goes from a tunnel to an ethernet or back is another interface: it leaves its
  // bridge and joins it again.
  void note_replaced(const auto& before, const auto& after) {
    for (const auto& [name, value] : before) {
      if (after.contains(name)) replaced_.insert(name);
    }
  }

  Operation& add(OperationKind kind, std::string name, std::string text) {
    operations_.push_back({.kind = kind, .name = std::move(name), .bridge = {}, .text = std::move(text)});
    return operations_.back();
  }

  template <typename T>
  void add_system(std::string_view key, const T& before, const T& after) {
    if (before == after) return;
    add({Thing::system, Verb::change}, fmt::format("system.{}", key),
        fmt::format("! system.{}: {} -> {} needs a restart", key, text_of(before), text_of(after)));
  }

  void diff_system() {
    const System& before = before_.system;
    const System& after = after_.system;
    const auto workers = [](const System& system) {
      if (system.worker_cores.empty()) return std::to_string(system.workers);
      std::vector<std::string> cores;
      for (unsigned core : system.worker_cores) cores.push_back(std::to_string(core));
      return fmt::format("[{}]", joined(cores));
    };
    const auto memory = [](const System& system) {
      const bool whole = system.memory_bytes % (1ULL << 20) == 0;
      return whole ? fmt::format("{}M", system.memory_bytes >> 20) : std::to_string(system.memory_bytes);
    };
    add_system("name", before.name, after.name);
    add_system("workers", workers(before), workers(after));
    add_system("control-core", before.control_core, after.control_core);
    add_system("idle", before.idle, after.idle);
    add_system("hugepages", before.hugepages, after.hugepages);
    add_system("memory", memory(before), memory(after));
    add_system("metrics", before.metrics, after.metrics);
    add_system("flow-cache", before.flow_cache_entries, after.flow_cache_entries);
    add_system("held-buffers", before.held_buffers, after.held_buffers);
  }

  // Walks two maps of the same type side by side: removed(name, old), added(name, new), both(name, old, new).
  static void walk(const auto& before, const auto& after, auto&& removed, auto&& added, auto&& both) {
    auto b = before.begin();
    auto a = after.begin();
    while (b != before.end() || a != after.end()) {
      if (a == after.end() || (b != before.end() && b->first < a->first)) {
        removed(b->first, b->second);
        ++b;
      } else if (b == before.end() || a->first < b->first) {
        added(a->first, a->second);
        ++a;
      } else {
        both(a->first, b->second, a->second);
        ++b;
        ++a;
      }
    }
  }

  // A VLAN of another link or with another ID, or no VLAN any more: removed and added.
  static bool is_another(const Ethernet& before, const Ethernet& after) {
    return (before.vlan_device() != nullptr || after.vlan_device() != nullptr) && before.device != after.device;
  }

  void remove_ethernet(const std::string& name, const Ethernet& old) {
    const bool vlan = old.vlan_device() != nullptr;
    add({vlan ? Thing::vlan : Thing::ethernet, Verb::remove}, name,
        fmt::format("- {} {}", vlan ? "vlan" : "ethernet", name))
        .ethernet = {&old, nullptr};
  }

  void add_ethernet(const std::string& name, const Ethernet& fresh) {
    const bool vlan = fresh.vlan_device() != nullptr;
    std::string text = fmt::format("+ {} {} {}", vlan ? "vlan" : "ethernet", name, text_of(fresh));
    if (fresh.rx_queues != 0) text += fmt::format(" rx-queues {}", fresh.rx_queues);
    if (!fresh.rx_workers.empty()) text += fmt::format(" rx-workers {}", text_of_workers(fresh));
    if (fresh.mtu) text += fmt::format(" mtu {}", *fresh.mtu);
    if (fresh.is_underlay()) text += ' ' + text_of(fresh.addresses);
    add({vlan ? Thing::vlan : Thing::ethernet, Verb::add}, name, std::move(text)).ethernet = {nullptr, &fresh};
  }

  void change_ethernet(const std::string& name, const Ethernet& old, const Ethernet& fresh) {
    if (is_another(old, fresh)) {
      remove_ethernet(name, old);
      return add_ethernet(name, fresh);
    }
    const Differences differences = differences_of(old, fresh);
    if (differences.empty()) return;
    if (fresh.vlan_device() != nullptr) {
      add({Thing::vlan, Verb::change}, name, fmt::format("~ vlan {}: {}", name, differences.text())).ethernet = {
          &old, &fresh};
      return;
    }
    const bool reopen = needs_reopening(old, fresh);
    add({Thing::ethernet, reopen ? Verb::reopen : Verb::change}, name,
        fmt::format("~ ethernet {}: {}{}", name, differences.text(), reopen ? " (reopens the device)" : ""))
        .ethernet = {&old, &fresh};
  }

  void diff_ethernets() {
    walk(
        before_.ethernets, after_.ethernets,
        [&](const std::string& name, const Ethernet& old) { remove_ethernet(name, old); },
        [&](const std::string& name, const Ethernet& fresh) { add_ethernet(name, fresh); },
        [&](const std::string& name, const Ethernet& old, const Ethernet& fresh) {
          change_ethernet(name, old, fresh);
        });
  }

  // Two that swap their devices, or hand them on in a ring: each lets go of its own before any takes another's.
  void close_what_others_take() {
    std::unordered_map<std::string, std::string> takers;  // by device
    const auto reopened = [](const Operation& op) { return op.kind == OperationKind{Thing::ethernet, Verb::reopen}; };
    for (const Operation& op : operations_) {
      if (reopened(op)) takers.emplace(device_of(*op.ethernet.after), op.name);
    }
    Operations closing;
    for (Operation& op : operations_) {
      const std::string device = reopened(op) ? device_of(*op.ethernet.before) : std::string();
      const auto taker = takers.find(device);
      if (device.empty() || taker == takers.end() || taker->second == op.name) continue;
      op.kind.verb = Verb::open;
      closing.push_back(op);
      closing.back().kind.verb = Verb::close;
      closing.back().text = fmt::format("~ ethernet {}: closes {}, for {}", op.name, device, taker->second);
    }
    operations_.insert(operations_.end(), closing.begin(), closing.end());
  }

  void diff_tunnels() {
    walk(
        before_.tunnels, after_.tunnels,
        [&](const std::string& name, const Tunnel& old) {
          add({Thing::tunnel, Verb::remove}, name, fmt::format("- tunnel {}", name)).tunnel = {&old, nullptr};
        },
        [&](const std::string& name, const Tunnel& fresh) {
          add({Thing::tunnel, Verb::add}, name, fmt::format("+ tunnel {} {}", name, text_of(fresh))).tunnel = {nullptr,
                                                                                                               &fresh};
        },
        [&](const std::string& name, const Tunnel& old, const Tunnel& fresh) {
          const Differences differences = differences_of(old, fresh);
          if (differences.empty()) return;
          add({Thing::tunnel, Verb::change}, name, fmt::format("~ tunnel {}: {}", name, differences.text())).tunnel = {
              &old, &fresh};
        });
  }

  void diff_bridges() {
    static const Bridge kNone;
    walk(
        before_.bridges, after_.bridges,
        [&](const std::string& name, const Bridge& old) {
          add({Thing::bridge, Verb::remove}, name, fmt::format("- bridge {}", name)).bridge_parameters = {&old,
                                                                                                          nullptr};
          diff_contents(name, old, kNone);
        },
        [&](const std::string& name, const Bridge& fresh) {
          add({Thing::bridge, Verb::add}, name, fmt::format("+ bridge {}", name)).bridge_parameters = {nullptr, &fresh};
          diff_contents(name, kNone, fresh);
        },
        [&](const std::string& name, const Bridge& old, const Bridge& fresh) {
          const Differences differences = differences_of(old, fresh);
          if (!differences.empty()) {
            add({Thing::bridge, Verb::change}, name, fmt::format("~ bridge {}: {}", name, differences.text()))
                .bridge_parameters = {&old, &fresh};
          }
          diff_contents(name, old, fresh);
        });
  }

  void diff_contents(const std::string& bridge, const Bridge& before, const Bridge& after) {
    diff_members(bridge, before, after, Verb::remove);
    diff_members(bridge, after, before, Verb::add);
    diff_static_macs(bridge, before, after, Verb::remove);
    diff_static_macs(bridge, after, before, Verb::add);
  }

  // What `these` has and `others` has not.
  void diff_members(const std::string& bridge, const Bridge& these, const Bridge& others, Verb verb) {
    const std::unordered_set<std::string_view> kept(others.interfaces.begin(), others.interfaces.end());
    const char sign = verb == Verb::add ? '+' : '-';
    for (const std::string& name : these.interfaces) {
      if (kept.contains(name) && !replaced_.contains(name)) continue;
      add({Thing::member, verb}, name, fmt::format("{} bridge {} interface {}", sign, bridge, name)).bridge = bridge;
    }
  }

  void diff_static_macs(const std::string& bridge, const Bridge& these, const Bridge& others, Verb verb) {
    const auto key = [](const StaticMac& entry) { return entry.mac.to_u64() | uint64_t{entry.vlan} << 48; };
    std::unordered_map<uint64_t, const StaticMac*> kept;
    kept.reserve(others.static_macs.size());
    for (const StaticMac& entry : others.static_macs) kept.emplace(key(entry), &entry);
    const bool adds = verb == Verb::add;
    for (const StaticMac& entry : these.static_macs) {
      const auto found = kept.find(key(entry));
      if (found != kept.end() && *found->second == entry && !replaced_.contains(entry.port)) continue;
      const std::string vlan = entry.vlan != 0 ? fmt::format(" vlan {}", entry.vlan) : "";
      Operation& operation = add({Thing::static_mac, verb}, entry.port,
                                 fmt::format("{} bridge {} static-mac {}{} port {}", adds ? '+' : '-', bridge,
                                             to_string(entry.mac), vlan, entry.port));
      operation.bridge = bridge;
      (adds ? operation.static_mac.after : operation.static_mac.before) = &entry;
    }
  }

  const Config& before_;
  const Config& after_;
  std::unordered_set<std::string_view> replaced_;
  Operations operations_;
};

}  // namespace

size_t order_of(OperationKind kind) {
  return static_cast<size_t>(std::ranges::find(kOperationOrder, kind) - kOperationOrder.begin());
}

std::string to_string(OperationKind kind) {
  return fmt::format("{}-{}", row_of(kind.thing).name, kVerbNames[static_cast<size_t>(kind.verb)]);
}

Operation opposite(Operation operation) {
  static constexpr std::array kOpposites{Verb::add, Verb::open, Verb::close, Verb::reopen, Verb::change, Verb::remove};
  operation.kind.verb = kOpposites[static_cast<size_t>(operation.kind.verb)];
  std::swap(operation.ethernet.before, operation.ethernet.after);
  std::swap(operation.tunnel.before, operation.tunnel.after);
  std::swap(operation.bridge_parameters.before, operation.bridge_parameters.after);
  std::swap(operation.static_mac.before, operation.static_mac.after);
  return operation;
}

std::string key_of(const Operation& operation) {
  const ThingRow& thing = row_of(operation.kind.thing);
  if (thing.thing == Thing::system) return operation.name;
  return fmt::format("{}.{}", thing.section, operation.bridge.empty() ? operation.name : operation.bridge);
}

std::vector<Operation> diff_config(const Config& before, const Config& after) { return Diff(before, after).run(); }

Plan make_plan(std::shared_ptr<const Config> before, std::shared_ptr<const Config> after) {
  std::vector<Operation> operations = diff_config(*before, *after);
  return {std::move(before), std::move(after), std::move(operations)};
}

}  // namespace causeway::config
