// What hosts ask and say of addresses in a bridge: ARP (RFC 826), neighbor discovery (RFC 4861), and what DHCP servers
// give them (RFC 2131). Reads what hosts would believe; anything else is nobody's question and nobody's word.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <optional>

#include "dataplane/flow/host_table.h"
#include "dataplane/wire/address.h"

namespace causeway {

// Who has `target`? To all, or to the group of its solicited node.
struct HostQuestion {
  MacAddress asker;
  IpAddress source;  // unspecified: somebody looks whether the address is taken (RFC 5227, RFC 4862)
  IpAddress target;
  uint32_t offset = 0;  // of the ARP packet, or of the IPv6 header
};
// Nothing of announcements (RFC 5227 section 3), of frames in several buffers, of those with two tags, and of
// solicitations with options that a proxy doesn't know (RFC 9161 section 3.3).
std::optional<HostQuestion> question_in(const rte_mbuf* frame) noexcept;

// Whether somebody asks for the IPv6 address `target`, by whatever way.
bool solicits(const rte_mbuf* frame, const IpAddress& target) noexcept;

// The frame becomes the answer to the question in it. False: there is no room for it, and the frame is as it was.
bool write_answer(rte_mbuf* frame, const HostQuestion& question, const KnownHost& host) noexcept;

// `ip` is at `mac`.
struct HostClaim {
  IpAddress ip;
  MacAddress mac;
  uint32_t nd_flags = 0;   // of an advertisement: kNdAdvertisementRouter, kNdAdvertisementOverride
  bool by_server = false;  // a DHCP server gives it; else the host's own word, from its own MAC
};
std::optional<HostClaim> claim_in(const rte_mbuf* frame) noexcept;

}  // namespace causeway
