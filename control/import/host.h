// What only this host knows of the database's tunnels: whose their addresses are, and which way they go.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "control/check/host_addresses.h"
#include "pmd/kernel/rtnetlink.h"

namespace causeway {

// What is at its addresses is this host.
inline constexpr std::string_view kLoopback = "lo";

struct ImportHost {
  std::vector<InterfaceAddress> addresses;
  std::function<std::optional<KernelRoute>(const IpAddress&)> route_to;
};

// Asks the kernel, in the calling thread's network namespace.
ImportHost this_host();

}  // namespace causeway
