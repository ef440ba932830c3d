// Ports in the words of Open vSwitch.
#pragma once

#include <string>
#include <string_view>

#include "control/gateway/gateway.h"
#include "control/unixctl/commands.h"

namespace causeway::unixctl {

// Its OpenFlow number: "LOCAL" of the bridge's own, otherwise what the database has. An interface that the database
// doesn't know has none, and stands there by its name.
std::string port_text(std::string_view bridge, const std::string& interface, const PortNumbers& numbers);

// "tap", "dpdk", "geneve: key=123, remote_ip=172.31.0.2": the type that its row would have, and what it is set to. An
// existing interface is "system". Empty: there is no such port, or its device isn't there.
std::string type_text(const Gateway& gateway, const std::string& interface);

}  // namespace causeway::unixctl
