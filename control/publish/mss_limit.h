// From `mss-clamp` and an MTU to what SYNs may announce.
#pragma once

#include <algorithm>

#include "control/config/config.h"
#include "dataplane/flow/adjacency.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/tcp.h"

namespace causeway {

// `mtu`: bytes of IP packet. RFC 9293 section 3.7.1: the MSS counts neither IP's nor TCP's headers, without options.
inline MssLimit mss_limit(const config::MssClamp& clamp, uint32_t mtu) {
  const auto behind = [mtu](size_t ip_bytes) {
    const auto headers = static_cast<uint32_t>(ip_bytes + sizeof(TcpHeader));
    return static_cast<uint16_t>(std::min(mtu > headers ? mtu - headers : 0, 0xffffU));
  };
  switch (clamp.mode) {
    case config::MssClamp::Mode::off:
      break;
    case config::MssClamp::Mode::automatic:
      return {behind(sizeof(Ipv4Header)), behind(sizeof(Ipv6Header))};
    case config::MssClamp::Mode::fixed:
      return {clamp.bytes, clamp.bytes};
  }
  return {};
}

}  // namespace causeway
