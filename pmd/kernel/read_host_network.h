// The kernel's addresses and permanent neighbors on one interface: rtnetlink(7). Control thread only.
#pragma once

#include <optional>

#include "pmd/host_network.h"

namespace causeway {

// In the calling thread's network namespace; null and errno: the kernel doesn't say.
std::optional<HostNetwork> read_host_network(int interface);

}  // namespace causeway
