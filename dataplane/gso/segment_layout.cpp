#include "dataplane/gso/segment_layout.h"

#include <algorithm>
#include <cstddef>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/tcp.h"
#include "dataplane/wire/udp.h"
#include "dataplane/wire/vlan.h"

namespace causeway {
namespace {

// IANA's protocol numbers of what stands between IP headers and has no length of its own.
constexpr uint8_t kIpProtocolIpv4 = 4;
constexpr uint8_t kIpProtocolIpv6 = 41;
constexpr uint8_t kIpProtocolL2tp = 115;      // RFC 3931 section 4.1.1
constexpr uint8_t kIpProtocolMpls = 137;      // RFC 4023
constexpr uint8_t kIpProtocolEthernet = 143;  // RFC 8986 section 4.9: SRv6

constexpr uint16_t kEtherTypeMpls = 0x8847;  // RFC 5332
constexpr uint16_t kEtherTypeMplsMulticast = 0x8848;
constexpr uint16_t kEtherTypeNsh = 0x894f;  // RFC 8300

// Over hop-by-hop, routing and destination options (RFC 8200 section 4.1) to the L4 header.
void skip_extension_headers(HeaderBytes headers, NetworkHeader& ip) noexcept {
  struct Extension {
    uint8_t next_header;
    uint8_t length_units;  // of 8 bytes behind the first 8
  };
  while (ip.protocol == kIpv6HopByHop || ip.protocol == kIpv6Routing || ip.protocol == kIpv6DestinationOptions) {
    const auto* extension = headers.at<Extension>(ip.l4);
    if (extension == nullptr) {
      ip.l4 = 0;
      return;
    }
    ip.protocol = extension->next_header;
    ip.l4 += 8U + extension->length_units * 8U;
  }
}

NetworkHeader ipv4_at(HeaderBytes headers, uint32_t offset) noexcept {
  const auto* ip = headers.at<Ipv4Header>(offset);
  if (ip == nullptr || ip->version() != 4 || ip->header_bytes() < sizeof(Ipv4Header) || ip->is_fragment()) return {};
  return {offset, offset + ip->header_bytes(), ip->protocol, true};
}

NetworkHeader ipv6_at(HeaderBytes headers, uint32_t offset) noexcept {
  const auto* ip = headers.at<Ipv6Header>(offset);
  if (ip == nullptr || ip->version() != 6) return {};
  NetworkHeader found{offset, offset + static_cast<uint32_t>(sizeof(Ipv6Header)), ip->next_header, false};
  skip_extension_headers(headers, found);
  return found;
}

struct Ethertype {
  uint16_t value;
  uint32_t behind;  // offset of what it speaks of; 0: cut off
};

Ethertype ethertype_at(HeaderBytes headers, uint32_t offset) noexcept {
  const auto* ethernet = headers.at<EthernetHeader>(offset);
  if (ethernet == nullptr) return {0, 0};
  Ethertype found{ethernet->ethertype.get(), offset + static_cast<uint32_t>(sizeof(EthernetHeader))};
  while (is_vlan_ethertype(found.value)) {
    const auto* vlan = headers.at<VlanHeader>(found.behind);
    if (vlan == nullptr) return {0, 0};
    found.value = vlan->ethertype.get();
    found.behind += static_cast<uint32_t>(sizeof(VlanHeader));
  }
  return found;
}

NetworkHeader ip_of(HeaderBytes headers, Ethertype type) noexcept {
  if (type.value == kEtherTypeIpv4) return ipv4_at(headers, type.behind);
  if (type.value == kEtherTypeIpv6) return ipv6_at(headers, type.behind);
  return {};
}

// Bytes from the IP header to the packet's end, as it says itself.
uint32_t ip_bytes(HeaderBytes headers, const NetworkHeader& ip) noexcept {
  return ip.is_v4 ? headers.at<Ipv4Header>(ip.l3)->total_bytes.get()
                  : headers.at<Ipv6Header>(ip.l3)->payload_bytes.get() + static_cast<uint32_t>(sizeof(Ipv6Header));
}

// Follows a frame's headers to the L4 header that the Intent names, and writes down the tunnels on the way.
class Walk {
 public:
  Walk(HeaderBytes headers, const Intent& intent, uint32_t frame_bytes, SegmentLayout& layout) noexcept
      : headers_(headers), goal_(intent.csum_start), frame_bytes_(frame_bytes), layout_(layout) {}

  // Each of these: from `offset` to the goal, whose IP header is then inner().
  bool from_ethernet(uint32_t offset) noexcept {
    const Ethertype type = ethertype_at(headers_, offset);
    return type.behind != 0 && from_ethertype(type);
  }
  const NetworkHeader& inner() const noexcept { return inner_; }

 private:
  bool from_ethertype(Ethertype type) noexcept {
    switch (type.value) {
      case kEtherTypeIpv4:
      case kEtherTypeIpv6:
        return from_ip(ip_of(headers_, type));
      case kEtherTypeTransparentEthernet:
        return from_ethernet(type.behind);
      case kEtherTypeMpls:
      case kEtherTypeMplsMulticast:
      case kEtherTypeNsh:
        return search(type.behind);
      default:
        return false;
    }
  }

  bool from_ip(const NetworkHeader& ip) noexcept {
    if (ip.l4 == 0 || ip.l4 > goal_) return false;
    if (ip.l3 + ip_bytes(headers_, ip) != frame_bytes_) return false;  // padding must not become payload
    if (ip.l4 == goal_) {
      inner_ = ip;
      return true;
    }
    if (layout_.tunnel_count == kMaxTunnels) return false;
    TunnelLayout& tunnel = layout_.tunnels[layout_.tunnel_count++];
    tunnel = {static_cast<uint16_t>(ip.l3), static_cast<uint16_t>(ip.l4), ip.is_v4, TunnelLayout::L4::none};
    if (from_protocol(ip.protocol, ip.l4, tunnel)) return true;
    --layout_.tunnel_count;
    return false;
  }

