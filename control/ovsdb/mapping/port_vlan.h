// Which VLANs a Port carries: tag, trunks and vlan_mode, as bridge.c's port_configure and ofproto-dpif's bundle_set of
// Open vSwitch read them. Pure.
#pragma once

#include <string>
#include <string_view>

#include "control/config/config.h"
#include "control/ovsdb/mapping/notes.h"
#include "control/ovsdb/rows.h"

namespace causeway::ovsdb {

// The reason why it can't be, one line without the Port's name, or "" and `vlan` is what it is here.
std::string read_port_vlan(const Row& port, std::string_view name, config::PortVlan& vlan, Notes& notes);

}  // namespace causeway::ovsdb
