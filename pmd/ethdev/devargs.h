// A DPDK device as people write it: its bus's name for it, and what its driver is to know. Text only, nothing is
// opened. DPDK's own parser takes more than an Ethernet device can be, and ends the process over some of it
// ("class=eth").
#pragma once

#include <string>
#include <string_view>

namespace causeway {

struct DeviceName {
  std::string bus;   // as DPDK calls it: "pci", "vdev", "auxiliary", "vmbus"; empty: this is no device
  std::string name;  // in one spelling: "0000:18:00.0", "net_tap0"
};

DeviceName device_name(std::string_view devargs);

// Why it can be no port's device, one line; empty: it may be one.
std::string devargs_error(std::string_view devargs);

}  // namespace causeway
