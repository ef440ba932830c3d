// Gives a gateway what another one had learnt, under the names that both know. What it knows itself stays. Control
// thread.
#pragma once

#include <cstddef>

#include "control/gateway/gateway.h"
#include "control/keep/learnt.h"

namespace causeway {

struct Restored {
  size_t macs = 0;
  size_t neighbors = 0;
  size_t vteps = 0;
  size_t paths = 0;
  size_t left_out = 0;  // of all: what they belong to has gone or is another, a limit is reached, they are too old
};
Restored restore(Gateway& gateway, const Learnt& learnt);

}  // namespace causeway
