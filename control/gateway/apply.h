// Runs the operations of a plan. When one fails, those before it are undone in reverse.
#pragma once

#include <vector>

#include "control/config/config.h"
#include "control/config/plan.h"
#include "control/gateway/gateway.h"

namespace causeway {

// Empty: done. Otherwise why the operation that failed did so, then whatever could not be undone.
std::vector<config::ApplyError> apply_operations(Gateway& gateway, const std::vector<config::Operation>& operations);
// The same, from one configuration to another.
std::vector<config::ApplyError> apply_config(Gateway& gateway, const config::Config& before,
                                             const config::Config& after);

}  // namespace causeway
