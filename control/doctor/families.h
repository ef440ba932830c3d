// The findings by family, a file each. Each adds what it finds in what the control thread knows; none changes anything.
#pragma once

#include "control/doctor/finding.h"
#include "control/doctor/recent_counts.h"
#include "control/doctor/recent_drops.h"
#include "control/gateway/gateway.h"

namespace causeway {

// By the last frames that died (control/gateway/last_drops.h): who isn't understood, or not let in.
void examine_drops(const Gateway& gateway, const RecentDrops& drops, Findings& findings);
// Tunnels without a way, refused and silent ones.
void examine_tunnels(const Gateway& gateway, const RecentDrops& drops, Findings& findings);
// Devices that are missing or down, what they misreport, and who does all the work.
void examine_ports(const Gateway& gateway, const RecentCounts& counts, Findings& findings);
// What is too big for whom.
void examine_mtus(const Gateway& gateway, const RecentDrops& drops, Findings& findings);
// MACs and addresses that two have.
void examine_addresses(const Gateway& gateway, const RecentDrops& drops, Findings& findings);
// VLANs of interfaces that no other in their bridge carries.
void examine_vlans(const Gateway& gateway, Findings& findings);
// What is nearly full, or full and asked for more.
void examine_limits(const Gateway& gateway, const RecentCounts& counts, Findings& findings);

}  // namespace causeway
