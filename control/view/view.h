// The running state as JSON: what `causewayctl show` and `stats` print.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "control/api/reply.h"
#include "control/gateway/gateway.h"

namespace causeway {

// `what`: ports, bridges, tunnels, fdb, neighbors, flows, workers or offloads; null for anything else.
nlohmann::json show(const Gateway& gateway, const std::string& what);

// The same for the control socket. Tables that may be long come in rows: each is of the moment it is made at, and
// what is there from the first to the last is among them once.
ApiReply show_reply(const Gateway& gateway, const std::string& what);

// {"drops": {reason: count}}, every reason; with `per_worker` also {"workers": [{"id", "drops"}]}.
nlohmann::json stats(const Gateway& gateway, bool per_worker);

}  // namespace causeway
