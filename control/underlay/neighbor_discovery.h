// Neighbor discovery (RFC 4861) as frames: reads what came in, writes what goes out. Who knows whom is the business
// of control/underlay/neighbors.
#pragma once

#include <rte_mbuf.h>

#include <optional>

#include "dataplane/wire/address.h"

namespace causeway {

struct Host {
  MacAddress mac;
  IpAddress address;
};

// A solicitation or an advertisement.
struct NeighborMessage {
  bool solicitation = false;
  bool solicited = false;  // flags of an advertisement
  bool override_mac = false;
  MacAddress frame_source;  // of the Ethernet header
  IpAddress source;         // unspecified: somebody looks whether its address is taken (RFC 4862)
  IpAddress target;
  std::optional<MacAddress> link_address;  // the source's of a solicitation, the target's of an advertisement
};

// Nothing: no such message, or one that a host must not believe (RFC 4861 sections 7.1.1 and 7.1.2). The frame is an
// IPv6 packet whose length has been checked.
std::optional<NeighborMessage> read_neighbor_message(const rte_mbuf* frame);

// The group that solicitations for an address go to: ff02::1:ffXX:XXXX, RFC 4291 section 2.7.1.
IpAddress solicited_node(const IpAddress& address);

// Both fill an empty frame. `to` zero: the solicitation goes to the target's group, else to that MAC alone.
void write_solicitation(rte_mbuf* frame, const MacAddress& own_mac, const IpAddress& source, const IpAddress& target,
                        const MacAddress& to);
// `to` nothing: unsolicited, to all nodes.
void write_advertisement(rte_mbuf* frame, const Host& own, const std::optional<Host>& to);

// Whether the checksum of the ICMPv6 packet in an IPv6 frame is right.
bool icmpv6_checksum_valid(const rte_mbuf* frame);

}  // namespace causeway
