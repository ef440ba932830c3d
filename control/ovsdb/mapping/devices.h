// What an Interface that is no tunnel is: which device, and how that is set. One DPDK device is one Interface's. Pure.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "control/config/config.h"
#include "control/ovsdb/mapping/notes.h"
#include "control/ovsdb/rows.h"

namespace causeway::ovsdb {

// Of an Interface that has no device, in the words of Open vSwitch.
std::string cannot_open(const std::string& name, std::string_view why);

class Devices {
 public:
  explicit Devices(const config::Config& yaml);

  // Fills `device` and `rx_queues`, or says why there is none, as Interface.error has it.
  std::string read(const Row& interface, const std::string& name, std::string_view type, config::Ethernet& ethernet,
                   Notes& notes);

 private:
  std::string read_dpdk(const Row& interface, const std::string& name, config::Ethernet& ethernet, Notes& notes);

  std::unordered_map<std::string, std::string> owners_;  // PCI address or vdev -> ethernet
};

// `mac` of an interface that is ours. OVS sets that of no other.
void read_mac(const Row& interface, const std::string& name, config::Ethernet& ethernet, Notes& notes);
// `mtu_request`.
void read_mtu(const Row& interface, const std::string& name, config::Ethernet& ethernet, Notes& notes);

}  // namespace causeway::ovsdb
