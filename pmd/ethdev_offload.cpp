#include "pmd/ethdev_offload.h"

#include <netinet/in.h>
#include <rte_ip.h>

#include <cstddef>
#include <string_view>

#include "dataplane/intent.h"
#include "pmd/plain_headers.h"

namespace causeway {
namespace {

constexpr uint64_t kTxChecksum =
    RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
constexpr uint64_t kTxTunnelTso = RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO | RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO;

// Why `wanted` can't be switched on, as "checksum: on, but the device has no RTE_ETH_TX_OFFLOAD_TCP_CKSUM".
std::string missing(const char* toggle, uint64_t wanted, uint64_t offered) {
  const uint64_t absent = wanted & ~offered;
  if (absent == 0) return {};
  return std::string(toggle) + ": on, but the device has no RTE_ETH_TX_OFFLOAD_" +
         rte_eth_dev_tx_offload_name(absent & -absent);
}

std::string_view driver_of(const rte_eth_dev_info& info) { return info.driver_name; }

bool is_virtio(const rte_eth_dev_info& info) {
  const std::string_view driver = driver_of(info);
  return driver.find("virtio") != driver.npos || driver.find("vhost") != driver.npos;
}

// Drivers that walk a chain of mbufs on transmit without offering MULTI_SEGS.
bool takes_chains_anyway(const rte_eth_dev_info& info) {
  return driver_of(info) == "net_null" || driver_of(info) == "net_pcap";
}

// Headers as DPDK describes them: l2_len, l3_len, and flags for the IP version. No flags: they are not
// plain IP and TCP or UDP, or don't end at the Intent's csum_start.
struct TxHeaders {
  uint16_t l2_bytes = 0;
  uint16_t l3_bytes = 0;
  uint64_t flags = 0;  // RTE_MBUF_F_TX_IPV4 or _IPV6, and the L4 checksum's
};

TxHeaders tx_headers(const rte_mbuf* frame, const Intent& intent) noexcept {
  const PlainHeaders plain = plain_headers(frame);
  const uint16_t l2 = plain.l2_bytes;
  const bool tcp = intent.csum_offset == 16;
  if (plain.ip_version == 0 || (!tcp && intent.csum_offset != 6)) return {};
  if (intent.csum_start <= l2 || intent.csum_start + 20 > frame->data_len + (tcp ? 0 : 12)) return {};
  const uint8_t wanted = tcp ? IPPROTO_TCP : IPPROTO_UDP;
  const auto l3 = static_cast<uint16_t>(intent.csum_start - l2);
  const uint64_t l4_flag = tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
  if (plain.ip_version == 4) {
    const auto* ip = rte_pktmbuf_mtod_offset(frame, const rte_ipv4_hdr*, l2);
    if (l3 < 20 || rte_ipv4_hdr_len(ip) != l3 || ip->next_proto_id != wanted) return {};
    return {l2, l3, l4_flag | RTE_MBUF_F_TX_IPV4};
  }
  const auto* ip = rte_pktmbuf_mtod_offset(frame, const rte_ipv6_hdr*, l2);
  const bool extensions = ip->proto == IPPROTO_HOPOPTS || ip->proto == IPPROTO_ROUTING || ip->proto == IPPROTO_DSTOPTS;
  // l3_len has 9 bits.
  if (l3 < 40 || l3 > 511 || !(extensions || (ip->proto == wanted && l3 == 40))) return {};
  return {l2, l3, l4_flag | RTE_MBUF_F_TX_IPV6};
}

bool finish_checksum(rte_mbuf* frame, const Intent& intent) noexcept {
  uint16_t sum = 0;
  const uint32_t field = static_cast<uint32_t>(intent.csum_start) + intent.csum_offset;
  if (field + 2 > frame->data_len) return false;
  if (rte_raw_cksum_mbuf(frame, intent.csum_start, frame->pkt_len - intent.csum_start, &sum) != 0) return false;
  sum = static_cast<uint16_t>(~sum);
  if (sum == 0 && intent.csum_offset == 6) sum = 0xffff;  // RFC 768: zero means none
  std::memcpy(rte_pktmbuf_mtod_offset(frame, char*, field), &sum, sizeof(sum));
  return true;
}

// DPDK's TSO wants the pseudo-header sum without the length, which differs per segment, and a zero IPv4
// header checksum (rte_mbuf_core.h, RTE_MBUF_F_TX_TCP_SEG).
void prepare_tso_sums(rte_mbuf* frame, const TxHeaders& headers) noexcept {
  uint16_t sum = 0;
  if ((headers.flags & RTE_MBUF_F_TX_IPV4) != 0) {
    auto* ip = rte_pktmbuf_mtod_offset(frame, rte_ipv4_hdr*, headers.l2_bytes);
    ip->hdr_checksum = 0;
    sum = rte_ipv4_phdr_cksum(ip, RTE_MBUF_F_TX_TCP_SEG);
  } else {
    const auto* ip = rte_pktmbuf_mtod_offset(frame, const rte_ipv6_hdr*, headers.l2_bytes);
    // rte_ipv6_phdr_cksum takes the protocol from the first header, extensions or not.
    rte_ipv6_hdr pseudo = *ip;
    pseudo.proto = IPPROTO_TCP;
    sum = rte_ipv6_phdr_cksum(&pseudo, RTE_MBUF_F_TX_TCP_SEG);
  }
  std::memcpy(rte_pktmbuf_mtod_offset(frame, char*, headers.l2_bytes + headers.l3_bytes + 16), &sum, sizeof(sum));
}

}  // namespace

EthdevOffloads choose_offloads(const rte_eth_dev_info& info, const OffloadSettings& settings) {
  EthdevOffloads result;
  const uint64_t offered = info.tx_offload_capa;
  if (settings.checksum == Toggle::on) result.error = missing("checksum", kTxChecksum, offered);
  if (settings.tso == Toggle::on && result.error.empty()) {
    result.error = settings.checksum == Toggle::off ? "tso: on needs checksum, which is off"
                                                    : missing("tso", kTxChecksum | RTE_ETH_TX_OFFLOAD_TCP_TSO, offered);
  }
  if (settings.tunnel_tso == Toggle::on && result.error.empty()) {
    result.error = missing("tunnel-tso", kTxTunnelTso, offered);
  }

  const bool checksum = settings.checksum != Toggle::off && (offered & kTxChecksum) == kTxChecksum;
  const bool tso = settings.tso != Toggle::off && checksum && (offered & RTE_ETH_TX_OFFLOAD_TCP_TSO) != 0;
  const bool multi_segment = (offered & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
  // MBUF_FAST_FREE stays off: frames come from several pools, and flooded ones are shared.
  if (checksum) result.tx |= kTxChecksum;
  if (tso) result.tx |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
  if (multi_segment) result.tx |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  result.capabilities = {.checksum = checksum,
                         .tcp4_segment = tso,
                         .tcp6_segment = tso && driver_of(info) != "net_tap",  // rte_gso: IPv4 only
                         .udp_segment = false,  // UDP_TSO means fragments to some drivers, segments to others
                         .multi_segment = multi_segment || takes_chains_anyway(info)};

  // virtio would hand over frames with unfinished checksums that only L4_CKSUM_NONE tells of; without the
  // offload, the other side finishes them.
  if (settings.checksum != Toggle::off && !is_virtio(info)) {
    result.rx |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_CHECKSUM;
  }
  return result;
}

bool translate_intent(rte_mbuf* frame) noexcept {
  const Intent intent = intent_of(frame);
  const bool segment = (frame->ol_flags & kNeedsSegment) != 0;
  frame->ol_flags &= ~RTE_MBUF_F_TX_OFFLOAD_MASK;
  frame->tx_offload = 0;
  const TxHeaders headers = tx_headers(frame, intent);
  if (headers.flags == 0) return !segment && finish_checksum(frame, intent);

  frame->ol_flags |= headers.flags;
  frame->l2_len = headers.l2_bytes;
  frame->l3_len = headers.l3_bytes & 0x1ff;
  if (!segment) return true;
  if (intent.csum_offset != 16) return false;
  frame->l4_len = static_cast<uint8_t>((*rte_pktmbuf_mtod_offset(frame, uint8_t*, intent.csum_start + 12) >> 4) * 4);
  frame->tso_segsz = intent.gso_size;
  frame->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
  if ((headers.flags & RTE_MBUF_F_TX_IPV4) != 0) frame->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
  prepare_tso_sums(frame, headers);
  return true;
}

}  // namespace causeway
