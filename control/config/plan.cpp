#include "control/config/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "control/config/address_text.h"
#include "control/config/differences.h"
#include "control/config/keys.h"
#include "control/config/value_text.h"
#include "pmd/ethdev/devargs.h"

namespace causeway::config {
namespace {

struct ThingRow {
  Thing thing;
  std::string_view name;
  std::string_view section;  // of the file
};
constexpr std::array<ThingRow, 10> kThings{{{Thing::system, "system", "system"},
                                            {Thing::ethernet, "ethernet", "ethernets"},
                                            {Thing::vlan, "vlan", "vlans"},
                                            {Thing::bridge, "bridge", "bridges"},
                                            {Thing::tunnel, "tunnel", "tunnels"},
                                            {Thing::member, "member", "bridges"},
                                            {Thing::static_mac, "static-mac", "bridges"},
                                            {Thing::sflow, "sflow", "sflow"},
                                            {Thing::mirror, "mirror", "mirrors"},
                                            {Thing::host_path, "host-path", "ethernets"}}};
const ThingRow& row_of(Thing thing) { return kThings[static_cast<size_t>(thing)]; }
constexpr std::array<std::string_view, 6> kVerbNames{"remove", "close", "open", "reopen", "change", "add"};

// The DPDK device that only one port can have, without its driver's parameters; empty: none.
std::string device_of(const Ethernet& ethernet) { return device_name(ethernet.devargs()).name; }

// A port is opened as an underlay or not (PortOptions), so becoming one is a reopening too. A generator's frames are
// made for one MAC. How many queues a port has by default only the open device knows.
bool needs_reopening(const Ethernet& before, const Ethernet& after) {
  const bool generator = std::holds_alternative<GeneratorSettings>(after.device);
  const bool other_queues = before.spread != after.spread ||
                            (before.rx_queues != after.rx_queues && before.rx_queues != 0 && after.rx_queues != 0);
  return before.device != after.device || before.is_underlay() != after.is_underlay() ||
         before.host_addresses != after.host_addresses || before.carries_underlay() != after.carries_underlay() ||
         before.bridged_vlans != after.bridged_vlans || other_queues || (generator && before.mac != after.mac);
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
    diff_sflow();
    diff_mirrors();
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

  void diff_system() {
    for (const SystemDifference& difference : differences_of(before_.system, after_.system)) {
      const std::string key = fmt::format("system.{}", difference.key);
      const bool later = needs_restart(key);
      add({Thing::system, Verb::change}, key,
          fmt::format("{} {}: {}{}", later ? '!' : '~', key, difference.text, later ? " needs a restart" : ""));
    }
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

  static bool is_of_another(const Ethernet& ethernet) {
    return ethernet.vlan_device() != nullptr || ethernet.host_device() != nullptr;
  }

  // A VLAN of another link or with another ID, a host path of another underlay, or neither any more: removed and added.
  static bool is_another(const Ethernet& before, const Ethernet& after) {
    return (is_of_another(before) || is_of_another(after)) && before.device != after.device;
  }

  static Thing thing_of(const Ethernet& ethernet) {
    if (ethernet.host_device() != nullptr) return Thing::host_path;
    return ethernet.vlan_device() != nullptr ? Thing::vlan : Thing::ethernet;
  }

  void remove_ethernet(const std::string& name, const Ethernet& old) {
    const Thing thing = thing_of(old);
    add({thing, Verb::remove}, name, fmt::format("- {} {}", row_of(thing).name, name)).ethernet = {&old, nullptr};
  }

  void add_ethernet(const std::string& name, const Ethernet& fresh) {
    const Thing thing = thing_of(fresh);
    std::string text = fmt::format("+ {} {} {}", row_of(thing).name, name, text_of(fresh));
    if (fresh.rx_queues != 0) text += fmt::format(" rx-queues {}", fresh.rx_queues);
    if (!fresh.rx_workers.empty()) text += fmt::format(" rx-workers {}", rx_workers_text(fresh));
    if (fresh.mtu) text += fmt::format(" mtu {}", *fresh.mtu);
    if (fresh.is_underlay()) text += ' ' + addresses_text(fresh);
    for (const uint32_t table : fresh.route_tables) text += fmt::format(" routes of table {}", table_text(table));
    add({thing, Verb::add}, name, std::move(text)).ethernet = {nullptr, &fresh};
  }

  void change_ethernet(const std::string& name, const Ethernet& old, const Ethernet& fresh) {
    if (is_another(old, fresh)) {
      remove_ethernet(name, old);
      return add_ethernet(name, fresh);
    }
    const Differences differences = differences_of(old, fresh);
    if (differences.empty()) return;
    if (fresh.vlan_device() != nullptr) {
      add({Thing::vlan, Verb::change}, name, fmt::format("~ vlan {}: {}", name, joined(differences))).ethernet = {
          &old, &fresh};
      return;
    }
    const bool reopen = needs_reopening(old, fresh);
    add({Thing::ethernet, reopen ? Verb::reopen : Verb::change}, name,
        fmt::format("~ ethernet {}: {}{}", name, joined(differences), reopen ? " (reopens the device)" : ""))
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
          add({Thing::tunnel, Verb::change}, name, fmt::format("~ tunnel {}: {}", name, joined(differences))).tunnel = {
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
            add({Thing::bridge, Verb::change}, name, fmt::format("~ bridge {}: {}", name, joined(differences)))
                .bridge_parameters = {&old, &fresh};
          }
          diff_contents(name, old, fresh);
        });
  }

