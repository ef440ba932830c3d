// The mirrors that a Bridge names. Pure.
#pragma once

#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/ovsdb/mapping/notes.h"
#include "control/ovsdb/rows.h"

namespace causeway::ovsdb {

// Adds them to `config`, which has the bridge of this name with all its interfaces. What a mirror sends to leaves the
// bridge: it is for mirrors alone, as in Open vSwitch. `outputs`: what more they may send to, in order.
void read_mirrors(const Database& rows, const Row& bridge, const std::string& name, config::Config& config,
                  const std::vector<std::string>& outputs, Notes& notes);

}  // namespace causeway::ovsdb
