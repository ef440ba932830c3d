#include "control/hosts/probes.h"

#include <cstring>

#include "control/underlay/neighbor_discovery.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/link_local.h"

namespace causeway {
namespace {

void write_arp_probe(rte_mbuf* frame, const MacAddress& prober, const IpAddress& ip, const MacAddress& mac) {
  struct Packet {
    EthernetHeader ethernet;
    ArpPacket arp;
  };
  constexpr uint16_t kMinFrameBytes = 60;
  auto* const bytes = rte_pktmbuf_append(frame, kMinFrameBytes);
  std::memset(bytes, 0, kMinFrameBytes);
  auto* const packet = reinterpret_cast<Packet*>(bytes);
  packet->ethernet = {mac, prober, be16(kEtherTypeArp)};
  packet->arp.hardware_type.set(kArpHardwareEthernet);
  packet->arp.protocol_type.set(kEtherTypeIpv4);
  packet->arp.hardware_bytes = 6;
  packet->arp.protocol_bytes = 4;
  packet->arp.operation.set(kArpRequest);
  packet->arp.sender_mac = prober;
  std::memcpy(&packet->arp.target_ip, ip.v4_wire(), sizeof(packet->arp.target_ip));
}

}  // namespace

void write_host_probe(rte_mbuf* frame, const MacAddress& prober, uint16_t vlan, const IpAddress& ip,
                      const MacAddress& mac) {
  if (ip.is_v4()) {
    write_arp_probe(frame, prober, ip, mac);
  } else {
    write_solicitation(frame, prober, link_local_address(prober), ip, mac);
  }
  if (vlan != 0) push_tag(frame, vlan);  // an empty frame has room in front
}

}  // namespace causeway
