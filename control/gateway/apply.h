// Runs the operations of a plan. When one fails, those before it are undone in reverse.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/config/plan.h"
#include "control/gateway/gateway.h"

namespace causeway {

// Empty: done. Otherwise why the operation that failed did so, then whatever could not be undone.
std::vector<config::ApplyError> apply_operations(Gateway& gateway, const std::vector<config::Operation>& operations);
// Each by itself: what fails doesn't keep the others. Nothing is undone; of an interface that failed, its memberships
// and static MACs aren't tried. Returns what failed, with the number of each.
struct FailedOperation {
  size_t number = 0;
  std::string why;
};
std::vector<FailedOperation> apply_each(Gateway& gateway, const std::vector<config::Operation>& operations);
// What `after` has come to be where these operations of the plan to get there have failed.
config::Config without_failed(const config::Config& after, const std::vector<config::Operation>& operations,
                              const std::vector<FailedOperation>& failed);
// All of them or none, from one configuration to another.
std::vector<config::ApplyError> apply_config(Gateway& gateway, const config::Config& before,
                                             const config::Config& after);

}  // namespace causeway
