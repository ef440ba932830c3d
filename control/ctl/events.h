// `causewayctl events`: state changes as they come, a line each.
#pragma once

#include <cstdint>

#include "control/api/client.h"
#include "pmd/error.h"

namespace causeway {

struct EventsOptions {
  uint64_t count = 0;  // then it ends; 0: never
  bool json_output = false;
};

// After a good reply: prints what comes. It ends after so many, or fails once the daemon is gone.
Error print_events(ApiClient& client, const EventsOptions& options);

}  // namespace causeway
