// What the tunnels of a database stand on. Open vSwitch leaves that to the host's interfaces and routes; a file has
// underlays. Pure but for what ImportHost is asked.
#pragma once

#include <set>
#include <string>

#include "control/config/config.h"
#include "control/import/host.h"
#include "control/yaml/write.h"

namespace causeway {

struct Underlays {
  config::Config config;            // ethernets with addresses, and routes to the tunnels' remotes
  config::Comments comments;        // beside them
  std::set<std::string> uplinks;    // those that are ports of a bridge, in whose place its own interface has addresses
  std::set<std::string> own_ports;  // these own interfaces
};

// Of a configuration that has been translated without any. An address that is on no interface, or on one that goes with
// Open vSwitch and has no port in its place, has an ethernet whose name is to be filled in.
Underlays underlays_of(const config::Config& translated, const ImportHost& host);

}  // namespace causeway
