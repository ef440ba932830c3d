// `show offloads`: who does what on each port, and why.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "control/gateway/gateway.h"

namespace causeway {

nlohmann::json show_offloads(const Gateway& gateway);
// The verdicts of a port's self-test: {offload, state: good or wrong, reason}.
nlohmann::json show_verdicts(const Ports::Record& record);

}  // namespace causeway
