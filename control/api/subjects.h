// What `show` can show: the one list of it. causewayctl offers these; control/view/tables.h has a table for each, and
// doesn't compile without.
#pragma once

#include <string_view>

namespace causeway {

struct ShowSubject {
  std::string_view name;
  std::string_view rows;  // what its rows are called: "no fdb entries"
};

// In the order of the help text.
inline constexpr ShowSubject kShowSubjects[] = {
    {"ports", "ports"},     {"bridges", "bridges"},   {"tunnels", "tunnels"},     {"fdb", "fdb entries"},
    {"routes", "routes"},   {"hosts", "hosts"},       {"neighbors", "neighbors"}, {"flows", "flows"},
    {"workers", "workers"}, {"offloads", "offloads"}, {"multicast", "multicast"}, {"mirrors", "mirrors"},
    {"evpn", "VNIs"},       {"control", "control"},
};

}  // namespace causeway
