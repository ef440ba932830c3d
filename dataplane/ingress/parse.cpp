#include "dataplane/ingress/parse.h"

#include <algorithm>
#include <array>

#include "dataplane/frame/vlan_tag.h"
#include "dataplane/ingress/bindings.h"
#include "dataplane/ingress/vlan.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/geneve.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/host_address.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/igmp.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/udp.h"
#include "dataplane/wire/vxlan.h"

namespace causeway {
namespace {

using Verdict = OuterFrame::Verdict;

Verdict dead(OuterFrame& outer, DropReason reason) noexcept {
  outer.reason = reason;
  return Verdict::dead;
}

// A source that no host sends from; our own is another's lie, too.
bool is_impossible(const PortEntry& port, const IpAddress& source) noexcept {
  return port.owns(source) || is_of_no_host(source);
}

// RFC 8926 section 3.5: options must fill the announced length exactly.
bool options_fill(const rte_mbuf* m, uint32_t offset, uint32_t end) noexcept {
  while (offset < end) {
    const auto* option = header_at<GeneveOption>(m, offset);
    if (option == nullptr || offset + sizeof(GeneveOption) + option->data_bytes() > end) {
      return false;
    }
    offset += static_cast<uint32_t>(sizeof(GeneveOption)) + option->data_bytes();
  }
  return true;
}

[[gnu::always_inline]] inline Verdict parse_geneve(const rte_mbuf* m, uint32_t offset, OuterFrame& outer) noexcept {
  const auto* geneve = header_at<GeneveHeader>(m, offset);
  if (geneve == nullptr || offset + sizeof(GeneveHeader) > outer.end) return dead(outer, DropReason::inner_too_short);
  if (geneve->version() != 0) return dead(outer, DropReason::geneve_version);
  if (geneve->is_control()) return dead(outer, DropReason::geneve_control);
  if (geneve->protocol.get() != kEtherTypeTransparentEthernet) return dead(outer, DropReason::geneve_protocol);
  const uint32_t inner = offset + geneve->header_bytes();
  if (inner > outer.end || inner > rte_pktmbuf_data_len(m)) return dead(outer, DropReason::geneve_options);
  if (geneve->options_bytes() != 0) [[unlikely]] {
    const uint32_t options = offset + static_cast<uint32_t>(sizeof(GeneveHeader));
    if (!options_fill(m, options, inner)) return dead(outer, DropReason::geneve_options);
    outer.options_offset = static_cast<uint16_t>(options);
    outer.critical = geneve->has_critical();
  }
  outer.key.id = geneve->vni.get();
  outer.inner_offset = static_cast<uint16_t>(inner);
  return Verdict::tunnel;
}

[[gnu::always_inline]] inline Verdict parse_vxlan(const rte_mbuf* m, uint32_t offset, OuterFrame& outer) noexcept {
  const auto* vxlan = header_at<VxlanHeader>(m, offset);
  if (vxlan == nullptr || offset + sizeof(VxlanHeader) > outer.end) return dead(outer, DropReason::inner_too_short);
  if (!vxlan->has_vni()) return dead(outer, DropReason::vxlan_flags);
  outer.key.id = vxlan->vni.get();
  outer.inner_offset = static_cast<uint16_t>(offset + sizeof(VxlanHeader));
  return Verdict::tunnel;
}

Verdict parse_gre(const rte_mbuf* m, uint32_t offset, OuterFrame& outer) noexcept {
  const auto* gre = header_at<GreHeader>(m, offset);
  if (gre == nullptr || offset + sizeof(GreHeader) > outer.end) return dead(outer, DropReason::ip_length);
  if (gre->version() != 0 || (gre->flags() & kGreMustBeZero) != 0) return dead(outer, DropReason::gre_flags);
  if (gre->protocol.get() != kEtherTypeTransparentEthernet) return dead(outer, DropReason::gre_protocol);
  const uint32_t inner = offset + gre->header_bytes();
  if (inner > outer.end || inner > rte_pktmbuf_data_len(m)) return dead(outer, DropReason::inner_too_short);
  if (gre->has_checksum() && !has_intent(m) && fold(sum_chain(m, offset, outer.end - offset)) != 0xffff) {
    return dead(outer, DropReason::gre_checksum);
  }
  outer.key.kind = TunnelType::gretap;
  outer.plain_gre = !gre->has_checksum() && !gre->has_sequence();
  outer.key.keyless = gre->has_key() ? 0 : 1;
  if (gre->has_key()) outer.key.id = header_at<be32>(m, offset + gre->key_offset())->get();
  outer.inner_offset = static_cast<uint16_t>(inner);
  return Verdict::tunnel;
}

[[gnu::always_inline]] inline Verdict parse_udp(const WorkerContext& w, const rte_mbuf* m, uint32_t offset,
                                                OuterFrame& outer, bool ipv6) noexcept {
  const auto* udp = header_at<UdpHeader>(m, offset);
  if (udp == nullptr || offset + sizeof(UdpHeader) > outer.end) return dead(outer, DropReason::udp_length);
  const uint32_t udp_bytes = udp->length_bytes.get();
  if (udp_bytes < sizeof(UdpHeader) || offset + udp_bytes > outer.end) return dead(outer, DropReason::udp_length);
  outer.end = offset + udp_bytes;

  if (udp->checksum == be16{}) {
    outer.zero_checksum = ipv6;
  } else if (!has_intent(m)) {  // with an intent it never was on a wire; the local kernel vouches for it
    const uint64_t nic = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    if (nic == RTE_MBUF_F_RX_L4_CKSUM_BAD) return dead(outer, DropReason::udp_checksum);
    if (nic != RTE_MBUF_F_RX_L4_CKSUM_GOOD && !udp_checksum_valid(m, outer.ip_offset)) {
      return dead(outer, DropReason::udp_checksum);
    }
  }

  outer.key.udp_port = udp->destination_port.get();
  for (const UdpListener& listener : *w.udp_listeners) {
    if (listener.port != outer.key.udp_port) continue;
    outer.key.kind = listener.kind;
    const uint32_t tunnel = offset + static_cast<uint32_t>(sizeof(UdpHeader));
    if (listener.kind == TunnelType::geneve) return parse_geneve(m, tunnel, outer);
    if (listener.kind == TunnelType::vxlan) return parse_vxlan(m, tunnel, outer);
    break;
  }
  return dead(outer, DropReason::unknown_protocol);
}

[[gnu::always_inline]] inline Verdict parse_ipv4(const WorkerContext& w, const PortEntry& port, const rte_mbuf* m,
                                                 OuterFrame& outer) noexcept {
  const auto* ip = header_at<Ipv4Header>(m, outer.ip_offset);
  if (ip == nullptr) return dead(outer, DropReason::frame_too_short);
  if (ip->version() != 4 || ip->header_bytes() < sizeof(Ipv4Header)) return dead(outer, DropReason::ip_version);
  if (ip->header_bytes() != sizeof(Ipv4Header)) {
    // IGMP carries the router alert option (RFC 2236 section 2); who reads it checks the rest.
    if (ip->protocol == kIpProtocolIgmp) return Verdict::control;
    return dead(outer, port.owns(ip->destination_address()) ? DropReason::ip_options : DropReason::not_for_us);
  }
  const uint32_t total = ip->total_bytes.get();
  if (total < sizeof(Ipv4Header) || outer.ip_offset + total > rte_pktmbuf_pkt_len(m)) {
    return dead(outer, DropReason::ip_length);
  }
  const uint64_t nic = m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;
  if (nic == RTE_MBUF_F_RX_IP_CKSUM_BAD || (nic != RTE_MBUF_F_RX_IP_CKSUM_GOOD && !ipv4_checksum_valid(*ip))) {
    return dead(outer, DropReason::ip_checksum);
  }
  outer.key.remote = ip->source_address();
  outer.key.local = ip->destination_address();
  if (!port.owns(outer.key.local)) {
    return ip->protocol == kIpProtocolIgmp ? Verdict::control : dead(outer, DropReason::not_for_us);
  }
  // Queriers of switches have no address (RFC 4541 section 2.1.1).
  const bool nobody = ip->protocol == kIpProtocolIgmp && outer.key.remote.is_unspecified();
  if (!nobody && is_impossible(port, outer.key.remote)) return dead(outer, DropReason::impossible_source);
  if (ip->is_fragment()) return dead(outer, DropReason::ip_fragment);
  outer.ecn = ip->ecn();
  outer.end = outer.ip_offset + total;
  const uint32_t payload = outer.ip_offset + static_cast<uint32_t>(sizeof(Ipv4Header));
  if (ip->protocol == kIpProtocolUdp) [[likely]] {
    return parse_udp(w, m, payload, outer, false);
  }
  if (ip->protocol == kIpProtocolGre) return parse_gre(m, payload, outer);
  if (ip->protocol == kIpProtocolIcmp || ip->protocol == kIpProtocolIgmp) return Verdict::control;
  return dead(outer, DropReason::unknown_protocol);
}

// MLD: a hop-by-hop header with a router alert in front of it (RFC 3810 section 5). Who reads it checks the rest.
bool is_of_members(const rte_mbuf* m, const Ipv6Header& ip, uint32_t payload) noexcept {
  if (ip.next_header != kIpv6HopByHop) [[likely]] {
    return false;
  }
  const auto* options = header_at<Ipv6Extension>(m, payload);
  if (options == nullptr || options->next_header != kIpProtocolIcmpv6) return false;
  const auto* icmp = header_at<IcmpHeader>(m, payload + options->bytes());
  return icmp != nullptr && is_mld(icmp->type);
}

// Linux' ip6gretap puts a tunnel encapsulation limit in front of GRE (RFC 2473 section 4.1.1), which is for who puts
// the packet into one more tunnel. With no other option but padding the header is skipped.
Verdict parse_destination_options(const rte_mbuf* m, uint32_t offset, OuterFrame& outer) noexcept {
  const auto* header = header_at<Ipv6Extension>(m, offset);
  if (header == nullptr || header->next_header != kIpProtocolGre) return dead(outer, DropReason::ip_options);
  const uint32_t end = offset + header->bytes();
  if (end > std::min<uint32_t>(outer.end, rte_pktmbuf_data_len(m))) return dead(outer, DropReason::ip_length);
  const auto* const bytes = rte_pktmbuf_mtod(m, const uint8_t*);
  bool limit = false;
  for (uint32_t at = offset + sizeof(Ipv6Extension); at < end;) {
    if (bytes[at] == kIpv6OptionPad1) {
      ++at;
      continue;
    }
    const uint32_t data_bytes = at + 1 < end ? bytes[at + 1] : UINT8_MAX;
    const bool is_limit = bytes[at] == kIpv6OptionEncapsulationLimit && data_bytes == 1 && !limit;
    if (!is_limit && bytes[at] != kIpv6OptionPadN) return dead(outer, DropReason::ip_options);
    limit |= is_limit;
    at += 2 + data_bytes;
    if (at > end) return dead(outer, DropReason::ip_options);
  }
  return limit ? parse_gre(m, end, outer) : dead(outer, DropReason::ip_options);
}

Verdict parse_ipv6(const WorkerContext& w, const PortEntry& port, const rte_mbuf* m, OuterFrame& outer) noexcept {
  const auto* ip = header_at<Ipv6Header>(m, outer.ip_offset);
  if (ip == nullptr) return dead(outer, DropReason::frame_too_short);
  if (ip->version() != 6) return dead(outer, DropReason::ip_version);
  const uint32_t payload = outer.ip_offset + static_cast<uint32_t>(sizeof(Ipv6Header));
  const uint32_t payload_bytes = ip->payload_bytes.get();
  if (payload + payload_bytes > rte_pktmbuf_pkt_len(m)) return dead(outer, DropReason::ip_length);
  outer.key.remote = ip->source_address();
  outer.key.local = ip->destination_address();
  if (outer.key.local.is_v4()) return dead(outer, DropReason::not_for_us);  // ::ffff:a.b.c.d is how tables say a.b.c.d
  // Neighbor solicitations come to a multicast address (RFC 4861 section 7.2.2).
  // So do queries for its members.
  const bool mld = is_of_members(m, *ip, payload);
  const bool icmp = ip->next_header == kIpProtocolIcmpv6 || mld;
  if (!port.owns(outer.key.local) && !(icmp && outer.key.local.is_multicast())) {
    return dead(outer, DropReason::not_for_us);
  }
  // Who has no address yet looks for others with the one it wants (RFC 4862 section 5.4.2), and tells of its groups.
  const bool nobody = icmp && outer.key.remote.is_unspecified();
  const bool mapped = outer.key.remote.is_v4();
  if (!nobody && (mapped || is_impossible(port, outer.key.remote))) return dead(outer, DropReason::impossible_source);
  outer.ecn = ip->ecn();
  outer.end = payload + payload_bytes;
  switch (ip->next_header) {
    case kIpProtocolUdp:
      return parse_udp(w, m, payload, outer, true);
    case kIpProtocolGre:
      return parse_gre(m, payload, outer);
    case kIpProtocolIcmpv6:
      return Verdict::control;
    case kIpv6Fragment:
      return dead(outer, DropReason::ip_fragment);
    case kIpv6HopByHop:
      return mld ? Verdict::control : dead(outer, DropReason::ip_options);
    case kIpv6Routing:
      return dead(outer, DropReason::ip_options);
    case kIpv6DestinationOptions:
      return parse_destination_options(m, payload, outer);
    default:
      return dead(outer, DropReason::unknown_protocol);
  }
}

}  // namespace

Verdict parse_outer(const WorkerContext& w, const PortEntry& port, const rte_mbuf* m, OuterFrame& outer) noexcept {
  const auto* ethernet = header_at<EthernetHeader>(m, 0);
  if (ethernet == nullptr) return dead(outer, DropReason::frame_too_short);
  if (ethernet->destination != port.mac && !ethernet->destination.is_multicast()) {
    return dead(outer, DropReason::not_for_us);
  }
  outer.ip_offset = kEthernetBytes;
  switch (ethernet->ethertype.get()) {
    [[likely]] case kEtherTypeIpv4 : return parse_ipv4(w, port, m, outer);
    case kEtherTypeIpv6:
      return parse_ipv6(w, port, m, outer);
    case kEtherTypeArp:
      return Verdict::control;
    default:
      return dead(outer, DropReason::unknown_ethertype);
  }
}

void parse_bridge_port(WorkerContext& w, const Adjacency& in, Batch& batch) noexcept {
  uint16_t kept = 0;
  const uint16_t count = batch.count;
  const AdjacencyIndex ingress = in.index;
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* const m = batch.frame[i];
    if (rte_pktmbuf_data_len(m) < kEthernetBytes) [[unlikely]] {
      drop(w, m, DropReason::frame_too_short);
      continue;
    }
    batch.frame[kept] = m;
    batch.in[kept] = &in;
    batch.key[kept] = FlowKey::read(rte_pktmbuf_mtod(m, const void*), outer_vlan(m, 0), ingress);
    ++kept;
  }
  batch.count = kept;
  if (in.bound) [[unlikely]] {
    check_bindings(w, *in.bindings, batch);
  }
  if (in.vlan_rules) [[unlikely]] {
    enter_vlans(w, batch);
  }
}

}  // namespace causeway
