// Lowers the maximum segment size that TCP announces across an interface (`mss-clamp`), for those who never hear ICMP.
// Both ways: what is announced through the interface is what comes back through it.
#pragma once

#include <rte_mbuf.h>

#include <cstddef>

#include "dataplane/flow/adjacency.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/tcp.h"

namespace causeway {

// Most frames of most flows, by a look at five bytes: IPv4 without options, and no SYN. False says nothing.
inline bool has_no_mss(const rte_mbuf* m) noexcept {
  constexpr uint32_t kTcpFlags = kEthernetBytes + sizeof(Ipv4Header) + offsetof(TcpHeader, flags);
  if (m->data_len <= kTcpFlags) return false;
  const auto* frame = rte_pktmbuf_mtod(m, const uint8_t*);
  const bool ipv4 = frame[12] == 0x08 && frame[13] == 0x00 && frame[14] == Ipv4Header::kVersionIhl;
  const bool tcp = frame[kEthernetBytes + offsetof(Ipv4Header, protocol)] == kIpProtocolTcp;
  return ipv4 && (!tcp || (frame[kTcpFlags] & kTcpSyn) == 0);
}

// The lower of what two places allow; 0: no limit.
inline MssLimit lower_of(const MssLimit& a, const MssLimit& b) noexcept {
  const auto lower = [](uint16_t x, uint16_t y) { return x == 0 || (y != 0 && y < x) ? y : x; };
  return {lower(a.ipv4, b.ipv4), lower(a.ipv6, b.ipv6)};
}

// Lowers the MSS option of a SYN (RFC 9293 section 3.7.1); anything else stays as it is. A VLAN tag counts, too. The
// first bytes of the frame are the caller's to write.
void clamp_mss(rte_mbuf* m, const MssLimit& limit) noexcept;

}  // namespace causeway
