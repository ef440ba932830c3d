#include "pmd/generator/generator_frame.h"

#include <algorithm>

#include "dataplane/wire/geneve.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/udp.h"
#include "dataplane/wire/vxlan.h"

namespace causeway {
namespace {

constexpr uint8_t kOuterL3 = sizeof(EthernetHeader) + sizeof(Ipv4Header);
constexpr uint8_t kTtl = 64;

// Of the outer headers up to the tunnel's own.
uint8_t tunnel_header_offset(TunnelType type) {
  return static_cast<uint8_t>(kOuterL3 + (over_udp(type) ? sizeof(UdpHeader) : 0));
}

uint8_t outer_bytes(TunnelType type) {
  return type == TunnelType::none ? uint8_t{0} : static_cast<uint8_t>(tunnel_header_offset(type) + 8);
}

// An IPv4 header of `total_bytes` and its sum without the source address, and without the destination's if that is 0.
uint32_t put_ip(uint8_t* at, uint16_t total_bytes, uint8_t protocol, uint32_t destination) {
  Ipv4Header ip{};
  ip.version_ihl = Ipv4Header::kVersionIhl;
  ip.total_bytes.set(total_bytes);
  ip.fragment.set(kIpv4DontFragment);
  ip.ttl = kTtl;
  ip.protocol = protocol;
  const be32 wire(destination);
  std::memcpy(&ip.destination, &wire, sizeof(wire));
  std::memcpy(at, &ip, sizeof(ip));
  return sum_header(ip);
}

// Without a checksum.
void put_udp(uint8_t* at, uint16_t destination_port, uint16_t length_bytes) {
  UdpHeader udp{};
  udp.destination_port.set(destination_port);
  udp.length_bytes.set(length_bytes);
  std::memcpy(at, &udp, sizeof(udp));
}

}  // namespace

GeneratorFrames::GeneratorFrames(const GeneratorSettings& settings, const MacAddress& own_mac)
    : source_mac_(settings.source_mac, settings.flows),
      destination_mac_(settings.destination_mac, settings.flows),
      source_address_(settings.source_address, settings.flows),
      destination_address_(settings.destination_address, settings.flows),
      source_port_(settings.source_port, settings.flows),
      destination_port_(settings.destination_port, settings.flows),
      outer_source_(settings.tunnel.source_address, settings.flows),
      id_(settings.tunnel.id, settings.flows),
      rx_flags_(settings.tunnel.checksum == GeneratorTunnel::Checksum::verified
                    ? RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD
                    : 0),
      udp_checksum_mask_(settings.tunnel.checksum == GeneratorTunnel::Checksum::none ? 0 : 0xffff),
      udp_tunnel_(over_udp(settings.tunnel.mode)),
      id_shift_(udp_tunnel_ ? 8 : 0),
      id_offset_(static_cast<uint8_t>(tunnel_header_offset(settings.tunnel.mode) + 4)),
      outer_bytes_(outer_bytes(settings.tunnel.mode)) {
  for (const uint16_t bytes : settings.frame_bytes) templates_.push_back(make_template(settings, own_mac, bytes));
}

uint16_t GeneratorFrames::largest_bytes() const noexcept {
  size_t largest = 0;
  for (const Template& one : templates_) largest = std::max(largest, one.bytes.size());
  return static_cast<uint16_t>(largest);
}

GeneratorFrames::Template GeneratorFrames::make_template(const GeneratorSettings& settings, const MacAddress& own_mac,
                                                         uint16_t frame_bytes) const {
  Template made;
  made.frame_bytes = static_cast<uint16_t>(outer_bytes_ + frame_bytes);
  made.bytes.resize((made.frame_bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes);
  uint8_t* const ip = made.bytes.data() + outer_bytes_ + sizeof(EthernetHeader);
  const auto ip_bytes = static_cast<uint16_t>(frame_bytes - sizeof(EthernetHeader));
  made.ip_sum = put_ip(ip, ip_bytes, kIpProtocolUdp, 0);
  put_udp(ip + sizeof(Ipv4Header), 0, static_cast<uint16_t>(ip_bytes - sizeof(Ipv4Header)));
  if (outer_bytes_ != 0) put_outer_headers(settings, own_mac, made);
  return made;
}

void GeneratorFrames::put_outer_headers(const GeneratorSettings& settings, const MacAddress& own_mac,
                                        Template& made) const {
  const GeneratorTunnel& tunnel = settings.tunnel;
  uint8_t* const outer = made.bytes.data();
  const EthernetHeader ethernet{own_mac, tunnel.source_mac, be16(kEtherTypeIpv4)};
  std::memcpy(outer, &ethernet, sizeof(ethernet));
  const auto ip_bytes = static_cast<uint16_t>(made.frame_bytes - sizeof(EthernetHeader));
  made.outer_ip_sum = put_ip(outer + sizeof(EthernetHeader), ip_bytes, udp_tunnel_ ? kIpProtocolUdp : kIpProtocolGre,
                             tunnel.destination_address);
  uint8_t* const header = outer + tunnel_header_offset(tunnel.mode);
  if (udp_tunnel_) put_udp(outer + kOuterL3, tunnel.port, static_cast<uint16_t>(ip_bytes - sizeof(Ipv4Header)));
  if (tunnel.mode == TunnelType::geneve) {
    GeneveHeader geneve{};
    geneve.protocol.set(kEtherTypeTransparentEthernet);
    std::memcpy(header, &geneve, sizeof(geneve));
  } else if (tunnel.mode == TunnelType::vxlan) {
    header[0] = kVxlanFlagI;
  } else {
    const GreHeader gre{be16(kGreFlagKey), be16(kEtherTypeTransparentEthernet)};
    std::memcpy(header, &gre, sizeof(gre));
  }
  if (udp_tunnel_) made.outer_udp_sum = outer_udp_sum(made, tunnel.destination_address);
}

uint32_t GeneratorFrames::outer_udp_sum(const Template& made, uint32_t destination) const {
  const uint8_t* const udp = made.bytes.data() + kOuterL3;
  const uint8_t* const inner = made.bytes.data() + outer_bytes_;
  const uint8_t* const behind_ip = inner + sizeof(EthernetHeader) + sizeof(Ipv4Header);
  const uint8_t* const end = made.bytes.data() + made.frame_bytes;
  const be32 wire(destination);
  const be32 source;
  const auto udp_bytes = static_cast<uint32_t>(end - udp);
  const uint32_t pseudo_header = pseudo_header_sum_v4(&source, &wire, kIpProtocolUdp, udp_bytes);
  const uint32_t headers = sum_bytes(udp, static_cast<size_t>(inner - udp), pseudo_header);
  return sum_bytes(behind_ip, static_cast<size_t>(end - behind_ip), headers);
}

}  // namespace causeway
