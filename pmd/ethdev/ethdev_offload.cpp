#include "pmd/ethdev/ethdev_offload.h"

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <cstddef>
#include <string_view>

#include "dataplane/frame/intent.h"
#include "pmd/plain_headers.h"

namespace causeway {
namespace {

constexpr uint64_t kTxChecksum = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
// Segments differ in their IPv4 headers, too.
constexpr uint64_t kTxSegmentSums = kTxChecksum | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;

// What a tunnel's segmentation is called, and the generic offload that does as well: the device is told where
// things stand, and knows no format.
struct TunnelTso {
  Outer outer4;
  Outer outer6;
  uint64_t own;
  uint64_t own_flag;
  uint64_t generic;
  uint64_t generic_flag;
};
constexpr std::array<TunnelTso, 3> kTunnelTso{{
    {Outer::geneve4, Outer::geneve6, RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO, RTE_MBUF_F_TX_TUNNEL_GENEVE,
     RTE_ETH_TX_OFFLOAD_UDP_TNL_TSO, RTE_MBUF_F_TX_TUNNEL_UDP},
    {Outer::vxlan4, Outer::vxlan6, RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO, RTE_MBUF_F_TX_TUNNEL_VXLAN,
     RTE_ETH_TX_OFFLOAD_UDP_TNL_TSO, RTE_MBUF_F_TX_TUNNEL_UDP},
    {Outer::gre4, Outer::gre6, RTE_ETH_TX_OFFLOAD_GRE_TNL_TSO, RTE_MBUF_F_TX_TUNNEL_GRE, RTE_ETH_TX_OFFLOAD_IP_TNL_TSO,
     RTE_MBUF_F_TX_TUNNEL_IP},
}};

// What LRO brings is longer than a buffer.
constexpr uint64_t kRxLro = RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER;

// "the device lacks RTE_ETH_TX_OFFLOAD_TCP_CKSUM, RTE_ETH_TX_OFFLOAD_TCP_TSO"; empty where nothing is absent.
std::string lacks(uint64_t wanted, uint64_t offered, const char* prefix = "RTE_ETH_TX_OFFLOAD_",
                  const char* name_of(uint64_t) = rte_eth_dev_tx_offload_name) {
  std::string names;
  for (uint64_t absent = wanted & ~offered; absent != 0; absent &= absent - 1) {
    names += names.empty() ? "the device lacks " : ", ";
    names += prefix;
    names += name_of(absent & -absent);
  }
  return names;
}
std::string lacks_rx(uint64_t wanted, uint64_t offered) {
  return lacks(wanted, offered, "RTE_ETH_RX_OFFLOAD_", rte_eth_dev_rx_offload_name);
}

// The same for segmentation in both UDP tunnels, over IPv4.
std::string lacks_tunnels(uint64_t offered) {
  uint64_t wanted = kTxSegmentSums | RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM;
  if ((offered & RTE_ETH_TX_OFFLOAD_UDP_TNL_TSO) == 0) {
    wanted |= RTE_ETH_TX_OFFLOAD_VXLAN_TNL_TSO | RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO;
  }
  return lacks(wanted, offered);
}

std::string_view driver_of(const rte_eth_dev_info& info) { return info.driver_name; }

bool is_virtio(const rte_eth_dev_info& info) {
  const std::string_view driver = driver_of(info);
  return driver.find("virtio") != driver.npos || driver.find("vhost") != driver.npos;
}

LroSays lro_says(const rte_eth_dev_info& info) {
  const std::string_view driver = driver_of(info);
  if (driver.starts_with("mlx5") || driver.starts_with("net_hinic")) return LroSays::mean;
  return driver.starts_with("net_bnxt") ? LroSays::nothing : LroSays::length;
}

// Drivers that walk a chain of mbufs on transmit without offering MULTI_SEGS.
bool takes_chains_anyway(const rte_eth_dev_info& info) {
  return driver_of(info) == "net_null" || driver_of(info) == "net_pcap";
}

// Whether the device cuts UDP super-packets into datagrams. To rte_mbuf_core.h RTE_MBUF_F_TX_UDP_SEG means IP
// fragments, and DPDK's own software takes it so (rte_gso, vhost); drivers that do something take it for segmentation.
// Those of ngbe and txgbe offer it, and their tx_prepare refuses every such frame.
bool segments_udp(const rte_eth_dev_info& info) {
  const std::string_view driver = driver_of(info);
  if (driver == "net_tap" || driver.starts_with("net_ngbe") || driver.starts_with("net_txgbe")) return false;
  return (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_TSO) != 0 && !is_virtio(info);
}

// Headers as DPDK describes them: l2_len, l3_len, and flags for the IP version. No flags: they are not
// plain IP and TCP or UDP, or don't end at the Intent's csum_start.
struct TxHeaders {
  uint16_t l2_bytes = 0;  // from the frame's start, a tunnel's outer headers included
  uint16_t l3_bytes = 0;
  uint64_t flags = 0;  // RTE_MBUF_F_TX_IPV4 or _IPV6, and the L4 checksum's
};

TxHeaders tx_headers(const rte_mbuf* frame, const Intent& intent) noexcept {
  const PlainHeaders plain = plain_headers(frame, intent.tunnel_bytes);
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
void prepare_tso_sums(rte_mbuf* frame, const TxHeaders& headers, uint8_t csum_offset) noexcept {
  uint16_t sum = 0;
  if ((headers.flags & RTE_MBUF_F_TX_IPV4) != 0) {
    auto* ip = rte_pktmbuf_mtod_offset(frame, rte_ipv4_hdr*, headers.l2_bytes);
    ip->hdr_checksum = 0;
    sum = rte_ipv4_phdr_cksum(ip, RTE_MBUF_F_TX_TCP_SEG);
  } else {
    const auto* ip = rte_pktmbuf_mtod_offset(frame, const rte_ipv6_hdr*, headers.l2_bytes);
    // rte_ipv6_phdr_cksum takes the protocol from the first header, extensions or not.
    rte_ipv6_hdr pseudo = *ip;
    pseudo.proto = csum_offset == 16 ? IPPROTO_TCP : IPPROTO_UDP;
    sum = rte_ipv6_phdr_cksum(&pseudo, RTE_MBUF_F_TX_TCP_SEG);
  }
  const int field = headers.l2_bytes + headers.l3_bytes + csum_offset;
  std::memcpy(rte_pktmbuf_mtod_offset(frame, char*, field), &sum, sizeof(sum));
}

// What stands in front of the inner IP header. Segments differ in their outer lengths, so the device must redo the
// outer checksums, too (rte_mbuf_core.h, RTE_MBUF_F_TX_OUTER_IP_CKSUM and _OUTER_UDP_CKSUM: the field is 0, or
// the pseudo-header sum without the length). False: not in DPDK's terms.
bool describe_outer(rte_mbuf* frame, const Intent& intent, const TxHeaders& inner, bool segment) noexcept {
  const PlainHeaders outer = plain_headers(frame);
  const bool v4 = outer.ip_version == 4;
  const uint16_t l3_bytes = v4 ? sizeof(rte_ipv4_hdr) : sizeof(rte_ipv6_hdr);  // encap writes no options
  const auto l4 = static_cast<uint16_t>(outer.l2_bytes + l3_bytes);
  const int l2_bytes = inner.l2_bytes - l4;  // outer L4, tunnel and inner Ethernet header in one
  if (outer.ip_version == 0 || l2_bytes < 14 + 4 || l2_bytes > 127) return false;
  frame->outer_l2_len = outer.l2_bytes & 0x7f;
  frame->outer_l3_len = l3_bytes & 0x1ff;
  frame->l2_len = static_cast<uint16_t>(l2_bytes) & 0x7f;
  frame->ol_flags |= v4 ? RTE_MBUF_F_TX_OUTER_IPV4 : RTE_MBUF_F_TX_OUTER_IPV6;
  if (!segment) return true;
  if (v4) {
    frame->ol_flags |= RTE_MBUF_F_TX_OUTER_IP_CKSUM;
    rte_pktmbuf_mtod_offset(frame, rte_ipv4_hdr*, outer.l2_bytes)->hdr_checksum = 0;
  }
  if (intent.outer_checksum == 0) return true;
  frame->ol_flags |= RTE_MBUF_F_TX_OUTER_UDP_CKSUM;
  uint16_t sum = 0;
  if (v4) {
    sum =
        rte_ipv4_phdr_cksum(rte_pktmbuf_mtod_offset(frame, const rte_ipv4_hdr*, outer.l2_bytes), RTE_MBUF_F_TX_TCP_SEG);
  } else {
    sum =
        rte_ipv6_phdr_cksum(rte_pktmbuf_mtod_offset(frame, const rte_ipv6_hdr*, outer.l2_bytes), RTE_MBUF_F_TX_TCP_SEG);
  }
  rte_pktmbuf_mtod_offset(frame, rte_udp_hdr*, l4)->dgram_cksum = sum;
  return true;
}

// Whether what the device cuts keeps the outer UDP checksum that it isn't asked to fill. hns3 makes it 0.
bool keeps_outer_checksum(const rte_eth_dev_info& info) {
  const std::string_view driver = driver_of(info);
  return driver.starts_with("mlx5") || driver.starts_with("net_i40e") || driver == "nic-model";
}

// `cuts`: kTcp, with kUdp where the device segments that.
void allow_tunnels(const rte_eth_dev_info& info, uint8_t cuts, EthdevOffloads& result) {
  const uint64_t offered = info.tx_offload_capa;
  for (const TunnelTso& tunnel : kTunnelTso) {
    const bool own = (offered & tunnel.own) != 0;
    if (!own && (offered & tunnel.generic) == 0) continue;
    result.tx |= own ? tunnel.own : tunnel.generic;
    const bool udp = tunnel.outer4 != Outer::gre4;
    const bool outer_sum = udp && (offered & RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM) != 0;
    for (const Outer outer : {tunnel.outer4, tunnel.outer6}) {
      result.tunnels[static_cast<size_t>(outer)] = own ? tunnel.own_flag : tunnel.generic_flag;
      result.capabilities.add(outer, TxCapabilities::kChecksum);
      // Each segment's outer IPv4 header has a checksum of its own.
      if (outer == tunnel.outer4 && (offered & RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM) == 0) continue;
      result.capabilities.add(outer, cuts);
      if (udp && keeps_outer_checksum(info)) result.capabilities.add(outer, TxCapabilities::kKeepsOuterChecksum);
      if (outer_sum) result.capabilities.add(outer, TxCapabilities::kOuterChecksum);
    }
  }
  result.tx |= offered & (RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM);
}

}  // namespace

std::string lacking_flags(uint64_t offered, Outer outer, uint8_t bits) {
  std::string flags;
  const uint64_t udp = (bits & TxCapabilities::kUdp) != 0 ? RTE_ETH_TX_OFFLOAD_UDP_TSO : 0;
  if (outer == Outer::none && bits == TxCapabilities::kChecksum) {
    flags = lacks(kTxChecksum, offered);
  } else if (outer == Outer::none) {
    flags = lacks(kTxSegmentSums | RTE_ETH_TX_OFFLOAD_TCP_TSO | udp, offered);
  }
  for (const TunnelTso& tunnel : kTunnelTso) {
    if (outer != tunnel.outer4 && outer != tunnel.outer6) continue;
    uint64_t wanted = kTxSegmentSums | udp;
    if ((offered & tunnel.generic) == 0) wanted |= tunnel.own;
    if (outer == tunnel.outer4) wanted |= RTE_ETH_TX_OFFLOAD_OUTER_IPV4_CKSUM;
    if ((bits & TxCapabilities::kOuterChecksum) != 0) wanted |= RTE_ETH_TX_OFFLOAD_OUTER_UDP_CKSUM;
    flags = lacks(wanted, offered);
  }
  return flags.empty() ? "no offload of DPDK means this, or its driver can't" : flags;
}

EthdevOffloads choose_offloads(const rte_eth_dev_info& info, const OffloadSettings& settings) {
  EthdevOffloads result;
  const uint64_t offered = info.tx_offload_capa;
  const auto demand = [&](Toggle toggle, const char* key, const std::string& lack) {
    if (toggle != Toggle::on || !result.error.empty()) return;
    const bool unsummed = key != std::string_view("checksum") && settings.checksum == Toggle::off;
    const std::string& why = unsummed ? std::string("needs offloads.checksum, which is off") : lack;
    if (!why.empty()) result.error = std::string("offloads.") + key + ": " + why;
  };
  demand(settings.checksum, "checksum", lacks(kTxChecksum, offered));
  demand(settings.tso, "tso", lacks(kTxSegmentSums | RTE_ETH_TX_OFFLOAD_TCP_TSO, offered));
  demand(settings.tunnel_tso, "tunnel-tso", lacks_tunnels(offered));
  demand(settings.lro, "lro", lacks_rx(kRxLro, info.rx_offload_capa));

  const bool checksum = settings.checksum != Toggle::off && (offered & kTxChecksum) == kTxChecksum;
  const bool sums_segments = checksum && (offered & kTxSegmentSums) == kTxSegmentSums;
  const bool tso = settings.tso != Toggle::off && sums_segments && (offered & RTE_ETH_TX_OFFLOAD_TCP_TSO) != 0;
  const bool multi_segment = (offered & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
  TxCapabilities& caps = result.capabilities;
  caps.multi_segment = multi_segment || takes_chains_anyway(info);
  // MBUF_FAST_FREE stays off: frames come from several pools, and flooded ones are shared.
  if (multi_segment) result.tx |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  if (checksum) {
    result.tx |= offered & kTxSegmentSums;
    caps.add(Outer::none, TxCapabilities::kChecksum);
  }
  if (tso) {
    result.tx |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
    // net_tap segments with rte_gso: IPv4 only.
    caps.add(Outer::none, driver_of(info) == "net_tap" ? TxCapabilities::kTcp4 : TxCapabilities::kTcp);
  }
  const bool udp = sums_segments && segments_udp(info);
  if (udp) result.tx |= RTE_ETH_TX_OFFLOAD_UDP_TSO;
  if (tso && udp) caps.add(Outer::none, TxCapabilities::kUdp);
  if (sums_segments && settings.tunnel_tso != Toggle::off) {
    allow_tunnels(info, udp ? TxCapabilities::kTcp | TxCapabilities::kUdp : TxCapabilities::kTcp, result);
  }

  // virtio would hand over frames with unfinished checksums that only L4_CKSUM_NONE tells of; without the
  // offload, the other side finishes them.
  if (settings.checksum != Toggle::off && !is_virtio(info)) {
    result.rx |= info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_OUTER_IPV4_CKSUM |
                                         RTE_ETH_RX_OFFLOAD_OUTER_UDP_CKSUM);
  }
  result.lro = settings.lro == Toggle::on && result.error.empty();
  if (result.lro) result.rx |= kRxLro;
  result.lro_says = lro_says(info);
  return result;
}

bool translate_intent(rte_mbuf* frame, const TunnelFlags& tunnels) noexcept {
  const Intent intent = intent_of(frame);
  const bool segment = (frame->ol_flags & kNeedsSegment) != 0;
  const uint64_t tunnel_flag = tunnels[static_cast<size_t>(intent.outer())];
  frame->ol_flags &= ~RTE_MBUF_F_TX_OFFLOAD_MASK;
  frame->tx_offload = 0;
  const TxHeaders headers = tx_headers(frame, intent);
  const bool plain = intent.tunnel_bytes == 0;
  if (headers.flags == 0 || (!plain && tunnel_flag == 0)) return !segment && finish_checksum(frame, intent);

  frame->l2_len = headers.l2_bytes & 0x7f;
  frame->l3_len = headers.l3_bytes & 0x1ff;
  if (!plain && !describe_outer(frame, intent, headers, segment)) {
    return !segment && finish_checksum(frame, intent);
  }
  frame->ol_flags |= headers.flags | tunnel_flag;
  if (!segment) return true;
  const bool tcp = intent.csum_offset == 16;
  const auto* l4 = rte_pktmbuf_mtod_offset(frame, const uint8_t*, intent.csum_start);
  frame->l4_len = static_cast<uint8_t>(tcp ? (l4[12] >> 4) * size_t{4} : sizeof(rte_udp_hdr));
  frame->tso_segsz = intent.gso_size;
  frame->ol_flags |= tcp ? RTE_MBUF_F_TX_TCP_SEG : RTE_MBUF_F_TX_UDP_SEG;
  if ((headers.flags & RTE_MBUF_F_TX_IPV4) != 0) frame->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
  prepare_tso_sums(frame, headers, intent.csum_offset);
  return true;
}

void outermost_verdicts(rte_mbuf* frame) noexcept {
  if ((frame->packet_type & RTE_PTYPE_TUNNEL_MASK) == 0) return;
  uint64_t flags = frame->ol_flags & ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
  if ((flags & RTE_MBUF_F_RX_OUTER_IP_CKSUM_BAD) != 0) flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD;
  const uint64_t outer = flags & RTE_MBUF_F_RX_OUTER_L4_CKSUM_MASK;
  if (outer == RTE_MBUF_F_RX_OUTER_L4_CKSUM_GOOD) flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  if (outer == RTE_MBUF_F_RX_OUTER_L4_CKSUM_BAD) flags |= RTE_MBUF_F_RX_L4_CKSUM_BAD;
  frame->ol_flags = flags;
}

}  // namespace causeway
