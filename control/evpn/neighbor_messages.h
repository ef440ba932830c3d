// Entries of the kernel's neighbor tables and FDBs as rtnetlink(7) tells and takes them: RTM_NEWNEIGH, RTM_DELNEIGH and
// RTM_GETNEIGH (linux/neighbour.h). Pure: nothing is sent or received here.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/wire/address.h"
#include "pmd/kernel/netlink.h"

namespace causeway {

struct NeighborEntry {
  bool gone = false;    // RTM_DELNEIGH
  uint8_t family = 0;   // AF_BRIDGE: of a FDB; AF_INET, AF_INET6: of ARP and ND
  uint8_t flags = 0;    // NTF_*
  uint16_t state = 0;   // NUD_*
  int interface = 0;    // its index
  MacAddress mac{};     // zero in a vxlan device's FDB: where floods go
  IpAddress to{};       // of a vxlan device's FDB the VTEP, of ARP and ND the neighbor; unspecified: there is none
  uint32_t age_cs = 0;  // hundredths of a second (USER_HZ) since it was last written; only read
};

// Null: it is no message of these, or one cut short.
std::optional<NeighborEntry> read_neighbor(const nlmsghdr* message);

// A request that makes the entry, replaces the one that is there, or (`gone`) takes it away. The kernel answers only
// where it refuses.
nlmsghdr* put_neighbor(NetlinkRequest& room, const NeighborEntry& entry);

// A request for all entries of a family.
nlmsghdr* put_neighbor_dump(NetlinkRequest& room, uint8_t family);

}  // namespace causeway
