// Who died of each reason last, and where: the last frames as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "control/gateway/gateway.h"

namespace causeway {

// {reason: {time (UTC, RFC 3339), port, tunnel, vtep, bytes, and what frame_fields() says}}, of those that a frame has
// died of; what isn't known of the last one is absent.
nlohmann::json drop_examples(const Gateway& gateway);

}  // namespace causeway
