// Devices of tests, by what they can do.
#pragma once

#include "pmd/port.h"

namespace causeway::test {

// `can`: the same for each kind of frame. `chains`: takes frames of several segments.
inline TxCapabilities with(uint8_t can, bool chains) {
  TxCapabilities capabilities;
  capabilities.can.fill(can);
  capabilities.multi_segment = chains;
  return capabilities;
}

}  // namespace causeway::test
