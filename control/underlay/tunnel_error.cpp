#include "control/underlay/tunnel_error.h"

#include <algorithm>

#include "control/underlay/neighbor_discovery.h"
#include "dataplane/egress/encap.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/erspan.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/geneve.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/vxlan.h"

namespace causeway {
namespace {

using Kind = TunnelError::Kind;
constexpr uint32_t kIpOffset = sizeof(EthernetHeader);

// The packet within an ICMP error, and what the error says of it.
struct Quote {
  Kind kind{};
  IpAddress from;
  TunnelKey tunnel;
  uint32_t l4_offset = 0;
  uint32_t end = 0;  // of what there is of it, from the frame's start
  uint8_t protocol = 0;
  uint32_t packet_bytes = 0;  // of the whole packet
  uint32_t mtu = 0;           // as the router says
};

// RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1.
std::optional<Kind> kind_of_v4(const IcmpHeader& icmp) {
  if (icmp.type == kIcmpTimeExceeded && icmp.code == 0) return Kind::time_exceeded;
  if (icmp.type != kIcmpUnreachable) return {};
  switch (icmp.code) {
    case kIcmpCodeProtocolUnreachable:
      return Kind::no_protocol;
    case kIcmpCodePortUnreachable:
      return Kind::no_port;
    case kIcmpCodeFragmentationNeeded:
      return Kind::too_big;
    case 9:   // network,
    case 10:  // host,
    case 13:  // communication administratively prohibited
      return Kind::prohibited;
    case 0:  // network,
    case 1:  // host unreachable
    case 6:  // network,
    case 7:  // host unknown
    case 8:  // source host isolated
      return Kind::unreachable;
    default:
      return {};
  }
}

// RFC 4443 section 3.
std::optional<Kind> kind_of_v6(const IcmpHeader& icmp) {
  if (icmp.type == kIcmpv6PacketTooBig) return Kind::too_big;
  if (icmp.type == kIcmpv6TimeExceeded && icmp.code == 0) return Kind::time_exceeded;
  if (icmp.type == kIcmpv6ParameterProblem && icmp.code == kIcmpv6CodeUnknownNextHeader) return Kind::no_protocol;
  if (icmp.type != kIcmpv6Unreachable) return {};
  switch (icmp.code) {
    case kIcmpv6CodePortUnreachable:
      return Kind::no_port;
    case 1:  // administratively prohibited
    case 5:  // source address failed policy
      return Kind::prohibited;
    case 0:  // no route
    case 2:  // beyond scope of source address
    case 3:  // address unreachable
    case 6:  // reject route
      return Kind::unreachable;
    default:
      return {};
  }
}

std::optional<Quote> read_v4(const rte_mbuf* frame) {
  constexpr uint32_t kIcmpOffset = kIpOffset + sizeof(Ipv4Header);
  constexpr uint32_t kQuoteOffset = kIcmpOffset + sizeof(IcmpUnreachable);
  const auto* ip = header_at<Ipv4Header>(frame, kIpOffset);
  const auto* icmp = header_at<IcmpUnreachable>(frame, kIcmpOffset);
  const auto* quoted = header_at<Ipv4Header>(frame, kQuoteOffset);
  if (ip == nullptr || icmp == nullptr || quoted == nullptr || ip->protocol != kIpProtocolIcmp ||
      quoted->version_ihl != Ipv4Header::kVersionIhl || !quoted->dont_fragment() || quoted->is_fragment()) {
    return {};
  }
  const auto kind = kind_of_v4(icmp->icmp);
  const uint32_t icmp_bytes = ip->total_bytes.get() - static_cast<uint32_t>(sizeof(Ipv4Header));
  if (!kind || fold(sum_chain(frame, kIcmpOffset, icmp_bytes)) != 0xffff) return {};
  Quote quote;
  quote.kind = *kind;
  quote.from = ip->source_address();
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
  constexpr uint32_t kQuoteOffset = kIcmpOffset + sizeof(Icmpv6PacketTooBig);  // all errors' headers are of this size
  const auto* ip = header_at<Ipv6Header>(frame, kIpOffset);
  const auto* icmp = header_at<Icmpv6PacketTooBig>(frame, kIcmpOffset);
  const auto* quoted = header_at<Ipv6Header>(frame, kQuoteOffset);
  if (ip == nullptr || icmp == nullptr || quoted == nullptr || ip->next_header != kIpProtocolIcmpv6 ||
      quoted->version() != 6) {
    return {};
  }
  const auto kind = kind_of_v6(icmp->icmp);
  if (!kind || !icmpv6_checksum_valid(frame)) return {};
  Quote quote;
  quote.kind = *kind;
  quote.from = ip->source_address();
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

// All fill the rest of the quote's tunnel key.
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
  if (listener->kind == TunnelType::geneve) {
    const auto* geneve = quoted_at<GeneveHeader>(frame, quote, offset);
    if (geneve != nullptr) quote.tunnel.id = geneve->vni.get();
    return geneve != nullptr;
  }
  if (listener->kind != TunnelType::vxlan) return false;
  const auto* vxlan = quoted_at<VxlanHeader>(frame, quote, offset);
  if (vxlan != nullptr) quote.tunnel.id = vxlan->vni.get();
  return vxlan != nullptr;
}

bool read_erspan(const rte_mbuf* frame, const GreHeader& gre, Quote& quote) {
  quote.tunnel.kind = TunnelType::erspan;
  if (!gre.has_sequence()) return true;
  const auto* erspan = quoted_at<ErspanHeader>(frame, quote, quote.l4_offset + gre.header_bytes());
  if (erspan != nullptr) quote.tunnel.id = erspan->session();
  return erspan != nullptr;
}

bool read_gre(const rte_mbuf* frame, Quote& quote) {
  const auto* gre = quoted_at<GreHeader>(frame, quote, quote.l4_offset);
  if (gre == nullptr) return false;
  if (gre->protocol.get() == kEtherTypeErspan) return read_erspan(frame, *gre, quote);
  if (gre->protocol.get() != kEtherTypeTransparentEthernet) return false;
  quote.tunnel.kind = TunnelType::gretap;
  quote.tunnel.keyless = gre->has_key() ? 0 : 1;
  if (!gre->has_key()) return true;
  const auto* key = quoted_at<be32>(frame, quote, quote.l4_offset + gre->key_offset());
  if (key != nullptr) quote.tunnel.id = key->get();
  return key != nullptr;
}

}  // namespace

const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::too_big:
      return "packet too big";
    case Kind::no_port:
      return "port unreachable";
    case Kind::no_protocol:
      return "protocol unreachable";
    case Kind::prohibited:
      return "administratively prohibited";
    case Kind::unreachable:
      return "destination unreachable";
    case Kind::time_exceeded:
      return "time exceeded";
  }
  return "";
}

std::optional<TunnelError> read_tunnel_error(const rte_mbuf* frame, const UdpListeners& listeners) {
  const auto* ethernet = header_at<EthernetHeader>(frame, 0);
  const uint16_t ethertype = ethernet != nullptr ? ethernet->ethertype.get() : uint16_t{0};
  std::optional<Quote> quote;
  if (ethertype == kEtherTypeIpv4) quote = read_v4(frame);
  if (ethertype == kEtherTypeIpv6) quote = read_v6(frame);
  if (!quote) return {};
  const bool known = quote->protocol == kIpProtocolUdp   ? read_udp(frame, *quote, listeners)
                     : quote->protocol == kIpProtocolGre ? read_gre(frame, *quote)
                                                         : false;
  if (!known) return {};
  return TunnelError{quote->kind, quote->from, quote->tunnel, quote->packet_bytes, quote->mtu};
}

}  // namespace causeway
