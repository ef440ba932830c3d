#include "control/port/probe.h"

#include <cstring>

#include "control/publish/outer_template.h"
#include "dataplane/gso/segment.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/tcp.h"
#include "dataplane/wire/udp.h"

namespace causeway {
namespace {

// All of it fits one mbuf, outer headers included, for ports that take no chains.
constexpr uint16_t kGsoBytes = 400;
constexpr uint32_t kPayloadBytes = (kProbeSegments - 1) * kGsoBytes + 251;
constexpr MacAddress kStation{{0x02, 0, 0, 0, 0, 0x01}};
constexpr MacAddress kOtherStation{{0x02, 0, 0, 0, 0, 0x02}};

IpAddress documentation_v6(uint8_t last) {
  IpAddress address;
  address.bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
  return address;
}

bool is_v6(GsoType type) { return type == GsoType::tcp6 || type == GsoType::udp6; }
bool is_udp(GsoType type) { return type == GsoType::udp4 || type == GsoType::udp6; }

template <typename Header>
void append(std::vector<uint8_t>& bytes, const Header& header) {
  const auto* from = reinterpret_cast<const uint8_t*>(&header);
  bytes.insert(bytes.end(), from, from + sizeof(header));
}

// The L4 header with the pseudo-header's sum in its checksum field.
void append_l4(std::vector<uint8_t>& bytes, const OffloadProbe& probe, uint32_t pseudo_sum, uint32_t l4_bytes) {
  const be16 partial = be16::from_raw(fold(pseudo_sum));
  const auto port = static_cast<uint16_t>(4096 + probe.flow);
  if (is_udp(probe.cut)) {
    append(bytes, UdpHeader{be16(port), be16(9), be16(static_cast<uint16_t>(l4_bytes)), partial});
    return;
  }
  TcpHeader tcp{};
  tcp.source_port.set(port);
  tcp.destination_port.set(9);
  tcp.sequence.set(0xffff'ff00);  // wraps on its way
  tcp.acknowledgment.set(1);
  tcp.data_offset = 5 << 4;
  tcp.flags = kTcpAck | kTcpPsh;
  tcp.window.set(512);
  tcp.checksum = partial;
  append(bytes, tcp);
}

// Ethernet to payload; `l4` is where the L4 header starts.
std::vector<uint8_t> inner_frame(const OffloadProbe& probe, uint16_t& l4) {
  std::vector<uint8_t> bytes;
  const GsoType type = probe.cut;
  const uint32_t payload_bytes = type == GsoType::none ? 99 : kPayloadBytes;
  const uint32_t l4_bytes = payload_bytes + static_cast<uint32_t>(is_udp(type) ? sizeof(UdpHeader) : sizeof(TcpHeader));
  const uint8_t protocol = is_udp(type) ? kIpProtocolUdp : kIpProtocolTcp;
  append(bytes, EthernetHeader{kOtherStation, kStation, be16(is_v6(type) ? kEtherTypeIpv6 : kEtherTypeIpv4)});
  if (is_v6(type)) {
    Ipv6Header ip{};
    ip.version_class_flow = Ipv6Header::version_class_flow_of(0, 0x12345);
    ip.payload_bytes.set(static_cast<uint16_t>(l4_bytes));
    ip.next_header = protocol;
    ip.hop_limit = 64;
    ip.source = documentation_v6(3).bytes;
    ip.destination = documentation_v6(4).bytes;
    append(bytes, ip);
    l4 = static_cast<uint16_t>(bytes.size());
    append_l4(bytes, probe, pseudo_header_sum(ip, protocol, l4_bytes), l4_bytes);
  } else {
    Ipv4Header ip{};
    ip.version_ihl = Ipv4Header::kVersionIhl;
    ip.total_bytes.set(static_cast<uint16_t>(sizeof(ip) + l4_bytes));
    ip.id.set(0x1234);
    ip.fragment.set(kIpv4DontFragment);
    ip.ttl = 64;
    ip.protocol = protocol;
    std::memcpy(&ip.source, IpAddress::v4(198, 51, 100, 3).v4_wire(), 4);
    std::memcpy(&ip.destination, IpAddress::v4(198, 51, 100, 4).v4_wire(), 4);
    ip.checksum = ipv4_checksum(ip);
    append(bytes, ip);
    l4 = static_cast<uint16_t>(bytes.size());
    append_l4(bytes, probe, pseudo_header_sum(ip, protocol, l4_bytes), l4_bytes);
  }
  for (uint32_t i = 0; i < payload_bytes; ++i) bytes.push_back(static_cast<uint8_t>(i * 7 + i / 251));
  return bytes;
}

config::Tunnel tunnel_of(const OffloadProbe& probe) {
  const TunnelKey key = probe_tunnel(probe.outer);
  config::Tunnel tunnel;
  tunnel.mode = key.kind;
  tunnel.id = key.id;
  tunnel.port = key.udp_port;
  // The probe is seen as a frame that comes in.
  tunnel.local = key.remote;
  tunnel.remotes = {key.local};
  tunnel.checksum = probe.outer_checksum;
  return tunnel;
}

// Outer headers, their lengths and IPv4 checksum right for `inner_bytes` behind them.
std::vector<uint8_t> outer_headers(const OffloadProbe& probe, size_t inner_bytes) {
  Adjacency adjacency;
  const config::Tunnel tunnel = tunnel_of(probe);
  build_outer(adjacency, tunnel, tunnel.remotes.front(), kStation, kOtherStation);
  const auto* end = adjacency.outer.data.data() + OuterTemplate::kCapacity;
  std::vector<uint8_t> bytes(end - adjacency.outer_bytes, end);
  const size_t frame_bytes = bytes.size() + inner_bytes;
  if (adjacency.ipv6) {
    auto& ip = *reinterpret_cast<Ipv6Header*>(&bytes[adjacency.ip_offset]);
    ip.payload_bytes.set(static_cast<uint16_t>(frame_bytes - adjacency.ip_offset - sizeof(ip)));
  } else {
    auto& ip = *reinterpret_cast<Ipv4Header*>(&bytes[adjacency.ip_offset]);
    ip.total_bytes.set(static_cast<uint16_t>(frame_bytes - adjacency.ip_offset));
    ip.checksum = ipv4_checksum(ip);
  }
  if (!over_udp(adjacency.kind)) return bytes;
  auto& udp = *reinterpret_cast<UdpHeader*>(&bytes[adjacency.udp_offset]);
  udp.source_port.set(40000);
  udp.length_bytes.set(static_cast<uint16_t>(frame_bytes - adjacency.udp_offset));
  if (probe.outer_checksum) udp.checksum = kOuterChecksumWanted;
  return bytes;
}

}  // namespace

TunnelKey probe_tunnel(Outer outer) {
  const auto* row = std::ranges::find(kOuterRows, outer, &OuterRow::outer);
  if (row == kOuterRows.end()) return {};
  const bool v6 = row->ipv6;
  TunnelKey key;
  key.kind = row->type;
  key.remote = v6 ? documentation_v6(1) : IpAddress::v4(192, 0, 2, 1);
  key.local = v6 ? documentation_v6(2) : IpAddress::v4(192, 0, 2, 2);
  key.id = 0xff'fffe;
  key.udp_port = row_of(key.kind).udp_port;
  return key;
}

rte_mbuf* make_probe(const OffloadProbe& probe, rte_mempool* pool) {
  uint16_t l4 = 0;
  const std::vector<uint8_t> inner = inner_frame(probe, l4);
  std::vector<uint8_t> bytes;
  if (probe.outer != Outer::none) bytes = outer_headers(probe, inner.size());
  Intent intent;
  intent.tunnel_bytes = static_cast<uint8_t>(bytes.size());
  intent.csum_start = static_cast<uint16_t>(bytes.size() + l4);
  intent.csum_offset = is_udp(probe.cut) ? 6 : 16;
  intent.set_outer(probe.outer);
  intent.outer_checksum = probe.outer_checksum ? 1 : 0;
  if (probe.cut != GsoType::none) {
    intent.gso_type = probe.cut;
    intent.gso_size = kGsoBytes;
  }
  bytes.insert(bytes.end(), inner.begin(), inner.end());
  rte_mbuf* const frame = rte_pktmbuf_alloc(pool);
  if (frame == nullptr) return nullptr;
  char* const to = rte_pktmbuf_append(frame, static_cast<uint16_t>(bytes.size()));
  if (to == nullptr) {
    rte_pktmbuf_free(frame);
    return nullptr;
  }
  std::memcpy(to, bytes.data(), bytes.size());
  set_intent(frame, intent, probe.cut != GsoType::none ? kIntentFlags : kNeedsChecksum);
  return frame;
}

}  // namespace causeway
