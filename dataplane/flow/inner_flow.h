// The flow of a frame that goes into a tunnel.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "dataplane/flow/key.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/vlan.h"
#include "dataplane/wire/word_at.h"

namespace causeway {

// What encap wants to know of an inner frame: entropy over the flow (RFC 7348 section 5, RFC 8926 section
// 3.3) and the IP header's DSCP and ECN (0 for anything but IP).
struct InnerFlow {
  uint32_t entropy = 0;
  uint8_t tos = 0;
};
// Any frame with an Ethernet header at `ethernet_offset`, in its first segment.
InnerFlow inner_flow_of_any(const rte_mbuf* m, uint32_t ethernet_offset = 0) noexcept;

inline uint32_t entropy_of_ipv4(const Ipv4Header& ip, uint32_t ports) noexcept {
  return static_cast<uint32_t>(hash_words(word_at<uint64_t>(&ip.source), uint64_t{ports} << 8 | ip.protocol, 0));
}

// `kTagBytes`: of VLAN tags that the frame may have; it is as right with others, but slower.
template <uint32_t kTagBytes = 0>
inline InnerFlow inner_flow(const rte_mbuf* m) noexcept {
  struct Ipv4Frame {
    std::array<uint8_t, sizeof(EthernetHeader) - sizeof(be16) + kTagBytes> before;
    be16 ethertype;
    Ipv4Header ip;
    be32 ports;
  };
  const auto* frame = header_at<Ipv4Frame>(m, 0);
  if (frame == nullptr) [[unlikely]] {
    return inner_flow_of_any(m);
  }
  if constexpr (kTagBytes != 0) {
    static_assert(kTagBytes == sizeof(VlanHeader));
    const uint16_t first = word_at<uint16_t>(frame->before.data() + 2 * sizeof(MacAddress));
    if (first != be16(kEtherTypeVlan).raw()) return inner_flow_of_any(m);
  }
  // Four questions in two words: EtherType, version and IHL, tos; fragment (but DF), ttl, protocol.
  const uint32_t type = word_at<uint32_t>(&frame->ethertype);
  const uint32_t protocol =
      word_at<uint32_t>(&frame->ip.fragment) & word_at<uint32_t>(std::array<uint8_t, 4>{0x3f, 0xff, 0, 0xff}.data());
  const bool usual = (type & 0x00ff'ffff) == (kEtherTypeIpv4 >> 8 | Ipv4Header::kVersionIhl << 16) &&
                     (protocol == kIpProtocolUdp << 24 || protocol == kIpProtocolTcp << 24);
  if (!usual) [[unlikely]] {
    return inner_flow_of_any(m);
  }
  return {entropy_of_ipv4(frame->ip, frame->ports.raw()), static_cast<uint8_t>(type >> 24)};
}

}  // namespace causeway
