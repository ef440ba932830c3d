// The tables of `show`, each in a file of its own: SUBJECT_view.cpp. A new one has its function and its row here, and
// its subject in control/api/subjects.h.
#pragma once

#include <algorithm>
#include <string_view>

#include "control/api/subjects.h"
#include "control/view/rows.h"

namespace causeway {

Table ports_table();
Table bridges_table();
Table tunnels_table();
Table fdb_table();
Table routes_table();
Table hosts_table();
Table neighbors_table();
Table flows_table();
Table workers_table();
Table offloads_table();
Table multicast_table();
Table mirrors_table();
Table evpn_table();
Table control_table();

// The largest flows, as Elephants::watch counts them. No subject: `show flows` with `largest`.
Table largest_flows_table();

struct NamedTable {
  std::string_view subject;
  Table (*make)();
};
inline constexpr NamedTable kTables[] = {
    {"ports", ports_table},         {"bridges", bridges_table},
    {"tunnels", tunnels_table},     {"fdb", fdb_table},
    {"routes", routes_table},       {"hosts", hosts_table},
    {"neighbors", neighbors_table}, {"flows", flows_table},
    {"workers", workers_table},     {"offloads", offloads_table},
    {"multicast", multicast_table}, {"mirrors", mirrors_table},
    {"evpn", evpn_table},           {"control", control_table},
};
// What causewayctl offers is what there is.
static_assert(std::ranges::equal(kTables, kShowSubjects, {}, &NamedTable::subject, &ShowSubject::name));

}  // namespace causeway
