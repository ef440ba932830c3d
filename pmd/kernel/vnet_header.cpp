#include "pmd/kernel/vnet_header.h"

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "dataplane/gso/segment_layout.h"
#include "pmd/kernel/sctp_checksum.h"
#include "pmd/plain_headers.h"

namespace causeway {

uint16_t start_checksum(rte_mbuf* frame, uint8_t csum_offset) noexcept {
  const PlainHeaders headers = plain_headers(frame);
  const uint16_t l2 = headers.l2_bytes;
  uint16_t sum = 0;
  uint16_t l4 = 0;
  if (headers.ip_version == 4 && frame->data_len >= l2 + sizeof(rte_ipv4_hdr)) {
    const auto* ip = rte_pktmbuf_mtod_offset(frame, const rte_ipv4_hdr*, l2);
    sum = rte_ipv4_phdr_cksum(ip, 0);
    l4 = static_cast<uint16_t>(l2 + rte_ipv4_hdr_len(ip));
  } else if (headers.ip_version == 6 && frame->data_len >= l2 + sizeof(rte_ipv6_hdr)) {
    sum = rte_ipv6_phdr_cksum(rte_pktmbuf_mtod_offset(frame, const rte_ipv6_hdr*, l2), 0);
    l4 = static_cast<uint16_t>(l2 + sizeof(rte_ipv6_hdr));
  }
  if (l4 == 0 || l4 + csum_offset + 2 > frame->data_len) return 0;
  std::memcpy(rte_pktmbuf_mtod_offset(frame, char*, l4 + csum_offset), &sum, sizeof(sum));
  return l4;
}

namespace {

constexpr uint8_t kTcpChecksumOffset = 16;
constexpr uint8_t kUdpChecksumOffset = 6;
constexpr uint8_t kProtocolUdp = 17;

// virtio has one UDP GSO type for both IP versions. Looks at the frame's own IP header where that
// reaches to csum_start, and in a tunnel at the bytes in front of it.
GsoType udp_gso_type(const rte_mbuf* frame, uint16_t csum_start) noexcept {
  const auto* bytes = rte_pktmbuf_mtod(frame, const uint8_t*);
  const PlainHeaders headers = plain_headers(frame);
  if (headers.ip_version == 6 && csum_start == headers.l2_bytes + 40) return GsoType::udp6;
  if (csum_start > frame->data_len) return GsoType::udp6;
  for (uint8_t bytes_of_ip = sizeof(rte_ipv4_hdr); bytes_of_ip <= 60 && bytes_of_ip <= csum_start; bytes_of_ip += 4) {
    const uint8_t* ip = bytes + csum_start - bytes_of_ip;
    if (ip[0] == (0x40 | bytes_of_ip / 4) && ip[9] == kProtocolUdp) return GsoType::udp4;
  }
  return GsoType::udp6;
}

// Bytes of the L4 header at `csum_start`; 0: beyond the frame or malformed.
uint16_t l4_header_bytes(const rte_mbuf* frame, uint16_t csum_start, bool tcp) noexcept {
  if (!tcp) return csum_start + 8U <= frame->pkt_len ? 8 : 0;
  uint8_t copy = 0;
  const auto* offset = static_cast<const uint8_t*>(rte_pktmbuf_read(frame, csum_start + 12U, 1, &copy));
  if (offset == nullptr) return 0;
  const auto bytes = static_cast<uint16_t>((*offset >> 4) * 4);
  return bytes >= 20 && csum_start + bytes <= frame->pkt_len ? bytes : 0;
}

// Whether the L4 header at `csum_start` is not the frame's first one: the sender has a tunnel of its own. Packet
// sockets don't say so.
bool in_a_tunnel(const rte_mbuf* frame, uint16_t csum_start) noexcept {
  return find_ip({rte_pktmbuf_mtod(frame, const uint8_t*), frame->data_len}, 0).l4 != csum_start;
}

bool is_tcp(GsoType type) noexcept { return type == GsoType::tcp4 || type == GsoType::tcp6; }

bool apply_gso(const VnetHeader& header, rte_mbuf* frame, Intent intent, bool has_checksum) noexcept {
  const auto type = static_cast<uint8_t>(header.gso_type & ~(kVnetGsoEcn | kVnetGsoTunnel4 | kVnetGsoTunnel6));
  if (header.gso_size == 0) return false;
  if (type != kVnetGsoTcp4 && type != kVnetGsoTcp6 && type != kVnetGsoUdp) return false;
  const bool tcp = type != kVnetGsoUdp;
  const uint8_t csum_offset = tcp ? kTcpChecksumOffset : kUdpChecksumOffset;
  if (!has_checksum) {
    intent.csum_start = start_checksum(frame, csum_offset);
    intent.csum_offset = csum_offset;
    if (intent.csum_start == 0) return false;
  }
  if (intent.csum_offset != csum_offset) return false;
  const uint16_t l4_bytes = l4_header_bytes(frame, intent.csum_start, tcp);
  if (l4_bytes == 0) return false;
  if (frame->pkt_len - intent.csum_start - l4_bytes <= header.gso_size) {  // one segment already
    set_intent(frame, intent, kNeedsChecksum);
    return true;
  }
  intent.gso_size = header.gso_size;
  intent.ecn = (header.gso_type & kVnetGsoEcn) != 0 ? 1 : 0;
  intent.set_outer(in_a_tunnel(frame, intent.csum_start) ? Outer::other : Outer::none);
  intent.gso_type = !tcp                   ? udp_gso_type(frame, intent.csum_start)
                    : type == kVnetGsoTcp4 ? GsoType::tcp4
                                           : GsoType::tcp6;
  set_intent(frame, intent, kIntentFlags);
  return true;
}

}  // namespace

bool apply_vnet_header(const VnetHeader& header, uint16_t inserted_bytes, rte_mbuf* frame) noexcept {
  Intent intent;
  const bool needs_checksum = (header.flags & kVnetNeedsChecksum) != 0;
  if (needs_checksum) {
    const uint32_t start = static_cast<uint32_t>(header.csum_start) + inserted_bytes;
    if (header.csum_offset > UINT8_MAX || start + header.csum_offset + 2 > frame->pkt_len) return false;
    intent.csum_start = static_cast<uint16_t>(start);
    intent.csum_offset = static_cast<uint8_t>(header.csum_offset);
  }
  if (header.gso_type != kVnetGsoNone) return apply_gso(header, frame, intent, needs_checksum);
  if (needs_checksum && wants_sctp_checksum(frame, intent)) [[unlikely]] {
    return fill_sctp_checksum(frame, intent.csum_start);
  }
  if (needs_checksum) {
    set_intent(frame, intent, kNeedsChecksum);
  } else if ((header.flags & kVnetDataValid) != 0) {
    frame->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  }
  return true;
}

namespace {

bool add_tunnel(rte_mbuf* frame, const Intent& intent, VnetHeader& header) noexcept {
  const PlainHeaders outer = plain_headers(frame);
  const uint16_t inner_l3 = plain_headers(frame, intent.tunnel_bytes).l2_bytes;
  const bool v4 = outer.ip_version == 4;
  const auto udp = static_cast<uint16_t>(outer.l2_bytes + (v4 ? sizeof(rte_ipv4_hdr) : sizeof(rte_ipv6_hdr)));
  if (outer.ip_version == 0 || inner_l3 == 0 || udp + sizeof(rte_udp_hdr) > intent.tunnel_bytes) return false;
  header.gso_type |= v4 ? kVnetGsoTunnel4 : kVnetGsoTunnel6;
  header.outer_th_offset = udp;
  header.inner_nh_offset = inner_l3;
  if (intent.outer_checksum == 0) return true;
  header.flags |= kVnetOuterChecksum;
  // Not inverted. A zero here would give wrong sums without a word.
  uint16_t sum = 0;
  if (v4) {
    sum = rte_ipv4_phdr_cksum(rte_pktmbuf_mtod_offset(frame, const rte_ipv4_hdr*, outer.l2_bytes), 0);
  } else {
    sum = rte_ipv6_phdr_cksum(rte_pktmbuf_mtod_offset(frame, const rte_ipv6_hdr*, outer.l2_bytes), 0);
  }
  rte_pktmbuf_mtod_offset(frame, rte_udp_hdr*, udp)->dgram_cksum = sum;
  return true;
}

}  // namespace

bool make_vnet_header(rte_mbuf* frame, VnetHeader& header) noexcept {
  header = {};
  if (!has_intent(frame)) return true;
  const Intent intent = intent_of(frame);
  header.flags = kVnetNeedsChecksum;
  header.csum_start = intent.csum_start;
  header.csum_offset = intent.csum_offset;
  if ((frame->ol_flags & kNeedsSegment) == 0) return true;

  const bool tcp = is_tcp(intent.gso_type);
  const uint16_t l4_bytes = l4_header_bytes(frame, intent.csum_start, tcp);
  if (l4_bytes == 0) return false;
  header.hdr_len = static_cast<uint16_t>(intent.csum_start + l4_bytes);
  header.gso_size = intent.gso_size;
  header.gso_type = !tcp ? kVnetGsoUdp : intent.gso_type == GsoType::tcp4 ? kVnetGsoTcp4 : kVnetGsoTcp6;
  if (intent.ecn != 0) header.gso_type |= kVnetGsoEcn;
  // What isn't encap's is left as the sender's kernel has made it.
  return intent.tunnel_bytes == 0 || add_tunnel(frame, intent, header);
}

}  // namespace causeway
