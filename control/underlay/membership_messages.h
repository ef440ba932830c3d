// What a host says and hears about its groups: IGMPv2, IGMPv3, MLD and MLDv2 as whole frames.
#pragma once

#include <rte_mbuf.h>

#include <chrono>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/wire/igmp.h"

namespace causeway {

struct MembershipQuery {
  bool ipv6 = false;
  bool old = false;                // IGMPv2 or MLD version 1
  std::optional<IpAddress> group;  // none: of all groups
  std::chrono::milliseconds max_response{};
  IpAddress querier;
};

// Of a frame from an underlay port, whatever it holds. None: it is no query, or not a sound one.
std::optional<MembershipQuery> read_membership_query(const rte_mbuf* frame);

struct MembershipRecord {
  uint8_t type;  // kRecord...
  IpAddress group;
};

// Who speaks: `address` is of the groups' IP version, for IPv6 a link-local one (RFC 3810 section 5.2.13).
struct MembershipSender {
  MacAddress mac;
  IpAddress address;
};

// Reports of the newer versions take as many records as fit 1,280 bytes.
inline constexpr size_t kMembershipRecords = 60;

// Writes an IGMPv3 or MLDv2 report into an empty frame; `records` are 1 to kMembershipRecords of one IP version.
void write_membership_report(rte_mbuf* frame, const MembershipSender& sender,
                             std::span<const MembershipRecord> records);
// The same for one record as IGMPv2 or MLD version 1 say it: a report, or that a group is left.
void write_old_membership_report(rte_mbuf* frame, const MembershipSender& sender, const MembershipRecord& record);

}  // namespace causeway
