// Frame -> flow key and offsets. A bridge port's frame gives its key at once; an underlay port's frame is
// read from the outer Ethernet header to the inner one in one pass.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "dataplane/batch.h"
#include "dataplane/context.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/vlan.h"
#include "dataplane/wire/word_at.h"

namespace causeway {

inline constexpr uint16_t kEthernetBytes = 14;

// VLAN ID of the outermost tag of a frame with at least 14 bytes in its first segment; 0 without a tag.
inline uint16_t outer_vlan(const rte_mbuf* m, uint32_t ethernet_offset) noexcept {
  const auto* ethernet = rte_pktmbuf_mtod_offset(m, const EthernetHeader*, ethernet_offset);
  if (!is_vlan_ethertype(ethernet->ethertype.get())) [[likely]] {
    return 0;
  }
  const auto* tag = header_at<VlanHeader>(m, ethernet_offset + kEthernetBytes);
  return tag != nullptr ? tag->id() : 0;
}

// What stands behind the Ethernet header and up to two VLAN tags (IEEE 802.1ad); the same terms.
struct EthernetPayload {
  uint16_t ethertype;
  uint32_t offset;
};
inline EthernetPayload behind_tags(const rte_mbuf* m) noexcept {
  EthernetPayload payload{rte_pktmbuf_mtod(m, const EthernetHeader*)->ethertype.get(), kEthernetBytes};
  for (int tags = 0; tags < 2 && is_vlan_ethertype(payload.ethertype); ++tags) {
    const auto* tag = header_at<VlanHeader>(m, payload.offset);
    if (tag == nullptr) break;
    payload = {tag->ethertype.get(), payload.offset + static_cast<uint32_t>(sizeof(VlanHeader))};
  }
  return payload;
}

// Bridge port: fills key and in; too short frames die.
void parse_bridge_port(WorkerContext& w, const Adjacency& in, Batch& batch) noexcept;

// What an underlay frame turned out to be.
struct OuterFrame {
  enum class Verdict : uint8_t { tunnel, control, dead };
  TunnelKey key;                         // of the tunnel it belongs to
  DropReason reason = DropReason::none;  // with Verdict::dead
  uint8_t ecn = 0;                       // of the outer IP header
  bool zero_checksum = false;            // IPv6 and UDP checksum 0
  bool plain_gre = true;                 // neither checksum nor sequence number
  bool critical = false;                 // GENEVE: the header says that there are critical options
  uint16_t options_offset = 0;           // of GENEVE's options, which go up to the inner frame; 0: none
  uint16_t ip_offset = 0;
  uint16_t inner_offset = 0;  // of the inner Ethernet header
  uint32_t end = 0;           // bytes from the frame's start to the inner frame's end
};

// An address that frames to this host may carry on an underlay port.
inline bool is_ours(const PortEntry& port, const IpAddress& address) noexcept {
  return std::ranges::any_of(port.addresses, [&](const IpAddress& own) { return own == address; });
}

// Reads and checks the outer headers (design table "On the wire"). Changes nothing.
OuterFrame::Verdict parse_outer(const WorkerContext& w, const PortEntry& port, const rte_mbuf* m,
                                OuterFrame& outer) noexcept;

// What encap wants to know of an inner frame: entropy over the flow (RFC 7348 section 5, RFC 8926 section
// 3.3) and the IP header's DSCP and ECN (0 for anything but IP).
struct InnerFlow {
  uint32_t entropy = 0;
  uint8_t tos = 0;
};
// Any frame with an Ethernet header in its first segment.
InnerFlow inner_flow_of_any(const rte_mbuf* m) noexcept;

inline uint32_t entropy_of_ipv4(const Ipv4Header& ip, uint32_t ports) noexcept {
  return static_cast<uint32_t>(hash_words(word_at<uint64_t>(&ip.source), uint64_t{ports} << 8 | ip.protocol, 0));
}

inline InnerFlow inner_flow(const rte_mbuf* m) noexcept {
  struct UntaggedIpv4 {
    EthernetHeader ethernet;
    Ipv4Header ip;
    be32 ports;
  };
  const auto* frame = header_at<UntaggedIpv4>(m, 0);
  if (frame == nullptr) [[unlikely]] {
    return inner_flow_of_any(m);
  }
  // Four questions in two words: EtherType, version and IHL, tos; fragment (but DF), ttl, protocol.
  const uint32_t type = word_at<uint32_t>(&frame->ethernet.ethertype);
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
