// A port's VLAN mode, from the configuration's terms to the dataplane's and to text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "dataplane/flow/vlan_rules.h"

namespace causeway::config {

VlanRules rules_of(const PortVlan& vlan);

// VLAN IDs in order, as "10" or "20-29" each.
std::vector<std::string> ranges_of(const std::vector<uint16_t>& vlans);

// "access 10", "trunk 10,20-29", "native 1, trunk all"; "none".
std::string to_string(const PortVlan& vlan);

}  // namespace causeway::config
