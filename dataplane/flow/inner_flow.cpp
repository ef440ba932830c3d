#include "dataplane/flow/inner_flow.h"

#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/ipv6.h"

namespace causeway {
namespace {

// Ports of TCP, UDP and SCTP stand in the first 4 bytes.
uint32_t l4_ports(const rte_mbuf* m, uint32_t offset, uint8_t protocol) noexcept {
  constexpr uint8_t kIpProtocolSctp = 132;
  if (protocol != kIpProtocolTcp && protocol != kIpProtocolUdp && protocol != kIpProtocolSctp) return 0;
  const auto* ports = header_at<be32>(m, offset);
  return ports != nullptr ? ports->raw() : 0;
}

}  // namespace

InnerFlow inner_flow_of_any(const rte_mbuf* m, uint32_t ethernet_offset) noexcept {
  const auto [ethertype, offset] = behind_tags(m, ethernet_offset);
  if (ethertype == kEtherTypeIpv4) [[likely]] {
    if (const auto* ip = header_at<Ipv4Header>(m, offset)) {
      // All fragments of a datagram go the same way, so none of them counts its ports.
      const uint32_t ports = ip->is_fragment() ? 0 : l4_ports(m, offset + ip->header_bytes(), ip->protocol);
      return {entropy_of_ipv4(*ip, ports), ip->tos};
    }
  } else if (ethertype == kEtherTypeIpv6) {
    if (const auto* ip = header_at<Ipv6Header>(m, offset)) {
      const uint32_t ports = l4_ports(m, offset + static_cast<uint32_t>(sizeof(Ipv6Header)), ip->next_header);
      const uint64_t source = hash_words(word_at<uint64_t>(&ip->source[0]), word_at<uint64_t>(&ip->source[8]), 0);
      const uint64_t destination =
          hash_words(word_at<uint64_t>(&ip->destination[0]), word_at<uint64_t>(&ip->destination[8]), 0);
      const uint64_t hash = hash_words(source + destination * 3, uint64_t{ports} << 8 | ip->next_header, 0);
      return {static_cast<uint32_t>(hash), ip->traffic_class()};
    }
  }
  const auto* bytes = rte_pktmbuf_mtod_offset(m, const uint8_t*, ethernet_offset);
  const uint64_t hash = hash_words(word_at<uint64_t>(bytes) & kMacMask, word_at<uint64_t>(bytes + 6) & kMacMask, 0);
  return {static_cast<uint32_t>(hash), 0};
}

}  // namespace causeway
