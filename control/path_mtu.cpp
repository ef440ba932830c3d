#include "control/path_mtu.h"

#include <algorithm>

#include "control/neighbor_discovery.h"
#include "dataplane/encap.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/geneve.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/vxlan.h"

namespace causeway {
namespace {

constexpr uint32_t kIpOffset = sizeof(EthernetHeader);

// The packet within an ICMP error.
struct Quote {
  TunnelKey tunnel;
  uint32_t l4_offset = 0;
  uint32_t end = 0;  // of what there is of it, from the frame's start
  uint8_t protocol = 0;
  uint32_t packet_bytes = 0;  // of the whole packet
  uint32_t mtu = 0;           // as the router says
};

std::optional<Quote> read_v4(const rte_mbuf* frame) {
  constexpr uint32_t kIcmpOffset = kIpOffset + sizeof(Ipv4Header);
  constexpr uint32_t kQuoteOffset = kIcmpOffset + sizeof(IcmpUnreachable);
  const auto* ip = header_at<Ipv4Header>(frame, kIpOffset);
  const auto* icmp = header_at<IcmpUnreachable>(frame, kIcmpOffset);
  const auto* quoted = header_at<Ipv4Header>(frame, kQuoteOffset);
  if (ip == nullptr || icmp == nullptr || quoted == nullptr || ip->protocol != kIpProtocolIcmp ||
      icmp->icmp.type != kIcmpUnreachable || icmp->icmp.code != kIcmpCodeFragmentationNeeded ||
      quoted->version_ihl != Ipv4Header::kVersionIhl || !quoted->dont_fragment() || quoted->is_fragment()) {
    return {};
  }
  const uint32_t icmp_bytes = ip->total_bytes.get() - static_cast<uint32_t>(sizeof(Ipv4Header));
  if (fold(sum_chain(frame, kIcmpOffset, icmp_bytes)) != 0xffff) return {};
  Quote quote;
  quote.tunnel.local = quoted->source_address();
  quote.tunnel.remote = quoted->destination_address();
  quote.l4_offset = kQuoteOffset + static_cast<uint32_t>(sizeof(Ipv4Header));
  quote.end = kIcmpOffset + icmp_bytes;
  quote.protocol = quoted->protocol;
  quote.packet_bytes = quoted->total_bytes.get();
  quote.mtu = icmp->next_hop_mtu_bytes.get();
  return quote;
}

std::optional<Quote> read_v6(const rte_mbuf* frame) {
  constexpr uint32_t kIcmpOffset = kIpOffset + sizeof(Ipv6Header);
  constexpr uint32_t kQuoteOffset = kIcmpOffset + sizeof(Icmpv6PacketTooBig);
  const auto* ip = header_at<Ipv6Header>(frame, kIpOffset);
  const auto* icmp = header_at<Icmpv6PacketTooBig>(frame, kIcmpOffset);
  const auto* quoted = header_at<Ipv6Header>(frame, kQuoteOffset);
  // RFC 8201 section 4: what promises less than every host must take is no news.
  if (ip == nullptr || icmp == nullptr || quoted == nullptr || ip->next_header != kIpProtocolIcmpv6 ||
      icmp->icmp.type != kIcmpv6PacketTooBig || quoted->version() != 6 || icmp->mtu_bytes.get() < kIpv6SmallestMtu ||
      !icmpv6_checksum_valid(frame)) {
    return {};
  }
  Quote quote;
  quote.tunnel.local = quoted->source_address();
  quote.tunnel.remote = quoted->destination_address();
  if (quote.tunnel.local.is_v4()) return {};  // ::ffff:a.b.c.d stands for IPv4 with us
  quote.l4_offset = kQuoteOffset + static_cast<uint32_t>(sizeof(Ipv6Header));
  quote.end = kIcmpOffset + ip->payload_bytes.get();
  quote.protocol = quoted->next_header;
  quote.packet_bytes = quoted->payload_bytes.get() + static_cast<uint32_t>(sizeof(Ipv6Header));
  quote.mtu = icmp->mtu_bytes.get();
  return quote;
}

// A header of the quote, null where it is cut.
template <class Header>
const Header* quoted_at(const rte_mbuf* frame, const Quote& quote, uint32_t offset) {
  return offset + sizeof(Header) <= quote.end ? header_at<Header>(frame, offset) : nullptr;
}

// Both fill the rest of the quote's tunnel key.
bool read_udp(const rte_mbuf* frame, Quote& quote, const UdpListeners& listeners) {
  const auto* udp = quoted_at<UdpHeader>(frame, quote, quote.l4_offset);
  if (udp == nullptr) return false;
  const uint16_t source = udp->source_port.get();
  const auto listener = std::ranges::find(listeners, udp->destination_port.get(), &UdpListener::port);
  if (listener == listeners.end() || source < kFirstSourcePort || source >= kFirstSourcePort + kSourcePorts) {
    return false;
  }
  quote.tunnel.kind = listener->kind;
  quote.tunnel.udp_port = listener->port;
  const uint32_t offset = quote.l4_offset + static_cast<uint32_t>(sizeof(UdpHeader));
  if (listener->kind == AdjacencyKind::geneve) {
    const auto* geneve = quoted_at<GeneveHeader>(frame, quote, offset);
    if (geneve != nullptr) quote.tunnel.id = geneve->vni.get();
    return geneve != nullptr;
  }
  const auto* vxlan = quoted_at<VxlanHeader>(frame, quote, offset);
  if (vxlan != nullptr) quote.tunnel.id = vxlan->vni.get();
  return vxlan != nullptr;
}

bool read_gre(const rte_mbuf* frame, Quote& quote) {
  const auto* gre = quoted_at<GreHeader>(frame, quote, quote.l4_offset);
  if (gre == nullptr || gre->protocol.get() != kEtherTypeTransparentEthernet) return false;
  quote.tunnel.kind = AdjacencyKind::gretap;
  quote.tunnel.keyless = gre->has_key() ? 0 : 1;
  if (!gre->has_key()) return true;
  const auto* key = quoted_at<be32>(frame, quote, quote.l4_offset + gre->key_offset());
  if (key != nullptr) quote.tunnel.id = key->get();
  return key != nullptr;
}

}  // namespace

std::optional<PathMtuReport> read_path_mtu_report(const rte_mbuf* frame, const UdpListeners& listeners) {
  const auto* ethernet = header_at<EthernetHeader>(frame, 0);
  const uint16_t ethertype = ethernet != nullptr ? ethernet->ethertype.get() : uint16_t{0};
  std::optional<Quote> quote;
  if (ethertype == kEtherTypeIpv4) quote = read_v4(frame);
  if (ethertype == kEtherTypeIpv6) quote = read_v6(frame);
  if (!quote || quote->packet_bytes <= quote->mtu) return {};
  const bool known = quote->protocol == kIpProtocolUdp   ? read_udp(frame, *quote, listeners)
                     : quote->protocol == kIpProtocolGre ? read_gre(frame, *quote)
                                                         : false;
  if (!known) return {};
  // Packets are 65,535 bytes at most, so `mtu` is less. Routers older than RFC 1191 say 0.
  const auto mtu = static_cast<uint16_t>(quote->mtu);
  return PathMtuReport{quote->tunnel, std::max(mtu, ethertype == kEtherTypeIpv4 ? kIpv4SmallestMtu : kIpv6SmallestMtu)};
}

bool PathMtus::learn(const Path& path, uint16_t mtu, Clock::time_point now) {
  const auto [found, is_new] = paths_.try_emplace(path, Narrow{mtu, now + kLifetime});
  if (is_new) return true;
  Narrow& known = found->second;
  if (mtu > known.mtu) return false;  // wider it becomes by age alone
  known.expires = now + kLifetime;
  return std::exchange(known.mtu, mtu) != mtu;
}

std::optional<uint16_t> PathMtus::find(const Path& path) const {
  const auto found = paths_.find(path);
  if (found == paths_.end()) return {};
  return found->second.mtu;
}

std::vector<Path> PathMtus::expire(Clock::time_point now) {
  std::vector<Path> expired;
  std::erase_if(paths_, [&](const auto& item) {
    if (now < item.second.expires) return false;
    expired.push_back(item.first);
    return true;
  });
  return expired;
}

}  // namespace causeway
