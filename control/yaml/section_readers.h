// One reader a section, and what they share. A section is read after those it refers to: yaml/sections has the order.
#pragma once

#include <string_view>

#include "control/config/config.h"
#include "control/yaml/claims.h"
#include "control/yaml/value.h"

namespace causeway::config {

struct Reading {
  Config& config;
  Diagnostics& diagnostics;
  Claims claims;
};

void read_system(const Value& value, Reading& reading);
void read_ethernets(const Value& section, Reading& reading);
void read_vlans(const Value& section, Reading& reading);
void read_tunnels(const Value& section, Reading& reading);
void read_bridges(const Value& section, Reading& reading);
void read_sflow(const Value& value, Reading& reading);
void read_mirrors(const Value& section, Reading& reading);

// `local` of a tunnel, an own address.
void read_local(Reading& reading, const Value& value, Tunnel& tunnel);
// A UDP port tells what stands behind it, so it is of one mode on all tunnels. `place`: what asks for it.
void claim_udp_port(Reading& reading, std::string_view name, const Value& place, const Tunnel& tunnel);
// What an underlay has, or else a bridge port, as far as no row says it. The MTU and what has rows have been read.
void read_network(Reading& reading, std::string_view name, const Fields& fields, Ethernet& ethernet);
void read_bindings(const Fields& fields, Ethernet& ethernet);
// `vlan` of a bridge port or a tunnel.
void read_port_vlan(const Fields& fields, PortVlan& vlan);
// `group` of one, whose `isolated` has been read.
void read_split_group(const Fields& fields, bool isolated, std::string& group);

inline constexpr size_t kLongestInterfaceName = 15;  // IFNAMSIZ - 1, linux/if.h
inline constexpr size_t kLongestName = 63;           // of everything else

// What is wrong with a name, or "".
std::string name_error(std::string_view name, size_t longest);
// False, and reported, if the value's own name is bad.
bool has_valid_name(const Value& value, std::string_view name, size_t longest);
// False, and reported, if the name is bad or taken.
bool add_interface(Reading& reading, const char* section, std::string_view name, const Value& value,
                   size_t longest_name);

}  // namespace causeway::config