  bool from_protocol(uint8_t protocol, uint32_t offset, TunnelLayout& tunnel) noexcept {
    switch (protocol) {
      case kIpProtocolIpv4:
        return from_ip(ipv4_at(headers_, offset));
      case kIpProtocolIpv6:
        return from_ip(ipv6_at(headers_, offset));
      case kIpProtocolUdp:
        tunnel.kind = TunnelLayout::L4::udp;
        return search(offset + static_cast<uint32_t>(sizeof(UdpHeader)));
      case kIpProtocolGre:
        tunnel.kind = TunnelLayout::L4::gre;
        return from_gre(offset);
      case kIpProtocolEthernet:
        return from_ethernet(offset);
      case kIpProtocolL2tp:
      case kIpProtocolMpls:
        return search(offset);
      default:
        return false;
    }
  }

  // Version 1 (RFC 2637, PPTP) has a length of its own. Sequence numbers are copied, as Linux does.
  bool from_gre(uint32_t offset) noexcept {
    const auto* gre = headers_.at<GreHeader>(offset);
    if (gre == nullptr || gre->version() != 0 || (gre->flags() & kGreFlagRouting) != 0) return false;
    return from_ethertype({gre->protocol.get(), offset + gre->header_bytes()});
  }

  // The first IP header from `offset` on that leads to the goal. Sums don't add up across odd offsets.
  bool search(uint32_t offset) noexcept {
    for (; offset < goal_; offset += 2) {
      const auto* v4 = headers_.at<Ipv4Header>(offset);
      if (v4 == nullptr) return false;
      if (v4->version() == 6) {
        if (from_ip(ipv6_at(headers_, offset))) return true;
      } else if (v4->version() == 4 && offset + v4->header_bytes() <= headers_.count && ipv4_checksum_valid(*v4)) {
        if (from_ip(ipv4_at(headers_, offset))) return true;
      }
    }
    return false;
  }

  HeaderBytes headers_;
  uint32_t goal_;
  uint32_t frame_bytes_;
  SegmentLayout& layout_;
  NetworkHeader inner_;
};

}  // namespace

NetworkHeader find_ip(HeaderBytes headers, uint32_t offset) noexcept {
  const Ethertype type = ethertype_at(headers, offset);
  return type.behind != 0 ? ip_of(headers, type) : NetworkHeader{};
}

bool find_outer(HeaderBytes headers, const Intent& intent, SegmentLayout& layout) noexcept {
  if (intent.tunnel_bytes == 0) return true;
  headers.count = std::min<uint32_t>(headers.count, intent.tunnel_bytes);
  const NetworkHeader ip = find_ip(headers, 0);
  if (ip.l4 == 0) return false;
  const bool is_udp = ip.protocol == kIpProtocolUdp;
  layout.tunnels[0] = {static_cast<uint16_t>(ip.l3), static_cast<uint16_t>(ip.l4), ip.is_v4,
                       is_udp ? TunnelLayout::L4::udp : TunnelLayout::L4::gre};
  layout.tunnel_count = 1;
  layout.first_is_encaps = true;
  if (is_udp) return headers.at<UdpHeader>(ip.l4) != nullptr;
  const auto* gre = ip.protocol == kIpProtocolGre ? headers.at<GreHeader>(ip.l4) : nullptr;
  return gre != nullptr && ip.l4 + gre->header_bytes() <= headers.count;
}

bool find_inner(HeaderBytes headers, const Intent& intent, uint32_t frame_bytes, SegmentLayout& layout) noexcept {
  NetworkHeader ip = find_ip(headers, intent.tunnel_bytes);
  if (ip.l4 == intent.csum_start && ip.l4 != 0) [[likely]] {
    if (ip.l3 + ip_bytes(headers, ip) != frame_bytes) return false;  // padding must not become payload
  } else {
    Walk walk(headers, intent, frame_bytes, layout);
    if (intent.outer() != Outer::other || !walk.from_ethernet(intent.tunnel_bytes)) return false;
    ip = walk.inner();
  }
  const bool tcp = intent.gso_type == GsoType::tcp4 || intent.gso_type == GsoType::tcp6;
  const bool v4 = intent.gso_type == GsoType::tcp4 || intent.gso_type == GsoType::udp4;
  if (ip.is_v4 != v4 || ip.protocol != (tcp ? kIpProtocolTcp : kIpProtocolUdp)) return false;
  if (intent.csum_offset != (tcp ? offsetof(TcpHeader, checksum) : offsetof(UdpHeader, checksum))) return false;
  uint32_t l4_header_bytes = sizeof(UdpHeader);
  if (tcp) {
    const auto* header = headers.at<TcpHeader>(ip.l4);
    if (header == nullptr || header->header_bytes() < sizeof(TcpHeader)) return false;
    l4_header_bytes = header->header_bytes();
  }
  if (ip.l4 + l4_header_bytes > headers.count) return false;
  layout.inner_l3 = static_cast<uint16_t>(ip.l3);
  layout.l4 = static_cast<uint16_t>(ip.l4);
  layout.header_bytes = static_cast<uint16_t>(ip.l4 + l4_header_bytes);
  layout.inner_is_v4 = v4;
  layout.is_tcp = tcp;
  return true;
}

}  // namespace causeway
