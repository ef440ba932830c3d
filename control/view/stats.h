// What `causewayctl stats` prints: the drops, as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "control/gateway/gateway.h"

namespace causeway {

// {"drops": {reason: count}, every reason, "examples": {reason: the last frame that died of it}}; with `per_worker`
// also {"workers": [{"id", "drops"}]}.
nlohmann::json stats(const Gateway& gateway, bool per_worker);

}  // namespace causeway
