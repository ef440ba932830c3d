// Logging of the control thread and start-up, to stderr. Workers never log.
// Elsewhere: spdlog::info("port {} is up", name).
#pragma once

#include <string>

namespace causeway {

// Under systemd, where stderr is the journal: "<4>warning: text" (sd-daemon(3)), no time, the journal has its
// own. Elsewhere: "2025-01-31 12:00:00.123 warning: text".
void start_log();

// trace, debug, info, warning, error, critical or off; false for anything else.
bool set_log_level(const std::string& name);

}  // namespace causeway
