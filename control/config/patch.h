// A change of a part of a configuration. Pure.
#pragma once

#include "control/config/config.h"

namespace causeway::config {

// The same part of two configurations, which say the same of the rest: ethernets and tunnels by name, bridges with
// some of their interfaces. So diff_config has the same operations of the parts as of the whole ones.
struct Patch {
  Config before;
  Config after;
};

// Takes what `before` has out of `whole`, and puts in what `after` has. Interfaces of a bridge are in order of their
// names, in `whole`, too.
void apply_patch(const Patch& patch, Config& whole);

}  // namespace causeway::config
