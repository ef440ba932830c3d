// Runs the operations between two configurations. When one fails, those before it are undone in reverse.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/config/plan.h"
#include "control/gateway/gateway.h"

namespace causeway {

// Empty: done. Otherwise why the operation that failed did so, then whatever could not be undone.
std::vector<config::ApplyError> apply_config(Gateway& gateway, const config::Config& before,
                                             const config::Config& after);
// The same, what diff_config() says already known.
std::vector<config::ApplyError> apply_operations(Gateway& gateway, const std::vector<config::Operation>& operations);

}  // namespace causeway
