// Our structs laid over scapy's packets: each field where the RFC has it.
#include "dataplane/wire/arp.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/geneve.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/tcp.h"
#include "dataplane/wire/udp.h"
#include "dataplane/wire/vlan.h"
#include "dataplane/wire/vxlan.h"
#include "tests/catch.h"
#include "tests/support/frames.h"
#include "tests/support/mbufs.h"

using namespace causeway;
using namespace causeway::test;

namespace {

// The header at `offset` of scapy's frame `name`, copied.
template <class Header>
Header read(const std::string& name, uint32_t offset) {
  static const Frames frames = Frames::load(WIRE_FRAMES);
  MbufPool pool(7);
  rte_mbuf* m = to_mbuf(pool, frames[name]);
  const Header* found = header_at<Header>(m, offset);
  const Header header = found == nullptr ? Header{} : *found;
  CHECK(found != nullptr);
  rte_pktmbuf_free(m);
  return header;
}

const MacAddress kSource{{2, 0, 0, 0, 1, 1}};
const MacAddress kDestination{{2, 0, 0, 0, 2, 2}};

}  // namespace

TEST_CASE("big-endian integers") {
  be16 port(0x1234);
  CHECK(port.get() == 0x1234);
  CHECK(reinterpret_cast<const uint8_t*>(&port)[0] == 0x12);
  CHECK(be16::from_raw(port.raw()) == port);
  port.set(0xffee);
  CHECK(port == be16(0xffee));
  const be32 sequence(0x01020304);
  CHECK(sequence.get() == 0x01020304);
  CHECK(reinterpret_cast<const uint8_t*>(&sequence)[3] == 4);
  be24 vni(0xff123456);
  CHECK(vni.get() == 0x123456);
  CHECK(reinterpret_cast<const uint8_t*>(&vni)[0] == 0x12);
  static_assert(!std::is_convertible_v<uint16_t, be16> && !std::is_convertible_v<be16, uint16_t>);
  static_assert(!std::is_convertible_v<uint32_t, be24> && !std::is_convertible_v<be24, uint32_t>);
}

TEST_CASE("a header is read only within the first segment") {
  MbufPool pool(7);
  rte_mbuf* m = to_mbuf(pool, Bytes(100, 1), {60});
  CHECK(header_at<Ipv4Header>(m, 40) != nullptr);
  CHECK(header_at<Ipv4Header>(m, 41) == nullptr);
  CHECK(header_at<Ipv4Header>(m, 60) == nullptr);
  CHECK(header_at<Ipv4Header>(m, 0xffffffff) == nullptr);
  CHECK(header_at<Ipv4Header>(m, 0xfffffff0) == nullptr);
  rte_pktmbuf_free(m);
}

TEST_CASE("Ethernet, VLAN, IPv4, TCP") {
  const auto ethernet = read<EthernetHeader>("header.vlan-tcp", 0);
  CHECK(ethernet.source == kSource);
  CHECK(ethernet.destination == kDestination);
  CHECK(ethernet.ethertype.get() == kEtherTypeServiceVlan);
  const auto service = read<VlanHeader>("header.vlan-tcp", 14);
  CHECK(service.id() == 4094);
  CHECK(service.priority() == 7);
  CHECK(service.drop_eligible());
  CHECK(service.ethertype.get() == kEtherTypeVlan);
  const auto customer = read<VlanHeader>("header.vlan-tcp", 18);
  CHECK(customer.id() == 1);
  CHECK(customer.priority() == 2);
  CHECK_FALSE(customer.drop_eligible());
  CHECK(customer.ethertype.get() == kEtherTypeIpv4);
  const auto ip = read<Ipv4Header>("header.vlan-tcp", 22);
  CHECK(ip.version() == 4);
  CHECK(ip.header_bytes() == 20);
  CHECK(ip.tos == 0x2b);
  CHECK(ip.ecn() == kEcnCongestion);
  CHECK(ip.total_bytes.get() == 20 + 24 + 3);
  CHECK(ip.id.get() == 0xbeef);
  CHECK(ip.dont_fragment());
  CHECK_FALSE(ip.is_fragment());
  CHECK(ip.ttl == 61);
  CHECK(ip.protocol == kIpProtocolTcp);
  CHECK(ip.source_address() == IpAddress::v4(10, 1, 2, 3));
  CHECK(ip.destination_address() == IpAddress::v4(10, 4, 5, 6));
  const auto tcp = read<TcpHeader>("header.vlan-tcp", 42);
  CHECK(tcp.source_port.get() == 1234);
  CHECK(tcp.destination_port.get() == 80);
  CHECK(tcp.sequence.get() == 0x01020304);
  CHECK(tcp.acknowledgment.get() == 0x05060708);
  CHECK(tcp.header_bytes() == 24);
  CHECK(tcp.flags == (kTcpSyn | kTcpEce | kTcpCwr));
  CHECK(tcp.window.get() == 0x1112);
  CHECK(tcp.urgent_pointer.get() == 0x1314);
}

