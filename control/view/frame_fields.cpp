#include "control/view/frame_fields.h"

#include <cstddef>

#include "control/config/address_text.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/geneve.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/udp.h"
#include "dataplane/wire/vlan.h"
#include "dataplane/wire/vxlan.h"

namespace causeway {
namespace {

using nlohmann::json;
using Bytes = std::span<const uint8_t>;

// Null: the bytes end before.
template <typename Header>
const Header* at(Bytes bytes, size_t offset) {
  static_assert(alignof(Header) == 1);
  return offset + sizeof(Header) <= bytes.size() ? reinterpret_cast<const Header*>(bytes.data() + offset) : nullptr;
}

// Returns the bytes behind the Ethernet header and its tags, and their type in `ethertype`.
Bytes ethernet_fields(Bytes bytes, json& fields, const char* mac, const char* vlan, uint16_t& ethertype) {
  const auto* const ethernet = at<EthernetHeader>(bytes, 0);
  if (ethernet == nullptr) return {};
  fields[mac] = to_string(ethernet->source);
  ethertype = ethernet->ethertype.get();
  size_t offset = sizeof(EthernetHeader);
  while (is_vlan_ethertype(ethertype)) {
    const auto* const tag = at<VlanHeader>(bytes, offset);
    if (tag == nullptr) return {};
    if (!fields.contains(vlan)) fields[vlan] = tag->id();
    ethertype = tag->ethertype.get();
    offset += sizeof(VlanHeader);
  }
  return bytes.subspan(offset);
}

void inner_fields(Bytes bytes, json& fields) {
  uint16_t ethertype = 0;
  ethernet_fields(bytes, fields, "inner_mac", "inner_vlan", ethertype);
}

void udp_fields(Bytes bytes, const std::set<uint16_t>& tunnel_ports, json& fields) {
  const auto* const udp = at<UdpHeader>(bytes, 0);
  if (udp == nullptr) return;
  const uint16_t port = udp->destination_port.get();
  fields["udp_port"] = port;
  // VXLAN and GENEVE have their VNI at the same place.
  const auto* const geneve = at<GeneveHeader>(bytes, sizeof(UdpHeader));
  if (geneve == nullptr || !tunnel_ports.contains(port)) return;
  static_assert(offsetof(GeneveHeader, vni) == offsetof(VxlanHeader, vni));
  fields["vni"] = geneve->vni.get();
  const bool is_geneve = geneve->protocol.get() == kEtherTypeTransparentEthernet;
  const size_t inner = sizeof(UdpHeader) + (is_geneve ? geneve->header_bytes() : sizeof(VxlanHeader));
  if (inner < bytes.size()) inner_fields(bytes.subspan(inner), fields);
}

void gre_fields(Bytes bytes, json& fields) {
  const auto* const gre = at<GreHeader>(bytes, 0);
  if (gre == nullptr) return;
  const auto* const key = gre->has_key() ? at<be32>(bytes, gre->key_offset()) : nullptr;
  if (key != nullptr) fields["key"] = key->get();
  const size_t inner = gre->header_bytes();
  if (gre->protocol.get() == kEtherTypeTransparentEthernet && inner < bytes.size()) {
    inner_fields(bytes.subspan(inner), fields);
  }
}

void arp_fields(Bytes bytes, json& fields) {
  const auto* const arp = at<ArpPacket>(bytes, 0);
  if (arp == nullptr || arp->protocol_type.get() != kEtherTypeIpv4) return;
  fields["source"] = to_string(arp->sender_address());
  fields["destination"] = to_string(arp->target_address());
}

// Returns the bytes behind the IP header.
template <typename Header>
Bytes ip_fields(Bytes bytes, const Header& ip, size_t header_bytes, json& fields) {
  fields["source"] = to_string(ip.source_address());
  fields["destination"] = to_string(ip.destination_address());
  return header_bytes <= bytes.size() ? bytes.subspan(header_bytes) : Bytes{};
}

}  // namespace

json frame_fields(Bytes bytes, const std::set<uint16_t>& tunnel_ports) {
  json fields = json::object();
  uint16_t ethertype = 0;
  const Bytes packet = ethernet_fields(bytes, fields, "mac", "vlan", ethertype);
  Bytes payload;
  uint8_t protocol = 0;
  if (ethertype == kEtherTypeIpv4) {
    const auto* const ip = at<Ipv4Header>(packet, 0);
    if (ip == nullptr) return fields;
    payload = ip_fields(packet, *ip, ip->header_bytes(), fields);
    if ((ip->fragment.get() & kIpv4FragmentOffsetMask) != 0) return fields;
    protocol = ip->protocol;
  } else if (ethertype == kEtherTypeIpv6) {
    const auto* const ip = at<Ipv6Header>(packet, 0);
    if (ip == nullptr) return fields;
    payload = ip_fields(packet, *ip, sizeof(Ipv6Header), fields);
    protocol = ip->next_header;
  }
  if (ethertype == kEtherTypeArp) arp_fields(packet, fields);
  if (protocol == kIpProtocolUdp) udp_fields(payload, tunnel_ports, fields);
  if (protocol == kIpProtocolGre) gre_fields(payload, fields);
  return fields;
}

}  // namespace causeway
