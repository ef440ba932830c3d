// `show flows`: what the workers' flow caches hold.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "control/api/verbs.h"
#include "control/config/address_text.h"
#include "control/view/tables.h"
#include "control/view/values.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct FlowView {
  unsigned worker;
  const std::string& bridge;
  FlowKey key;
  const Adjacencies::Owner& from;
  const Adjacencies::Owner& to;
};

// Nullopt: an entry that the worker wouldn't use any more, as its source or its destination has moved or gone.
std::optional<FlowView> view_of(const Gateway& gateway, unsigned worker, const FlowKey& key) {
  const Adjacency* const in = gateway.adjacencies().get(key.ingress());
  if (in == nullptr || in->bridge == kNoBridge) return {};
  const auto source = gateway.fdb().find(in->bridge, key.source());
  const auto destination = gateway.fdb().find(in->bridge, key.destination());
  if (!source || source->exit != in->index || !destination) return {};
  return FlowView{worker, gateway.bridges().name_of(in->bridge), key, gateway.adjacencies().owner(in->index),
                  gateway.adjacencies().owner(destination->exit)};
}

// Those whose ends are still where they were: as many of each worker, all at a call, as of any other.
RecordStream<FlowView> flow_views(const Running& running) {
  const Gateway& gateway = running.gateway;
  return [&gateway, next = size_t{0}](const auto& add) mutable {
    if (next >= gateway.workers().size()) return false;
    const size_t most = std::max<size_t>(kMostFlows / gateway.workers().size(), 1);
    const Worker& worker = *gateway.workers()[next++];
    const uint64_t in_use = worker.counters().cache_entries.get();
    uint64_t seen = 0;
    size_t shown = 0;
    for (uint32_t place = 0; place < worker.flow_cache().capacity() && seen < in_use && shown < most; ++place) {
      const auto key = worker.flow_cache().key_at(place);
      if (!key) continue;
      ++seen;
      const auto view = view_of(gateway, worker.id(), *key);
      if (!view) continue;
      ++shown;
      add(*view);
    }
    return true;
  };
}

// {cached: places in use in all caches, flows: the rows}.
json with_cached(const Running& running, json rows) {
  uint64_t cached = 0;
  for (const auto& worker : running.gateway.workers()) cached += worker->counters().cache_entries.get();
  return {{"cached", cached}, {"flows", std::move(rows)}};
}

constexpr Column<FlowView> kColumns[] = {
    {{"worker", "WORKER", text, "", "The worker whose cache it is in."},
     [](const FlowView& view) -> json { return view.worker; }},
    {{"bridge", "BRIDGE", text, "", "The bridge that it goes through."},
     [](const FlowView& view) -> json { return view.bridge; }},
    {{"vlan", "VLAN", text, "", "The VLAN of its frames; 0: untagged."},
     [](const FlowView& view) -> json { return vlan_of(view.key.destination()); }},
    {{"from", "FROM", text, "", "The port or tunnel that it comes from."},
     [](const FlowView& view) -> json { return view.from.interface; }},
    {{"from_remote", "FROM REMOTE", text, "", "The remote of the tunnel that it comes from."},
     [](const FlowView& view) { return remote_json(view.from); }},
    {{"source", "SOURCE", text, "", "The MAC address that its frames are from."},
     [](const FlowView& view) -> json { return to_string(mac_of(view.key.source())); }},
    {{"destination", "DESTINATION", text, "", "The MAC address that its frames are to."},
     [](const FlowView& view) -> json { return to_string(mac_of(view.key.destination())); }},
    {{"to", "TO", text, "", "The port or tunnel that it goes to."},
     [](const FlowView& view) -> json { return view.to.interface; }},
    {{"to_remote", "TO REMOTE", text, "", "The remote of the tunnel that it goes to."},
     [](const FlowView& view) { return remote_json(view.to); }},
};

struct LargeFlowView {
  const std::string& bridge;
  FlowKey key;
  const Adjacencies::Owner& from;
  const Adjacencies::Owner* to;  // null: nobody knows, it is flooded
  uint64_t packets;
};

RecordStream<LargeFlowView> large_flow_views(const Running& running) {
  const Gateway& gateway = running.gateway;
  return [&gateway](const auto& add) {
    for (const Elephants::Large& large : gateway.elephants().largest(kMostFlows)) {
      const Adjacency* const in = gateway.adjacencies().get(large.flow.ingress());
      if (in == nullptr || in->bridge == kNoBridge) continue;
      const auto destination = gateway.fdb().find(in->bridge, large.flow.destination());
      add({gateway.bridges().name_of(in->bridge), large.flow, gateway.adjacencies().owner(in->index),
           destination ? &gateway.adjacencies().owner(destination->exit) : nullptr, large.packets});
    }
    return false;
  };
}

// What is the same for no two of them.
json flow_json(const LargeFlowView& view) {
  const json remote = remote_json(view.from);
  return fmt::format("{}{}{} {} > {} vlan {}", view.from.interface, remote.is_string() ? " " : "",
                     remote.is_string() ? remote.get<std::string>() : "", to_string(mac_of(view.key.source())),
                     to_string(mac_of(view.key.destination())), vlan_of(view.key.destination()));
}

constexpr Column<LargeFlowView> kLargeColumns[] = {
    {{"flow", "", text, "", "Where it comes from, its MAC addresses and its VLAN: no two have the same."}, flow_json},
    {{"packets", "PACKETS", counter, "packets", "About how many came, by samples; of a NIC's switch, by its counters."},
     [](const LargeFlowView& view) -> json { return view.packets; }},
    {{"bridge", "BRIDGE", text, "", "The bridge that it goes through."},
     [](const LargeFlowView& view) -> json { return view.bridge; }},
    {{"vlan", "VLAN", text, "", "The VLAN of its frames; 0: untagged."},
     [](const LargeFlowView& view) -> json { return vlan_of(view.key.destination()); }},
    {{"from", "FROM", text, "", "The port or tunnel that it comes from."},
     [](const LargeFlowView& view) -> json { return view.from.interface; }},
    {{"from_remote", "FROM REMOTE", text, "", "The remote of the tunnel that it comes from."},
     [](const LargeFlowView& view) { return remote_json(view.from); }},
    {{"source", "SOURCE", text, "", "The MAC address that its frames are from."},
     [](const LargeFlowView& view) -> json { return to_string(mac_of(view.key.source())); }},
    {{"destination", "DESTINATION", text, "", "The MAC address that its frames are to."},
     [](const LargeFlowView& view) -> json { return to_string(mac_of(view.key.destination())); }},
    {{"to", "TO", text, "", "The port or tunnel that it goes to; null: it is flooded."},
     [](const LargeFlowView& view) { return view.to != nullptr ? json(view.to->interface) : json(); }},
    {{"to_remote", "TO REMOTE", text, "", "The remote of the tunnel that it goes to."},
     [](const LargeFlowView& view) { return view.to != nullptr ? remote_json(*view.to) : json(); }},
};

}  // namespace

Table largest_flows_table() { return table_of(kLargeColumns, large_flow_views); }

Table flows_table() {
  Table table = table_of(kColumns, flow_views);
  table.result = with_cached;
  return table;
}

}  // namespace causeway
