// What is taken: names, devices, addresses and UDP ports, and by whom. One section's reader has to know it
// of the others. For yaml/section_readers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "control/config/config.h"
#include "control/yaml/yaml_tree.h"

namespace causeway::config {

struct Claims {
  // An ethernet, a VLAN or a tunnel.
  struct Interface {
    const char* section;
    const YamlNode* key;
    bool underlay = false;
    std::string_view bridge{};  // the first bridge that names it
    int bridge_line = 0;
  };
  struct Owner {
    std::string_view name;
    int line;
  };
  bool workers_complete = true;  // no error in `workers`: one that is not among them is wrong
  std::unordered_map<std::string_view, Interface> interfaces{};
  std::unordered_map<std::string, Owner> devices{};           // PCI address or vdev name -> ethernet
  std::unordered_multimap<IpAddress, Owner> own_addresses{};  // several: a link-local one, on as many links
  std::unordered_map<IpAddress, IpPrefix> network_ends{};     // network and broadcast addresses of connected networks
  // No error among the ethernets, and none has the host's addresses: a `local` not in the table is wrong.
  bool own_addresses_complete = true;
  std::map<uint16_t, std::pair<TunnelType, Owner>> udp_ports{};
};

}  // namespace causeway::config
