#include "dataplane/ingress/for_host.h"

#include <algorithm>

#include "dataplane/to_control.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/udp.h"

namespace causeway {
namespace {

// https://www.iana.org/assignments/ieee-802-numbers: anything less is a length (IEEE 802.3).
constexpr uint16_t kLeastEtherType = 0x0600;

// https://www.iana.org/assignments/protocol-numbers
constexpr uint8_t kOspf = 89;
constexpr uint8_t kPim = 103;
constexpr uint8_t kVrrp = 112;

// https://www.iana.org/assignments/service-names-port-numbers
constexpr uint16_t kBgp = 179;
constexpr uint16_t kIke = 500;
constexpr uint16_t kIkeNat = 4500;  // ESP, too, but for four zero bytes (RFC 3948 section 2.2)
constexpr std::array<uint16_t, 3> kBfd{3784, 3785, 4784};
constexpr std::array<uint16_t, 2> kDhcpClients{68, 546};

// What begins TCP's and UDP's headers alike.
struct L4Ports {
  be16 source;
  be16 destination;
};
static_assert(sizeof(L4Ports) == 4 && alignof(L4Ports) == 1);

bool has(const auto& list, uint16_t port) noexcept { return std::ranges::find(list, port) != list.end(); }

HostKind kind_of_udp(const rte_mbuf* m, uint32_t offset, const L4Ports& ports) noexcept {
  const uint16_t to = ports.destination.get();
  if (has(kBfd, to) || has(kDhcpClients, to) || to == kIke) return HostKind::routing;
  if (to != kIkeNat) return HostKind::bulk;
  const auto* marker = header_at<be32>(m, offset + static_cast<uint32_t>(sizeof(UdpHeader)));
  return marker != nullptr && marker->get() == 0 ? HostKind::routing : HostKind::bulk;
}

// Of a packet that is no fragment but the first one.
HostKind kind_of_payload(const rte_mbuf* m, uint8_t protocol, uint32_t offset) noexcept {
  switch (protocol) {
    case kIpProtocolIcmp:
      return HostKind::icmp;
    case kIpProtocolIgmp:
    case kOspf:
    case kPim:
    case kVrrp:
      return HostKind::routing;
    case kIpProtocolIcmpv6: {
      const auto* icmp = header_at<IcmpHeader>(m, offset);
      const bool discovery =
          icmp != nullptr && icmp->type >= kIcmpv6RouterSolicitation && icmp->type <= kIcmpv6NeighborAdvertisement;
      return discovery ? HostKind::neighbor : HostKind::icmp;
    }
    case kIpProtocolTcp:
    case kIpProtocolUdp:
      break;
    default:
      return HostKind::bulk;
  }
  const auto* ports = header_at<L4Ports>(m, offset);
  if (ports == nullptr) return HostKind::bulk;
  if (protocol == kIpProtocolUdp) return kind_of_udp(m, offset, *ports);
  return ports->source.get() == kBgp || ports->destination.get() == kBgp ? HostKind::routing : HostKind::bulk;
}

// What an IP packet carries, one IPv6 extension header passed over.
struct Payload {
  uint8_t protocol = kIpv6NoNextHeader;
  uint32_t offset = 0;
  bool start = false;  // its first bytes are here: no fragment but the first one
};

Payload payload_of_ipv6(const rte_mbuf* m, uint32_t ip_offset) noexcept {
  const auto* ip = header_at<Ipv6Header>(m, ip_offset);
  if (ip == nullptr) return {};
  const uint32_t offset = ip_offset + static_cast<uint32_t>(sizeof(Ipv6Header));
  const uint8_t next = ip->next_header;
  const bool extension =
      next == kIpv6HopByHop || next == kIpv6Routing || next == kIpv6Fragment || next == kIpv6DestinationOptions;
  if (!extension) return {next, offset, true};
  const auto* header = header_at<Ipv6Extension>(m, offset);
  if (header == nullptr) return {};
  if (next != kIpv6Fragment) return {header->next_header, offset + header->bytes(), true};
  // RFC 8200 section 4.5: 8 bytes, in the third and fourth the offset, in the upper 13 bits.
  const auto* fragment = header_at<be16>(m, offset + 2);
  return {header->next_header, offset + 8, fragment != nullptr && fragment->get() >> 3 == 0};
}

Payload payload_of(const rte_mbuf* m) noexcept {
  constexpr uint32_t kIp = sizeof(EthernetHeader);
  const uint16_t type = header_at<EthernetHeader>(m, 0)->ethertype.get();
  if (type == kEtherTypeIpv6) return payload_of_ipv6(m, kIp);
  const auto* ip = type == kEtherTypeIpv4 ? header_at<Ipv4Header>(m, kIp) : nullptr;
  if (ip == nullptr) return {};
  return {ip->protocol, kIp + ip->header_bytes(), (ip->fragment.get() & kIpv4FragmentOffsetMask) == 0};
}

// First pieces of tunnels' packets and such with options, which nobody here takes: nor is the host to say anything to
// them.
bool is_tunnels(const WorkerContext& w, const rte_mbuf* m) noexcept {
  const Payload payload = payload_of(m);
  if (payload.protocol == kIpProtocolGre) return true;
  if (payload.protocol != kIpProtocolUdp || !payload.start) return false;
  const auto* udp = header_at<L4Ports>(m, payload.offset);
  if (udp == nullptr) return false;
  const uint16_t to = udp->destination.get();
  return std::ranges::any_of(*w.udp_listeners, [to](const UdpListener& listener) { return listener.port == to; });
}

// Unspecified: neither ARP nor IP.
IpAddress source_of(const rte_mbuf* m) noexcept {
  constexpr uint32_t kNetwork = sizeof(EthernetHeader);
  switch (header_at<EthernetHeader>(m, 0)->ethertype.get()) {
    case kEtherTypeArp: {
      const auto* arp = header_at<ArpPacket>(m, kNetwork);
      return arp != nullptr ? arp->sender_address() : IpAddress{};
    }
    case kEtherTypeIpv4: {
      const auto* ip = header_at<Ipv4Header>(m, kNetwork);
      return ip != nullptr ? ip->source_address() : IpAddress{};
    }
    case kEtherTypeIpv6: {
      const auto* ip = header_at<Ipv6Header>(m, kNetwork);
      return ip != nullptr ? ip->source_address() : IpAddress{};
    }
    default:
      return {};
  }
}

}  // namespace

HostKind host_kind_of(const rte_mbuf* m) noexcept {
  const uint16_t type = header_at<EthernetHeader>(m, 0)->ethertype.get();
  if (type == kEtherTypeArp) return HostKind::neighbor;
  if (type != kEtherTypeIpv4 && type != kEtherTypeIpv6) {
    return type < kLeastEtherType ? HostKind::routing : HostKind::bulk;
  }
  const Payload payload = payload_of(m);
  return payload.start ? kind_of_payload(m, payload.protocol, payload.offset) : HostKind::bulk;
}

bool is_hosts(const WorkerContext& w, const rte_mbuf* m, const OuterFrame& outer) noexcept {
  switch (outer.reason) {
    case DropReason::not_for_us:
      return outer.ip_offset != 0;  // else its MAC is another's
    case DropReason::unknown_ethertype:
    case DropReason::unknown_protocol:
      return true;
    case DropReason::ip_fragment:
    case DropReason::ip_options:
      return !is_tunnels(w, m);
    default:
      return false;
  }
}

void give_to_host(WorkerContext& w, rte_mbuf* m) noexcept {
  const HostKind what = host_kind_of(m);
  const auto kind = static_cast<size_t>(what);
  const HostShare& share = kHostShares[kind];
  RateLimit& sources = what == HostKind::neighbor ? w.urgent_sources : w.sources;
  const bool passes = share.of_one == 0 || sources.take(account_of(m, source_of(m)), share.of_one, w.now_s);
  if (!passes || !w.host_buckets[kind].take(w.tick, share.per_tick, share.most)) {
    return drop(w, m, DropReason::host_limit);
  }
  w.for_host[w.for_host_count++] = m;
}

}  // namespace causeway