  void diff_mirrors() {
    walk(
        before_.mirrors, after_.mirrors,
        [&](const std::string& name, const Mirror& old) {
          add({Thing::mirror, Verb::remove}, name, fmt::format("- mirror {}", name)).mirror = {&old, nullptr};
        },
        [&](const std::string& name, const Mirror& fresh) {
          add({Thing::mirror, Verb::add}, name, fmt::format("+ mirror {} {}", name, text_of(fresh))).mirror = {nullptr,
                                                                                                               &fresh};
        },
        [&](const std::string& name, const Mirror& old, const Mirror& fresh) {
          const Differences differences = differences_of(old, fresh);
          if (differences.empty()) return;
          add({Thing::mirror, Verb::change}, name, fmt::format("~ mirror {}: {}", name, joined(differences))).mirror = {
              &old, &fresh};
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

  void diff_sflow() {
    if (before_.sflow == after_.sflow) return;
    const Sflow* const old = before_.sflow ? &*before_.sflow : nullptr;
    const Sflow* const fresh = after_.sflow ? &*after_.sflow : nullptr;
    std::string text = old == nullptr     ? fmt::format("+ sflow to {}", text_of(fresh->targets))
                       : fresh == nullptr ? "- sflow"
                                          : fmt::format("~ sflow: {}", joined(differences_of(*old, *fresh)));
    add({Thing::sflow, Verb::change}, "sflow", std::move(text)).sflow = {old, fresh};
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
  std::swap(operation.sflow.before, operation.sflow.after);
  std::swap(operation.mirror.before, operation.mirror.after);
  return operation;
}

std::string key_of(const Operation& operation) {
  const ThingRow& thing = row_of(operation.kind.thing);
  if (thing.thing == Thing::system || thing.thing == Thing::sflow) return operation.name;
  if (thing.thing == Thing::host_path) {
    const Ethernet* const end =
        operation.ethernet.after != nullptr ? operation.ethernet.after : operation.ethernet.before;
    return fmt::format("{}.{}.host", thing.section, end->host_device()->underlay);
  }
  return fmt::format("{}.{}", thing.section, operation.bridge.empty() ? operation.name : operation.bridge);
}

std::vector<Operation> diff_config(const Config& before, const Config& after) { return Diff(before, after).run(); }

Plan make_plan(std::shared_ptr<const Config> before, std::shared_ptr<const Config> after) {
  std::vector<Operation> operations = diff_config(*before, *after);
  return {std::move(before), std::move(after), std::move(operations)};
}

}  // namespace causeway::config
