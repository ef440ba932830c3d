// `show flows`: what the workers' flow caches hold.
#pragma once

#include <nlohmann/json.hpp>

#include "control/gateway/gateway.h"

namespace causeway {

inline constexpr size_t kMostFlows = 1000;  // of all workers together

// {cached: places in use in all caches, flows: [{worker, bridge, vlan, from, from_remote, source, destination, to,
// to_remote}]}: those whose ends are still where they were, as many of each worker as of any other, kMostFlows at most.
nlohmann::json show_flows(const Gateway& gateway);

}  // namespace causeway
