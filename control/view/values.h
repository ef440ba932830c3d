// What columns of several tables have in common: values as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/gateway/gateway.h"

namespace causeway {

// The bridge that a port or a tunnel is in; null: in none.
nlohmann::json bridge_json(const Gateway& gateway, const std::string& interface);

// The VLANs that a port or a tunnel carries; null: whatever comes.
nlohmann::json vlan_json(const config::PortVlan& vlan);

// The name of a split-horizon group (config/split_group.h); null: it has none, or there is no group.
nlohmann::json group_json(const std::optional<std::string>& group);

// How many MACs may be learnt behind an adjacency, and how many were not; null: as many as the bridge takes.
nlohmann::json max_macs_json(const Gateway& gateway, AdjacencyIndex adjacency);
nlohmann::json macs_refused_json(const Gateway& gateway, AdjacencyIndex adjacency);

// The remote of a tunnel's adjacency; null: the owner is a port.
nlohmann::json remote_json(const Adjacencies::Owner& owner);

// The underlay port of this index; empty: there is none any more.
std::string underlay_name(const Gateway& gateway, PortIndex port);

}  // namespace causeway
