// The self-test of a port: each offload that it claims is asked for once, and what comes out is held against what the
// segment stage makes of the same frame. Devices misreport, and their users lose frames without a word. Needs a port
// that gives its frames back (Port::loop). Control thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/frame/intent.h"
#include "pmd/port.h"

namespace causeway {

struct OffloadVerdict {
  std::string offload;  // "vxlan-tso-ipv4 (TCP over IPv6)"
  Outer outer = Outer::none;
  uint8_t bits = 0;  // of TxCapabilities; 0: something that frames are received with
  bool rx_checksum = false;
  bool flow = false;
  std::string wrong;  // empty: good
  bool lro = false;
};

// In the order of Outer. Empty: the device has no loop, or claims nothing.
std::vector<OffloadVerdict> test_offloads(Port& port, rte_mempool* pool);

// Why there is nothing to test; empty: there is.
std::string untestable(Port& port, rte_mempool* pool);

}  // namespace causeway
