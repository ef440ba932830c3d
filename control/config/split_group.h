// Split-horizon groups, from the configuration's terms: interfaces of one group don't talk to each other.
#pragma once

#include <optional>
#include <string>

#include "control/config/config.h"

namespace causeway::config {

// The name of the group that an ethernet or a tunnel is in, "" of the nameless one (`isolated`); none: it is in none.
template <typename Settings>
std::optional<std::string> split_group_of(const Settings& settings) {
  if (!settings.split_group.empty()) return settings.split_group;
  return settings.isolated ? std::optional(std::string()) : std::nullopt;
}

}  // namespace causeway::config
