#include "control/view/values.h"

#include "control/config/address_text.h"
#include "control/config/vlan_rules.h"

namespace causeway {

using nlohmann::json;

json bridge_json(const Gateway& gateway, const std::string& interface) {
  const Bridges::Bridge* const bridge = gateway.bridges().bridge_of(interface);
  return bridge != nullptr ? json(gateway.bridges().name_of(bridge->index)) : json();
}

json vlan_json(const config::PortVlan& vlan) { return vlan.mode != VlanMode::none ? json(to_string(vlan)) : json(); }

json group_json(const std::optional<std::string>& group) { return group && !group->empty() ? json(*group) : json(); }

json max_macs_json(const Gateway& gateway, AdjacencyIndex adjacency) {
  const Fdb::Limit* const limit = gateway.fdb().limit_of(adjacency);
  return limit != nullptr ? json(limit->max_macs) : json();
}

json macs_refused_json(const Gateway& gateway, AdjacencyIndex adjacency) {
  const Fdb::Limit* const limit = gateway.fdb().limit_of(adjacency);
  return limit != nullptr ? json(limit->refused) : json();
}

json remote_json(const Adjacencies::Owner& owner) { return owner.remote ? json(to_string(*owner.remote)) : json(); }

std::string underlay_name(const Gateway& gateway, PortIndex port) {
  const Underlay::Port* const found = gateway.underlay().find(port);
  return found != nullptr ? found->name : "";
}

}  // namespace causeway
