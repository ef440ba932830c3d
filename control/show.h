// The running state as JSON: what `causewayctl show` and `stats` print.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "control/gateway.h"

namespace causeway {

// `what`: ports, bridges, tunnels, fdb, neighbors, flows, workers or offloads; null for anything else.
nlohmann::json show(const Gateway& gateway, const std::string& what);

// {"drops": {reason: count}}, every reason; with `per_worker` also {"workers": [{"id", "drops"}]}.
nlohmann::json stats(const Gateway& gateway, bool per_worker);

}  // namespace causeway
