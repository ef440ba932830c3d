#include "pmd/ethdev/ethdev_receive.h"

#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include <algorithm>

#include "dataplane/frame/intent.h"
#include "pmd/kernel/vnet_header.h"
#include "pmd/plain_headers.h"

namespace causeway {
namespace {

constexpr uint8_t kTcpChecksumOffset = 16;
constexpr uint8_t kUdpChecksumOffset = 6;

// Of a frame that no tunnel's headers are in front of: devices merge plain TCP, and look into nothing.
struct PlainFrame {
  uint8_t protocol = 0;  // 0: no IP, a fragment, or IPv6 with extension headers
  bool v4 = false;
  uint16_t l3 = 0;
  uint16_t l4 = 0;
  uint32_t end = 0;  // of the IP packet
};

PlainFrame read_plain(const rte_mbuf* frame) noexcept {
  const PlainHeaders headers = plain_headers(frame);
  PlainFrame plain;
  plain.l3 = headers.l2_bytes;
  if (headers.ip_version == 4 && frame->data_len >= plain.l3 + sizeof(rte_ipv4_hdr)) {
    const auto* ip = rte_pktmbuf_mtod_offset(frame, const rte_ipv4_hdr*, plain.l3);
    if (rte_ipv4_hdr_len(ip) < sizeof(rte_ipv4_hdr)) return {};
    const bool fragment = (rte_be_to_cpu_16(ip->fragment_offset) & 0x3fff) != 0;
    plain.v4 = true;
    plain.l4 = static_cast<uint16_t>(plain.l3 + rte_ipv4_hdr_len(ip));
    plain.end = uint32_t{plain.l3} + rte_be_to_cpu_16(ip->total_length);
    plain.protocol = fragment ? uint8_t{0} : ip->next_proto_id;
  } else if (headers.ip_version == 6 && frame->data_len >= plain.l3 + sizeof(rte_ipv6_hdr)) {
    const auto* ip = rte_pktmbuf_mtod_offset(frame, const rte_ipv6_hdr*, plain.l3);
    plain.l4 = static_cast<uint16_t>(plain.l3 + sizeof(rte_ipv6_hdr));
    plain.end = uint32_t{plain.l4} + rte_be_to_cpu_16(ip->payload_len);
    const bool known = ip->proto == IPPROTO_TCP || ip->proto == IPPROTO_UDP;
    plain.protocol = known ? ip->proto : uint8_t{0};
  }
  return plain;
}

// Payload bytes a segment; 0: the device doesn't say. To be read before an Intent stands in its place.
uint32_t said_segment_bytes(const rte_mbuf* frame, uint32_t payload_bytes, LroSays says) noexcept {
  const auto said = static_cast<uint32_t>(frame->tso_segsz);
  if ((frame->ol_flags & RTE_MBUF_F_RX_LRO) == 0 || said == 0 || said > frame->pkt_len) return 0;
  if (says != LroSays::mean) return says == LroSays::length ? said : 0;
  const uint32_t segments = frame->pkt_len / said;
  return (payload_bytes + segments - 1) / segments;
}

bool take_merged(rte_mbuf* frame, const PlainFrame& plain, uint16_t mtu, LroSays says) noexcept {
  const uint64_t flags = frame->ol_flags;
  if ((flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD) return false;
  if ((flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_BAD) return false;
  if (plain.end != frame->pkt_len || plain.l4 + sizeof(rte_tcp_hdr) > frame->data_len) return false;
  const auto* tcp = rte_pktmbuf_mtod_offset(frame, const rte_tcp_hdr*, plain.l4);
  const uint32_t header_bytes = static_cast<uint32_t>(plain.l4 - plain.l3) + (tcp->data_off >> 4) * 4U;
  if (header_bytes >= mtu) return false;
  if (plain.l3 + header_bytes > plain.end) return false;
  const uint32_t most = mtu - header_bytes;
  const uint32_t said = said_segment_bytes(frame, plain.end - plain.l3 - header_bytes, says);
  VnetHeader header;
  header.gso_size = static_cast<uint16_t>(said == 0 ? most : std::min(said, most));
  header.gso_type = plain.v4 ? kVnetGsoTcp4 : kVnetGsoTcp6;
  if ((tcp->tcp_flags & RTE_TCP_CWR_FLAG) != 0) header.gso_type |= kVnetGsoEcn;
  if (!apply_vnet_header(header, 0, frame)) return false;
  if (plain.v4) {  // not every device has done so for the merged length
    auto* ip = rte_pktmbuf_mtod_offset(frame, rte_ipv4_hdr*, plain.l3);
    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
  }
  return true;
}

// False: it must be dropped.
bool take_work(rte_mbuf* frame, uint16_t mtu, LroSays says) noexcept {
  const bool said = (frame->ol_flags & RTE_MBUF_F_RX_LRO) != 0;
  // rte_mbuf_core.h: the checksum in the frame is wrong, but its data are right.
  const bool unfinished = (frame->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;
  if (!said && !unfinished && frame->pkt_len <= RTE_ETHER_HDR_LEN + uint32_t{mtu}) return true;
  const PlainFrame plain = read_plain(frame);
  // Some devices merge and don't say so (ixgbe).
  const bool merged = said || (plain.protocol == IPPROTO_TCP && plain.end > uint32_t{plain.l3} + mtu);
  if (merged) return plain.protocol == IPPROTO_TCP && take_merged(frame, plain, mtu, says);
  if (!unfinished) return true;
  if (plain.protocol != IPPROTO_TCP && plain.protocol != IPPROTO_UDP) return false;
  Intent intent;
  intent.csum_offset = plain.protocol == IPPROTO_TCP ? kTcpChecksumOffset : kUdpChecksumOffset;
  intent.csum_start = start_checksum(frame, intent.csum_offset);
  if (intent.csum_start == 0) return false;
  set_intent(frame, intent, kNeedsChecksum);
  return true;
}

}  // namespace

uint16_t take_rx_work(rte_mbuf** frames, uint16_t count, uint16_t mtu, LroSays says) noexcept {
  uint16_t kept = 0;
  for (uint16_t i = 0; i < count; ++i) {
    if (take_work(frames[i], mtu, says)) {
      frames[kept++] = frames[i];
    } else {
      rte_pktmbuf_free(frames[i]);
    }
  }
  return kept;
}

}  // namespace causeway
