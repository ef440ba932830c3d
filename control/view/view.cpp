#include "control/view/view.h"

#include <fmt/format.h>
#include <rte_mempool.h>

#include <map>
#include <optional>
#include <utility>

#include "control/config/address_text.h"
#include "control/config/vlan_rules.h"
#include "control/view/flows_view.h"
#include "control/view/offloads_view.h"
#include "dataplane/drop_reason.h"

namespace causeway {
namespace {

using nlohmann::json;

struct Traffic {
  uint64_t rx_packets = 0;
  uint64_t rx_bytes = 0;
  uint64_t tx_packets = 0;
  uint64_t tx_bytes = 0;

  void add(const TrafficCounters& counters) {
    rx_packets += counters.rx_packets.get();
    rx_bytes += counters.rx_bytes.get();
    tx_packets += counters.tx_packets.get();
    tx_bytes += counters.tx_bytes.get();
  }
  void add(const SwitchedTraffic& switched) {
    rx_packets += switched.rx_packets;
    rx_bytes += switched.rx_bytes;
    tx_packets += switched.tx_packets;
    tx_bytes += switched.tx_bytes;
  }
};

// The VLANs it carries; null: whatever comes.
json vlan_json(const config::PortVlan& vlan) { return vlan.mode != VlanMode::none ? json(to_string(vlan)) : json(); }

// How many MACs may be learnt behind it, and how many were not; null: as many as the bridge takes.
std::pair<json, json> limit_json(const Gateway& gateway, AdjacencyIndex adjacency) {
  const Fdb::Limit* const limit = gateway.fdb().limit_of(adjacency);
  if (limit == nullptr) return {};
  return {limit->max_macs, limit->refused};
}

// As Port::kind() says once there is a device.
const char* kind_of(const config::Ethernet& settings) {
  if (settings.vlan_device() != nullptr) return "vlan";
  if (std::holds_alternative<config::DpdkDevice>(settings.device)) return "dpdk";
  if (std::holds_alternative<config::TapDevice>(settings.device)) return "tap";
  if (std::holds_alternative<NicModelSettings>(settings.device)) return "nic-model";
  return std::holds_alternative<GeneratorSettings>(settings.device) ? "generator" : "packet";
}

json port_json(const Gateway& gateway, const std::string& name, const Ports::Record& record) {
  Traffic traffic;
  const PortDeviceStats device = record.port != nullptr ? record.port->device_stats() : PortDeviceStats{};
  uint64_t rx_drops = device.rx_missed + device.rx_errors;
  uint64_t tx_drops = device.tx_errors;
  for (const auto& worker : gateway.workers()) {
    const PortCounters& counters = worker->context().counters.ports[record.index];
    traffic.add(counters.traffic);
    rx_drops += counters.rx_drops.get();
    tx_drops += counters.tx_drops.get();
  }
  traffic.add(gateway.elephants().of_port(record.index));
  const Bridges::Bridge* const bridge = gateway.bridges().bridge_of(name);
  json addresses = json::array();
  if (const Underlay::Port* const underlay = gateway.underlay().find(record.index)) {
    for (const IpPrefix& address : underlay->addresses) addresses.push_back(to_string(address));
  }
  json bindings = json::array();
  for (const Binding& binding : record.settings.bindings) {
    json bound = json::array();
    for (const IpPrefix& address : binding.addresses) bound.push_back(to_string(address));
    bindings.push_back({{"mac", to_string(binding.mac)}, {"addresses", bound}});
  }
  const config::VlanDevice* const link = record.settings.vlan_device();
  const auto [max_macs, macs_refused] = limit_json(gateway, record.adjacency);
  return {{"name", name},
          {"kind", record.port != nullptr ? record.port->kind() : kind_of(record.settings)},
          {"bridge", bridge != nullptr ? json(gateway.bridges().name_of(bridge->index)) : json()},
          {"state", record.port == nullptr ? "missing"
                    : record.link_up       ? "up"
                                           : "down"},
          {"reason", record.port == nullptr ? json(record.missing.why.text) : json()},
          {"mtu", record.port != nullptr ? json(record.mtu) : json()},
          {"mac", record.port != nullptr ? json(to_string(record.mac)) : json()},
          {"addresses", addresses},
          {"link", link != nullptr ? json(link->link) : json()},
          {"vlan_id", link != nullptr ? json(link->id) : json()},
          {"vlan", vlan_json(record.settings.vlan)},
          {"max_macs", max_macs},
          {"macs_refused", macs_refused},
          {"bindings", bindings},
          {"rx_queues", record.port != nullptr ? record.port->rx_queues() : 0},
          {"tx_queues", record.port != nullptr ? record.port->tx_queues() : 0},
          {"rx_workers", gateway.ports().rx_queues().workers_of(record.index)},
          {"rss", record.port != nullptr ? json(to_string(record.port->rx_spread())) : json()},
          {"rx_packets", traffic.rx_packets},
          {"rx_bytes", traffic.rx_bytes},
          {"tx_packets", traffic.tx_packets},
          {"tx_bytes", traffic.tx_bytes},
          {"rx_drops", rx_drops},
          {"tx_drops", tx_drops}};
}

json bridge_json(const Gateway& gateway, const std::string& name, const Bridges::Bridge& bridge) {
  json interfaces = json::array();
  for (const auto& [interface, adjacencies] : bridge.members) interfaces.push_back(interface);
  const Fdb::BridgeState& state = gateway.fdb().bridge(bridge.index);
  return {{"name", name},
          {"interfaces", interfaces},
          {"ageing_time_s", bridge.settings.ageing_time_s},
          {"macs", state.macs},
          {"max_macs", state.max_macs},
          {"macs_refused", state.refused},
          {"mac_moves", state.moves}};
}

std::string_view state_text(DropReason blocked) {
  return blocked == DropReason::none ? "up" : kDropReasonText.at(static_cast<size_t>(blocked)).name;
}

// Frames leave, but somebody refuses them.
std::string_view state_of(const Gateway& gateway, const Tunnels::Endpoint& endpoint) {
  const DropReason blocked = gateway.tunnels().blocked(endpoint);
  const bool refused = gateway.refusals().find(endpoint.adjacency, endpoint.remote) != nullptr;
  return blocked == DropReason::none && refused ? "refused" : state_text(blocked);
}

// Bytes of IP packet inside: the largest frame without its Ethernet header.
uint16_t mtu_of(const Gateway& gateway, const Tunnels::Endpoint& endpoint) {
  const uint16_t frame = gateway.adjacencies().get(endpoint.adjacency)->max_frame_bytes;
  return static_cast<uint16_t>(frame > 14 ? frame - 14 : 0);
}

// Who refuses what is sent, and how he puts it.
json refusals_json(const Gateway& gateway, const Tunnels::Tunnel& tunnel) {
  json list = json::array();
  const auto add = [&](const Tunnels::Endpoint& endpoint) {
    const auto* const refusal = gateway.refusals().find(endpoint.adjacency, endpoint.remote);
    if (refusal == nullptr) return;
    list.push_back({{"remote", to_string(endpoint.remote)},
                    {"from", to_string(refusal->error.from)},
                    {"reason", to_string(refusal->error.kind)}});
  };
  for (const Tunnels::Endpoint& endpoint : tunnel.endpoints) add(endpoint);
  for (const auto& [remote, vtep] : tunnel.vteps) add(vtep);
  return list;
}

json tunnel_json(const Gateway& gateway, const std::string& name, const Tunnels::Tunnel& tunnel) {
  Traffic traffic;
  json remotes = json::array();
  std::string_view state = "up";
  uint16_t mtu = 0xffff;
  std::optional<uint16_t> path_mtu;  // what routers said, of the narrowest path
  for (const Tunnels::Endpoint& endpoint : tunnel.endpoints) {
    if (const auto believed = gateway.tunnels().path_mtu(tunnel, endpoint)) {
      path_mtu = std::min(path_mtu.value_or(UINT16_MAX), *believed);
    }
    for (const auto& worker : gateway.workers()) traffic.add(worker->context().counters.tunnels[endpoint.adjacency]);
    traffic.add(gateway.elephants().of_tunnel(endpoint.adjacency));
    remotes.push_back(to_string(endpoint.remote));
    if (const auto worse = state_of(gateway, endpoint); worse != "up") state = worse;
    mtu = std::min(mtu, mtu_of(gateway, endpoint));
  }
  json next_hops = json::array();
  for (const Tunnels::Endpoint& endpoint : tunnel.endpoints) {
    if (endpoint.remote.is_multicast()) continue;
    for (const NextHop& hop : endpoint.next_hops) {
      next_hops.push_back({{"port", gateway.ports().find(hop.port)->port->name()},
                           {"address", to_string(hop.address)},
                           {"state", to_string(gateway.neighbors().all().at(hop).state)}});
    }
  }
  json vteps = json::array();
  for (const auto& [remote, vtep] : tunnel.vteps) {
    for (const auto& worker : gateway.workers()) traffic.add(worker->context().counters.tunnels[vtep.adjacency]);
    vteps.push_back(
        {{"remote", to_string(remote)}, {"state", state_of(gateway, vtep)}, {"mtu", mtu_of(gateway, vtep)}});
  }
  const Bridges::Bridge* const bridge = gateway.bridges().bridge_of(name);
  const auto [max_macs, macs_refused] = limit_json(gateway, tunnel.endpoints.front().adjacency);
  return {{"name", name},
          {"mode", row_of(tunnel.settings.mode).name},
          {"id", tunnel.settings.id ? json(*tunnel.settings.id) : json()},
          {"sent_id", tunnel.settings.sent_id ? json(*tunnel.settings.sent_id) : json()},
          {"local", to_string(tunnel.settings.local)},
          {"remote", remotes.size() == 1 ? remotes.front() : remotes},
          {"port", tunnel.settings.port},
          {"sequence", tunnel.settings.sequence},
          {"bridge", bridge != nullptr ? json(gateway.bridges().name_of(bridge->index)) : json()},
          {"state", state},
          {"refusals", refusals_json(gateway, tunnel)},
          {"next_hops", next_hops},
          {"vteps", vteps},
          {"mtu", mtu},
          {"path_mtu", path_mtu ? json(*path_mtu) : json()},
          {"vlan", vlan_json(tunnel.settings.vlan)},
          {"max_macs", max_macs},
          {"macs_refused", macs_refused},
          {"rx_packets", traffic.rx_packets},
          {"rx_bytes", traffic.rx_bytes},
          {"tx_packets", traffic.tx_packets},
          {"tx_bytes", traffic.tx_bytes}};
}

json mac_json(const Gateway& gateway, const Fdb::Entry& entry) {
  const Adjacencies::Owner& owner = gateway.adjacencies().owner(entry.exit);
  return {{"bridge", gateway.bridges().name_of(entry.bridge)},
          {"vlan", vlan_of(entry.key)},
          {"mac", to_string(mac_of(entry.key))},
          {"port", owner.interface},
          {"remote", owner.remote ? json(to_string(*owner.remote)) : json()},
          {"type", entry.is_static ? "static" : "dynamic"},
          {"age_s", entry.is_static ? 0 : entry.age_s}};
}

json neighbor_json(const Gateway& gateway, const NextHop& hop, const Neighbors::Neighbor& neighbor) {
  const Underlay::Port* const port = gateway.underlay().find(hop.port);
  const auto age = std::chrono::steady_clock::now() - neighbor.confirmed;
  return {{"port", port != nullptr ? port->name : ""},
          {"address", to_string(hop.address)},
          {"mac", neighbor.usable() ? json(to_string(neighbor.mac)) : json()},
          {"state", to_string(neighbor.state)},
          {"age_s", neighbor.usable() ? std::chrono::duration_cast<std::chrono::seconds>(age).count() : 0},
          {"waiting_frames", gateway.neighbors().held().count(hop)}};
}

json group_json(const Gateway& gateway, const std::pair<PortIndex, IpAddress>& key, const Memberships::Group& group) {
  const auto& [port_index, address] = key;
  const Underlay::Port* const port = gateway.underlay().find(port_index);
  const Memberships::Querier querier = gateway.memberships().querier(port_index, address.is_v6());
  const bool old = querier.old(Memberships::Clock::now());
  return {{"port", port != nullptr ? port->name : ""},
          {"group", to_string(address)},
          {"protocol", address.is_v4() ? (old ? "IGMPv2" : "IGMPv3") : (old ? "MLDv1" : "MLDv2")},
          {"state", group.users != 0 ? "member" : "leaving"},
          {"tunnels", group.users},
          {"querier", querier.address ? json(to_string(*querier.address)) : json()}};
}

json show_workers(const Gateway& gateway) {
  json list = json::array();
  for (const auto& worker : gateway.workers()) {
    const WorkerContext& context = worker->context();
    const WorkerCounters& counters = context.counters;
    json queues = json::array();
    for (const PollEntry& entry : gateway.ports().rx_queues().dealt()[context.id]) {
      queues.push_back(gateway.ports().find(entry.port)->port->name() + ":" + std::to_string(entry.queue));
    }
    list.push_back({{"id", context.id},
                    {"core", worker->core() ? json(*worker->core()) : json()},
                    {"queues", queues},
                    {"rx_packets", counters.rx_packets.get()},
                    {"busy_cycles", counters.busy_cycles.get()},
                    {"idle_cycles", counters.idle_cycles.get()},
                    {"to_control", counters.to_control.get()},
                    {"waiting_for_control", context.punted.size() + context.urgent.size()},
                    {"waiting_for_worker", context.injected.size()},
                    {"mbufs_used", rte_mempool_in_use_count(gateway.pool())},  // of all, by whomever
                    {"from_control", counters.from_control.get()},
                    {"gro_in", counters.gro_in.get()},
                    {"gro_out", counters.gro_out.get()},
                    {"flow_cache",
                     {{"entries", counters.cache_entries.get()},
                      {"capacity", context.cache.capacity()},
                      {"hits", counters.cache_hits.get()},
                      {"misses", counters.cache_misses.get()}}}});
  }
  return list;
}

// A row for each item of a map that outlives the stream. The map may change between rows: the next one is that of the
// next larger key.
template <class Map, class RowOf>
RowStream rows_of(const Gateway& gateway, const Map& map, RowOf row_of) {
  using Key = typename Map::key_type;
  return [&gateway, &map, row_of, last = std::optional<Key>()](const auto& add) mutable {
    const auto item = last ? map.upper_bound(*last) : map.begin();
    if (item == map.end()) return false;
    add(row_of(gateway, item->first, item->second));
    last = item->first;
    return true;
  };
}

RowStream rows_of_fdb(const Gateway& gateway) {
  static constexpr uint32_t kSlots = 64;  // at a time
  return [&gateway, cursor = gateway.fdb().begin()](const auto& add) mutable {
    return gateway.fdb().visit_next(cursor, kSlots, gateway.now_s(),
                                    [&](const Fdb::Entry& entry) { add(mac_json(gateway, entry)); });
  };
}

// Of the subjects that may be long; empty for the others.
RowStream rows_of(const Gateway& gateway, const std::string& what) {
  if (what == "ports") return rows_of(gateway, gateway.ports().all(), port_json);
  if (what == "bridges") return rows_of(gateway, gateway.bridges().all(), bridge_json);
  if (what == "tunnels") return rows_of(gateway, gateway.tunnels().all(), tunnel_json);
  if (what == "neighbors") return rows_of(gateway, gateway.neighbors().all(), neighbor_json);
  if (what == "multicast") return rows_of(gateway, gateway.memberships().all(), group_json);
  if (what == "fdb") return rows_of_fdb(gateway);
  return {};
}

}  // namespace

json show(const Gateway& gateway, const std::string& what) {
  if (const RowStream rows = rows_of(gateway, what)) {
    json list = json::array();
    while (rows([&list](const json& row) { list.push_back(row); })) continue;
    return list;
  }
  static const std::map<std::string, json (*)(const Gateway&)> kShown = {
      {"workers", show_workers}, {"offloads", show_offloads}, {"flows", show_flows}};
  const auto found = kShown.find(what);
  return found == kShown.end() ? json() : found->second(gateway);
}

ApiReply show_reply(const Gateway& gateway, const std::string& what) {
  if (RowStream rows = rows_of(gateway, what)) return ApiReply::in_rows(std::move(rows));
  json shown = show(gateway, what);
  if (shown.is_null()) return {api_error({fmt::format("cannot show: {}", what)})};
  return {api_ok(std::move(shown))};
}

// By class, of all workers.
static json unknown_options(const Gateway& gateway) {
  json counts = json::object();
  uint64_t others = 0;
  for (const auto& worker : gateway.workers()) {
    const UnknownOptions& unknown = worker->context().counters.unknown_options;
    others += unknown.others();
    for (const UnknownOptions::Class& entry : unknown.classes()) {
      const uint32_t number = entry.number.load(std::memory_order_relaxed);
      if (number == 0) break;
      const std::string name = fmt::format("{:#06x}", number - 1);
      counts[name] = counts.value(name, uint64_t{0}) + entry.count.get();
    }
  }
  if (others != 0) counts["others"] = others;
  return counts;
}

json stats(const Gateway& gateway, bool per_worker) {
  json total = json::object();
  json workers = json::array();
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    total[std::string(kDropReasonText[reason].name)] = gateway.drops()[reason];
  }
  for (const auto& worker : gateway.workers()) {
    json drops = json::object();
    for (size_t reason = 0; reason < kDropReasons; ++reason) {
      const std::string name(kDropReasonText[reason].name);
      const uint64_t count = worker->context().counters.drops[reason].get();
      drops[name] = count;
      total[name] = total[name].get<uint64_t>() + count;
    }
    workers.push_back({{"id", worker->context().id}, {"drops", drops}});
  }
  json result = {{"drops", total}, {"unknown_geneve_options", unknown_options(gateway)}};
  if (per_worker) result["workers"] = workers;
  return result;
}

}  // namespace causeway
