#include "control/gateway/packet_too_big.h"

#include <algorithm>
#include <cstring>

#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"

namespace causeway {
namespace {

// The largest IP packet that fits behind `l3_offset` bytes of a frame of this VLAN. A port's MTU leaves out one VLAN
// tag whether there is one or not.
uint32_t mtu_behind(const Adjacency& to, uint16_t vlan, uint32_t l3_offset) {
  const uint32_t leaves = l3_offset - (to.vlan.untags(vlan) ? kVlanTagBytes : 0);
  const uint32_t header = to.kind == TunnelType::none ? std::max(leaves, kPortHeaderBytes) : leaves;
  return to.max_frame_bytes > header ? to.max_frame_bytes - header : 0;
}

bool is_icmp_error(uint8_t type) { return type == 3 || type == 4 || type == 5 || type == 11 || type == 12; }

bool is_host(const IpAddress& ip) {
  if (ip.is_multicast() || ip.is_unspecified()) return false;
  if (ip.is_v6()) return ip != IpAddress{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  return ip.bytes[12] != 0 && ip.bytes[12] != 127 && ip != IpAddress::v4(255, 255, 255, 255);
}

// Ethernet header and tags, addresses swapped.
void write_ethernet(rte_mbuf* answer, const rte_mbuf* frame, uint32_t bytes) {
  auto* head = reinterpret_cast<EthernetHeader*>(rte_pktmbuf_append(answer, static_cast<uint16_t>(bytes)));
  std::memcpy(head, rte_pktmbuf_mtod(frame, const void*), bytes);
  std::swap(head->destination, head->source);
}

// Appends the packet's start, wherever in the chain it is.
void quote(rte_mbuf* answer, const rte_mbuf* frame, uint32_t offset, uint32_t at_most) {
  const auto bytes = static_cast<uint16_t>(std::min(rte_pktmbuf_pkt_len(frame) - offset, at_most));
  char* const to = rte_pktmbuf_append(answer, bytes);
  const void* const from = rte_pktmbuf_read(frame, offset, bytes, to);
  if (from != to) std::memcpy(to, from, bytes);
}

bool answer_v4(rte_mbuf* answer, const rte_mbuf* frame, uint32_t l3_offset, uint32_t mtu) {
  const auto* ip = header_at<Ipv4Header>(frame, l3_offset);
  if (ip == nullptr || ip->version() != 4 || ip->header_bytes() < sizeof(Ipv4Header) || mtu < kIpv4SmallestMtu ||
      ip->fragment.get() != kIpv4DontFragment || !is_host(ip->source_address()) ||
      !is_host(ip->destination_address())) {
    return false;
  }
  if (ip->protocol == kIpProtocolIcmp) {
    const auto* icmp = header_at<IcmpHeader>(frame, l3_offset + ip->header_bytes());
    if (icmp == nullptr || is_icmp_error(icmp->type)) return false;
  }
  struct Headers {
    Ipv4Header ip;
    IcmpUnreachable icmp;
  };
  write_ethernet(answer, frame, l3_offset);
  auto* headers = reinterpret_cast<Headers*>(rte_pktmbuf_append(answer, sizeof(Headers)));
  // The answer itself is no longer than that: RFC 1812 section 4.3.2.3.
  quote(answer, frame, l3_offset, kIpv4SmallestMtu - sizeof(Headers));
  headers->icmp = {{kIcmpUnreachable, kIcmpCodeFragmentationNeeded, {}}, {}, be16(static_cast<uint16_t>(mtu))};
  const uint32_t ip_bytes = rte_pktmbuf_pkt_len(answer) - l3_offset;
  headers->icmp.icmp.checksum = checksum_of(sum_bytes(&headers->icmp, ip_bytes - sizeof(Ipv4Header)));
  headers->ip = {};
  headers->ip.version_ihl = Ipv4Header::kVersionIhl;
  headers->ip.total_bytes.set(static_cast<uint16_t>(ip_bytes));
  headers->ip.fragment.set(kIpv4DontFragment);
  headers->ip.ttl = ip->ttl;
  headers->ip.protocol = kIpProtocolIcmp;
  headers->ip.source = ip->destination;
  headers->ip.destination = ip->source;
  headers->ip.checksum = ipv4_checksum(headers->ip);
  return true;
}

bool answer_v6(rte_mbuf* answer, const rte_mbuf* frame, uint32_t l3_offset, uint32_t mtu) {
  const auto* ip = header_at<Ipv6Header>(frame, l3_offset);
  if (ip == nullptr || ip->version() != 6 || mtu < kIpv6SmallestMtu || !is_host(ip->source_address()) ||
      !is_host(ip->destination_address())) {
    return false;
  }
  if (ip->next_header == kIpProtocolIcmpv6) {
    constexpr uint8_t kFirstInformational = 128;  // RFC 4443 section 2.1
    constexpr uint8_t kRedirect = 137;            // RFC 4861 section 4.5
    const auto* icmp = header_at<IcmpHeader>(frame, l3_offset + static_cast<uint32_t>(sizeof(Ipv6Header)));
    if (icmp == nullptr || icmp->type < kFirstInformational || icmp->type == kRedirect) return false;
  }
  struct Headers {
    Ipv6Header ip;
    Icmpv6PacketTooBig icmp;
  };
  write_ethernet(answer, frame, l3_offset);
  auto* headers = reinterpret_cast<Headers*>(rte_pktmbuf_append(answer, sizeof(Headers)));
  // RFC 4443 section 2.4 (c): no longer than that.
  quote(answer, frame, l3_offset, kIpv6SmallestMtu - sizeof(Headers));
  const auto icmp_bytes =
      static_cast<uint16_t>(rte_pktmbuf_pkt_len(answer) - l3_offset - static_cast<uint32_t>(sizeof(Ipv6Header)));
  headers->ip = {};
  headers->ip.version_class_flow = Ipv6Header::version_class_flow_of(0, 0);
  headers->ip.payload_bytes.set(icmp_bytes);
  headers->ip.next_header = kIpProtocolIcmpv6;
  headers->ip.hop_limit = ip->hop_limit;
  headers->ip.source = ip->destination;
  headers->ip.destination = ip->source;
  headers->icmp = {{kIcmpv6PacketTooBig, 0, {}}, be32(mtu)};
  const uint32_t pseudo_sum = pseudo_header_sum(headers->ip, kIpProtocolIcmpv6, icmp_bytes);
  headers->icmp.icmp.checksum = checksum_of(sum_bytes(&headers->icmp, icmp_bytes, pseudo_sum));
  return true;
}

}  // namespace

bool write_packet_too_big(rte_mbuf* answer, const rte_mbuf* frame, const Adjacency& to) {
  const auto* ethernet = header_at<EthernetHeader>(frame, 0);
  if (ethernet == nullptr || ethernet->destination.is_multicast() || ethernet->source.is_multicast()) return false;
  const auto [ethertype, l3_offset] = behind_tags(frame);
  const uint32_t mtu = mtu_behind(to, outer_vlan(frame, 0), l3_offset);
  if (ethertype == kEtherTypeIpv4) return answer_v4(answer, frame, l3_offset, std::min(mtu, 0xffffU));
  return ethertype == kEtherTypeIpv6 && answer_v6(answer, frame, l3_offset, mtu);
}

}  // namespace causeway
