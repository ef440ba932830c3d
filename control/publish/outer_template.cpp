#include "control/publish/outer_template.h"

#include <cstring>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/erspan.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/geneve.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/udp.h"
#include "dataplane/wire/vxlan.h"

namespace causeway {
namespace {

// Headers one behind the other, front to back.
class HeaderWriter {
 public:
  template <class Header>
  void add(const Header& header) {
    static_assert(alignof(Header) == 1);
    std::memcpy(&bytes_.at(size_), &header, sizeof(header));
    size_ += sizeof(header);
  }
  uint8_t size() const { return static_cast<uint8_t>(size_); }
  const uint8_t* data() const { return bytes_.data(); }

 private:
  std::array<uint8_t, OuterTemplate::kCapacity> bytes_{};
  size_t size_ = 0;
};

// The ECN field is the inner frame's, whatever `tos` says (RFC 6040 section 4.1).
uint8_t fixed_tos(const config::Tunnel& tunnel) { return tunnel.tos & static_cast<uint8_t>(~kEcnMask); }

Ipv4Header ipv4_header(const config::Tunnel& tunnel, const IpAddress& remote, uint8_t protocol) {
  Ipv4Header ip{};
  ip.version_ihl = Ipv4Header::kVersionIhl;
  ip.tos = fixed_tos(tunnel);
  ip.fragment.set(kIpv4DontFragment);
  ip.ttl = tunnel.ttl;
  ip.protocol = protocol;
  std::memcpy(&ip.source, tunnel.local.v4_wire(), 4);
  std::memcpy(&ip.destination, remote.v4_wire(), 4);
  return ip;
}

Ipv6Header ipv6_header(const config::Tunnel& tunnel, const IpAddress& remote, uint8_t protocol) {
  Ipv6Header ip{};
  ip.version_class_flow = Ipv6Header::version_class_flow_of(fixed_tos(tunnel), 0);
  ip.next_header = protocol;
  ip.hop_limit = tunnel.ttl;
  ip.source = tunnel.local.bytes;
  ip.destination = remote.bytes;
  return ip;
}

uint32_t sent_id(const config::Tunnel& tunnel) {
  const uint32_t id = tunnel.sent_id.value_or(tunnel.id.value_or(0));
  return tunnel.mode == TunnelType::nvgre ? nvgre_key(id) : id;
}

void add_gre(HeaderWriter& out, const config::Tunnel& tunnel) {
  const bool checksum = tunnel.checksum.value_or(false);
  GreHeader gre{};
  gre.flags_version.set(static_cast<uint16_t>((checksum ? kGreFlagChecksum : 0) | (tunnel.id ? kGreFlagKey : 0) |
                                              (tunnel.sequence ? kGreFlagSequence : 0)));
  gre.protocol.set(kEtherTypeTransparentEthernet);
  out.add(gre);
  if (checksum) out.add(be32{});
  if (tunnel.id) out.add(be32(sent_id(tunnel)));
  if (tunnel.sequence) out.add(be32{});
}

void add_erspan(HeaderWriter& out, const config::Tunnel& tunnel) {
  const bool numbers = tunnel.numbers();
  out.add(GreHeader{be16(numbers ? kGreFlagSequence : uint16_t{0}), be16(kEtherTypeErspan)});
  if (!numbers) return;
  out.add(be32{});
  out.add(ErspanHeader{be16(kErspanTypeTwo), be16(static_cast<uint16_t>(tunnel.id.value_or(0))),
                       be32(tunnel.erspan_index)});
}

// RFC 8926 sections 3.4 and 3.5: the C bit of the header says that one of the options has it.
void add_geneve(HeaderWriter& out, const config::Tunnel& tunnel) {
  GeneveHeader header{0, 0, be16(kEtherTypeTransparentEthernet), be24(sent_id(tunnel)), 0};
  size_t words = 0;
  for (const config::GeneveOption& option : tunnel.options) {
    words += 1 + option.data.size() / 4;
    if ((option.type & kGeneveOptionCritical) != 0) header.flags = kGeneveFlagCritical;
  }
  header.version_options = static_cast<uint8_t>(words);
  out.add(header);
  for (const config::GeneveOption& option : tunnel.options) {
    out.add(GeneveOption{be16(option.option_class), option.type, static_cast<uint8_t>(option.data.size() / 4)});
    for (const uint8_t byte : option.data) out.add(byte);
  }
}

void add_tunnel_header(HeaderWriter& out, const config::Tunnel& tunnel) {
  switch (tunnel.mode) {
    case TunnelType::none:
      break;
    case TunnelType::geneve:
      return add_geneve(out, tunnel);
    case TunnelType::vxlan:
      return out.add(VxlanHeader{kVxlanFlagI, be24{}, be24(sent_id(tunnel)), 0});
    case TunnelType::gretap:
    case TunnelType::nvgre:
      return add_gre(out, tunnel);
    case TunnelType::erspan:
      return add_erspan(out, tunnel);
  }
}

}  // namespace

void build_outer(Adjacency& adjacency, const config::Tunnel& tunnel, const IpAddress& remote, const MacAddress& source,
                 const MacAddress& destination) {
  adjacency.kind = tunnel.mode;
  adjacency.ipv6 = remote.is_v6();
  adjacency.tos = fixed_tos(tunnel);
  adjacency.inherit_tos = tunnel.tos_inherit;
  adjacency.receive_rules = static_cast<uint8_t>((tunnel.allow_zero_checksum ? kZeroChecksumOk : 0) |
                                                 (tunnel.match_options ? kMatchOptions : 0));
  const bool udp = over_udp(adjacency.kind);
  adjacency.udp_checksum = udp && tunnel.checksum.value_or(adjacency.ipv6);

  HeaderWriter out;
  out.add(EthernetHeader{destination, source, be16(adjacency.ipv6 ? kEtherTypeIpv6 : kEtherTypeIpv4)});
  adjacency.ip_offset = out.size();
  const uint8_t protocol = row_of(adjacency.kind).ip_protocol;
  if (adjacency.ipv6) {
    out.add(ipv6_header(tunnel, remote, protocol));
    adjacency.ip_sum = 0;
  } else {
    const Ipv4Header ip = ipv4_header(tunnel, remote, protocol);
    out.add(ip);
    adjacency.ip_sum = fold(sum_header(ip));
  }
  adjacency.udp_offset = out.size();
  if (udp) out.add(UdpHeader{be16{}, be16(tunnel.port), be16{}, be16{}});
  add_tunnel_header(out, tunnel);
  adjacency.outer_bytes = out.size();
  if (udp) {
    const uint8_t* const addresses = out.data() + adjacency.udp_offset - (adjacency.ipv6 ? 32 : 8);
    const uint32_t protocol_sum = be16(kIpProtocolUdp).raw();
    // Addresses, UDP and what follows stand in a row; the pseudo-header lacks only the protocol.
    adjacency.l4_sum = fold(sum_bytes(addresses, out.data() + out.size() - addresses, protocol_sum));
  } else {
    adjacency.l4_sum = fold(sum_bytes(out.data() + adjacency.udp_offset, size_t{out.size()} - adjacency.udp_offset));
  }
  std::memcpy(adjacency.outer.data.data() + OuterTemplate::kCapacity - out.size(), out.data(), out.size());
}

}  // namespace causeway
