// Who died of each reason last, and where: the last frames as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "control/gateway/gateway.h"

namespace causeway {

// Of the last frame that died of this: {time (UTC, RFC 3339), port, tunnel, vtep, bytes, and what frame_fields() says};
// what isn't known is absent. Null: none has.
nlohmann::json drop_example(const Gateway& gateway, DropReason reason);

// {reason: that}, of those that there is one of.
nlohmann::json drop_examples(const Gateway& gateway);

}  // namespace causeway
