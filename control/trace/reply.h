// A trace in words and as JSON: the answer to the request `trace` (control/api/verbs.h).
#pragma once

#include <nlohmann/json.hpp>

#include "control/gateway/gateway.h"
#include "control/trace/trace.h"

namespace causeway {

// {ok: true, result}, or why not.
nlohmann::json trace_reply(Gateway& gateway, const nlohmann::json& request);

}  // namespace causeway