TEST_CASE("fragments") {
  CHECK(read<Ipv4Header>("header.first-fragment", 14).is_fragment());
  CHECK(read<Ipv4Header>("header.last-fragment", 14).is_fragment());
  CHECK((read<Ipv4Header>("header.last-fragment", 14).fragment.get() & kIpv4FragmentOffsetMask) == 185);
}

TEST_CASE("ARP") {
  const auto arp = read<ArpPacket>("header.arp", 14);
  CHECK(arp.hardware_type.get() == kArpHardwareEthernet);
  CHECK(arp.protocol_type.get() == kEtherTypeIpv4);
  CHECK(arp.hardware_bytes == 6);
  CHECK(arp.protocol_bytes == 4);
  CHECK(arp.operation.get() == kArpReply);
  CHECK(arp.sender_mac == kSource);
  CHECK(arp.sender_address() == IpAddress::v4(10, 0, 0, 1));
  CHECK(arp.target_mac == kDestination);
  CHECK(arp.target_address() == IpAddress::v4(10, 0, 0, 2));
}

TEST_CASE("ICMP echo and fragmentation needed") {
  const auto echo = read<IcmpEcho>("header.echo", 34);
  CHECK(echo.icmp.type == kIcmpEchoRequest);
  CHECK(echo.identifier.get() == 0x1234);
  CHECK(echo.sequence.get() == 7);
  const auto too_big = read<IcmpUnreachable>("header.fragmentation-needed", 34);
  CHECK(too_big.icmp.type == kIcmpUnreachable);
  CHECK(too_big.icmp.code == kIcmpCodeFragmentationNeeded);
  CHECK(too_big.next_hop_mtu_bytes.get() == 1400);
}

TEST_CASE("IPv6, ICMPv6 and neighbor discovery") {
  const auto target = [](uint8_t last) {
    IpAddress a;
    a.bytes[0] = 0xfe;
    a.bytes[1] = 0x80;
    a.bytes[15] = last;
    return a;
  };
  const auto ip = read<Ipv6Header>("header.solicitation", 14);
  CHECK(ip.version() == 6);
  CHECK(ip.traffic_class() == 0xb9);
  CHECK(ip.ecn() == kEcnCapable1);
  CHECK(ip.flow_label() == 0xabcde);
  CHECK(ip.version_class_flow == Ipv6Header::version_class_flow_of(0xb9, 0xabcde));
  CHECK(ip.payload_bytes.get() == 32);
  CHECK(ip.next_header == kIpProtocolIcmpv6);
  CHECK(ip.hop_limit == kNdHopLimit);
  CHECK(ip.source_address() == target(1));
  CHECK(ip.destination_address() == target(2));
  const auto solicitation = read<NeighborSolicitation>("header.solicitation", 54);
  CHECK(solicitation.icmp.type == kIcmpv6NeighborSolicitation);
  CHECK(solicitation.target_address() == target(9));
  const auto source = read<NdLinkAddressOption>("header.solicitation", 78);
  CHECK(source.option.type == kNdOptionSourceLinkAddress);
  CHECK(source.option.bytes() == 8);
  CHECK(source.mac == kSource);
  const auto advertisement = read<NeighborAdvertisement>("header.advertisement", 54);
  CHECK(advertisement.icmp.type == kIcmpv6NeighborAdvertisement);
  CHECK(advertisement.flags.get() == (kNdAdvertisementSolicited | kNdAdvertisementOverride));
  CHECK(advertisement.target_address() == target(9));
  CHECK(read<NdLinkAddressOption>("header.advertisement", 78).option.type == kNdOptionTargetLinkAddress);
  const auto too_big = read<Icmpv6PacketTooBig>("header.packet-too-big", 54);
  CHECK(too_big.icmp.type == kIcmpv6PacketTooBig);
  CHECK(too_big.mtu_bytes.get() == 1400);
}

