// Addresses of underlays that the host's kernel has for itself, too. It sees the frames that come in by an interface of
// its own, and answers those of tunnels with "port unreachable", which the peers believe.
#pragma once

#include <string>
#include <vector>

#include "control/config/config.h"

namespace causeway {

struct HostAddress {
  std::string ethernet;   // whose `addresses` it stands in
  IpPrefix address;       // as the host has it
  std::string interface;  // of the host, that has it
};

struct InterfaceAddress {
  std::string interface;
  IpPrefix address;
};

// All addresses of the host's interfaces, in the kernel's order. In the calling thread's network namespace, now.
std::vector<InterfaceAddress> addresses_of_host();

// In the calling thread's network namespace, now. Of underlays on devices that the kernel doesn't see: none.
std::vector<HostAddress> shared_with_host(const config::Config& config);
// What is wrong, and what helps, in one line.
std::string to_string(const HostAddress& shared);

}  // namespace causeway
