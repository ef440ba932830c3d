#include "control/view/flows_view.h"

#include <algorithm>
#include <string>

#include "control/config/address_text.h"

namespace causeway {
namespace {

using nlohmann::json;

json remote_json(const Adjacencies::Owner& owner) { return owner.remote ? json(to_string(*owner.remote)) : json(); }

// Null: an entry that the worker wouldn't use any more, as its source or its destination has moved or gone.
json flow_json(const Gateway& gateway, const FlowKey& key) {
  const Adjacency* const in = gateway.adjacencies().get(key.ingress());
  if (in == nullptr || in->bridge == kNoBridge) return {};
  const auto source = gateway.fdb().find(in->bridge, key.source());
  const auto destination = gateway.fdb().find(in->bridge, key.destination());
  if (!source || source->exit != in->index || !destination) return {};
  const Adjacencies::Owner& from = gateway.adjacencies().owner(in->index);
  const Adjacencies::Owner& to = gateway.adjacencies().owner(destination->exit);
  return {{"bridge", gateway.bridges().name_of(in->bridge)},
          {"vlan", vlan_of(key.destination())},
          {"from", from.interface},
          {"from_remote", remote_json(from)},
          {"source", to_string(mac_of(key.source()))},
          {"destination", to_string(mac_of(key.destination()))},
          {"to", to.interface},
          {"to_remote", remote_json(to)}};
}

}  // namespace

json show_flows(const Gateway& gateway) {
  const size_t most = std::max<size_t>(kMostFlows / gateway.workers().size(), 1);
  uint64_t cached = 0;
  json flows = json::array();
  for (const auto& worker : gateway.workers()) {
    const WorkerContext& context = worker->context();
    const uint64_t in_use = context.counters.cache_entries.get();
    cached += in_use;
    uint64_t seen = 0;
    size_t shown = 0;
    for (uint32_t place = 0; place < context.cache.capacity() && seen < in_use && shown < most; ++place) {
      const auto key = context.cache.key_at(place);
      if (!key) continue;
      ++seen;
      json flow = flow_json(gateway, *key);
      if (flow.is_null()) continue;
      ++shown;
      flow["worker"] = context.id;
      flows.push_back(std::move(flow));
    }
  }
  return {{"cached", cached}, {"flows", flows}};
}

}  // namespace causeway