TEST_CASE("UDP, VXLAN, GENEVE with options") {
  const auto udp = read<UdpHeader>("header.vxlan", 34);
  CHECK(udp.source_port.get() == 40000);
  CHECK(udp.destination_port.get() == kVxlanPort);
  CHECK(udp.length_bytes.get() == 8 + 8 + 14);
  const auto vxlan = read<VxlanHeader>("header.vxlan", 42);
  CHECK(vxlan.has_vni());
  CHECK(vxlan.flags == kVxlanFlagI);
  CHECK(vxlan.vni.get() == 0xabcdef);
  CHECK(read<UdpHeader>("header.geneve", 34).destination_port.get() == kGenevePort);
  const auto geneve = read<GeneveHeader>("header.geneve", 42);
  CHECK(geneve.version() == 0);
  CHECK(geneve.header_bytes() == 8 + 8 + 4);
  CHECK_FALSE(geneve.is_control());
  CHECK(geneve.has_critical());
  CHECK(geneve.protocol.get() == kEtherTypeTransparentEthernet);
  CHECK(geneve.vni.get() == 0x123456);
  const auto critical = read<GeneveOption>("header.geneve", 50);
  CHECK(critical.option_class.get() == 0x0102);
  CHECK(critical.is_critical());
  CHECK(critical.data_bytes() == 4);
  const auto ordinary = read<GeneveOption>("header.geneve", 58);
  CHECK(ordinary.option_class.get() == 0x0103);
  CHECK_FALSE(ordinary.is_critical());
  CHECK(ordinary.data_bytes() == 0);
  CHECK(read<GeneveHeader>("header.geneve-control", 42).is_control());
}

TEST_CASE("GRE with and without its optional words") {
  const auto bare = read<GreHeader>("header.gre", 34);
  CHECK(bare.header_bytes() == 4);
  CHECK(bare.protocol.get() == kEtherTypeTransparentEthernet);
  CHECK(bare.version() == 0);
  CHECK((bare.flags_version.get() & kGreMustBeZero) == 0);
  const auto full = read<GreHeader>("header.gre-full", 34);
  CHECK(full.has_checksum());
  CHECK(full.has_key());
  CHECK(full.has_sequence());
  CHECK(full.header_bytes() == 16);
  CHECK(read<be32>("header.gre-full", 34U + full.key_offset()).get() == 0x01020304);
  CHECK(read<be32>("header.gre-full", 34U + full.sequence_offset()).get() == 0x05060708);
  const auto keyed = read<GreHeader>("header.gre-key", 34);
  CHECK_FALSE(keyed.has_checksum());
  CHECK(keyed.header_bytes() == 8);
  CHECK(read<be32>("header.gre-key", 34U + keyed.key_offset()).get() == 0x01020304);
  CHECK(read<GreHeader>("header.gre-routing", 34).flags() == kGreFlagRouting);
  CHECK(read<GreHeader>("header.gre-version", 34).version() == 1);
}
