// The topology for Graphviz: https://graphviz.org/doc/info/lang.html.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace causeway {

// Of the rows of `show` ports, bridges and tunnels. A node for each of these and for each VTEP, "port veth1" for one;
// an edge from a bridge to its interfaces, from a tunnel to its VTEPs, from these to the underlay ports that lead there
// (dashed), and from a VLAN to its link (dotted). What isn't up is red.
std::string topology_dot(const nlohmann::json& ports, const nlohmann::json& bridges, const nlohmann::json& tunnels);

}  // namespace causeway
