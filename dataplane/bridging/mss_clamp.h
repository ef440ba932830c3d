// Lowers the maximum segment size that TCP announces across an interface (`mss-clamp`), for those who never hear ICMP.
// Both ways: what is announced through the interface is what comes back through it.
#pragma once

#include <rte_mbuf.h>

#include "dataplane/flow/adjacency.h"

namespace causeway {

// The lower of what two places allow; 0: no limit.
inline MssLimit lower_of(const MssLimit& a, const MssLimit& b) noexcept {
  const auto lower = [](uint16_t x, uint16_t y) { return x == 0 || (y != 0 && y < x) ? y : x; };
  return {lower(a.ipv4, b.ipv4), lower(a.ipv6, b.ipv6)};
}

// Lowers the MSS option of a SYN (RFC 9293 section 3.7.1); anything else stays as it is. A VLAN tag counts, too. The
// first bytes of the frame are the caller's to write.
void clamp_mss(rte_mbuf* m, const MssLimit& limit) noexcept;

}  // namespace causeway
