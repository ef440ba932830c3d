// Where the headers of a super-packet stand: what is to be changed in every segment cut from it.
//
// Behind the outer headers that encap has written there may be tunnels of the sender's own, of any depth: IP in IP,
// SRv6, GRE, UDP, MPLS, L2TP. Their formats are followed as far as they say what comes next. Where they don't (UDP's
// payload, cookies of L2TPv3, MPLS labels) the next IP header is looked for: its length must come out at the frame's
// end, and the way on from it at the Intent's L4 header. Only IP, UDP and GRE have something to change, so what else
// is in between is copied.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/frame/intent.h"

namespace causeway {

// A frame's first bytes, copied or in place, read within their bounds.
struct HeaderBytes {
  const uint8_t* bytes;
  uint32_t count;

  template <class Header>
  const Header* at(uint32_t offset) const noexcept {
    static_assert(alignof(Header) == 1);
    return offset + sizeof(Header) <= count ? reinterpret_cast<const Header*>(bytes + offset) : nullptr;
  }
};

struct NetworkHeader {
  uint32_t l3 = 0;
  uint32_t l4 = 0;  // behind options or extension headers; 0: not IP, or cut off
  uint8_t protocol = 0;
  bool is_v4 = false;
};

// The IP header behind the Ethernet header at `offset`, VLAN tags skipped.
NetworkHeader find_ip(HeaderBytes headers, uint32_t offset) noexcept;

// An IP header with another one somewhere behind it. Offsets are bytes from the frame's start.
struct TunnelLayout {
  enum class L4 : uint8_t { none, udp, gre };
  uint16_t l3 = 0;
  uint16_t l4 = 0;
  bool is_v4 = false;
  L4 kind = L4::none;
};

inline constexpr uint8_t kMaxTunnels = 6;

struct SegmentLayout {
  std::array<TunnelLayout, kMaxTunnels> tunnels{};  // outermost first
  uint8_t tunnel_count = 0;
  bool first_is_encaps = false;  // tunnels[0] is what encap has written
  uint16_t inner_l3 = 0;
  uint16_t l4 = 0;
  uint16_t header_bytes = 0;  // everything in front of the payload
  bool inner_is_v4 = false;
  bool is_tcp = false;
};

// The tunnel that encap has put around the frame, if there is one. False: its headers aren't there.
bool find_outer(HeaderBytes headers, const Intent& intent, SegmentLayout& layout) noexcept;

// All behind it. False: the headers contradict the Intent or `frame_bytes`, or are of a kind that nobody here knows.
bool find_inner(HeaderBytes headers, const Intent& intent, uint32_t frame_bytes, SegmentLayout& layout) noexcept;

}  // namespace causeway
