// Where the file says what an interface is like.
#pragma once

#include <string>

#include "control/gateway/gateway.h"

namespace causeway {

// "tunnels.vx0", "vlans.up5", "ethernets.up0": what its keys stand under. One that is gone is taken for an ethernet.
std::string section_of(const Gateway& gateway, const std::string& interface);

}  // namespace causeway
