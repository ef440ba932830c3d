// A port's VLAN mode, from the configuration's terms to the dataplane's and to text.
#pragma once

#include <string>

#include "control/config/config.h"
#include "dataplane/flow/vlan_rules.h"

namespace causeway::config {

VlanRules rules_of(const PortVlan& vlan);

// "access 10", "trunk 10,20-29", "native 1, trunk all"; "none".
std::string to_string(const PortVlan& vlan);

}  // namespace causeway::config
