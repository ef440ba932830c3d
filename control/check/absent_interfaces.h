// Interfaces that a configuration names and this host doesn't have now. Their ports are missing until they come.
#pragma once

#include <vector>

#include "control/check/warnings.h"
#include "control/config/config.h"

namespace causeway {

// In the calling thread's network namespace.
std::vector<config::ConfigWarning> absent_interfaces(const config::Config& config);

}  // namespace causeway
