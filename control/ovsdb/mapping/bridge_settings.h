// What a Bridge's other_config says of the bridge and of its own interface. Pure.
#pragma once

#include <optional>
#include <string>

#include "control/config/config.h"
#include "control/ovsdb/mapping/notes.h"
#include "control/ovsdb/rows.h"

namespace causeway::ovsdb {

// mac-aging-time and mac-table-size, with Open vSwitch's defaults and bounds.
void read_bridge_settings(const Row& bridge, const std::string& name, config::Bridge& settings, Notes& notes);
// hwaddr.
std::optional<MacAddress> hardware_address_of(const Row& bridge, const std::string& name, Notes& notes);

}  // namespace causeway::ovsdb
