#include "control/sflow/datagram.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "dataplane/wire/big_endian.h"

namespace causeway::sflow {
namespace {

using Bytes = Datagram::Bytes;

// Data formats of enterprise 0.
enum Format : uint32_t {
  kFlowSample = 1,
  kCounterSample = 2,
  kRawPacketHeader = 1,
  kExtendedSwitch = 1001,
  kIpv4TunnelEgress = 1023,
  kIpv4TunnelIngress = 1024,
  kIpv6TunnelEgress = 1025,
  kIpv6TunnelIngress = 1026,
  kVniEgress = 1029,
  kVniIngress = 1030,
  kInterfaceCounters = 1,
  kPortName = 1005,
};
constexpr uint32_t kUnknownCounter = UINT32_MAX;
constexpr uint32_t kEthernetFcsBytes = 4;

class Writer {
 public:
  void word(uint32_t value) { append(be32(value)); }
  void quad(uint64_t value) { append(be64(value)); }
  void count(uint64_t value) { word(static_cast<uint32_t>(value)); }  // counters wrap
  void address(const IpAddress& ip) {
    bytes_.insert(bytes_.end(), ip.bytes.begin() + (ip.is_v4() ? 12 : 0), ip.bytes.end());
  }
  // A type, and as many bytes as that has.
  void typed_address(const IpAddress& ip) {
    enum Type : uint32_t { kUnknown, kIpv4, kIpv6 };
    if (ip.is_unspecified()) return word(kUnknown);
    word(ip.is_v4() ? kIpv4 : kIpv6);
    address(ip);
  }
  // With its length in front, filled up.
  void opaque(std::span<const uint8_t> data) {
    word(static_cast<uint32_t>(data.size()));
    bytes_.insert(bytes_.end(), data.begin(), data.end());
    bytes_.resize((bytes_.size() + 3) & ~size_t{3});
  }
  void structure(Format format, const Writer& inside) {
    word(format);
    opaque(inside.bytes_);
  }
  void bytes(const Bytes& all) { bytes_.insert(bytes_.end(), all.begin(), all.end()); }
  Bytes take() { return std::move(bytes_); }

 private:
  void append(const auto& number) {
    const auto* const from = reinterpret_cast<const uint8_t*>(&number);
    for (size_t i = 0; i < sizeof number; ++i) bytes_.push_back(from[i]);
  }
  Bytes bytes_;
};

Writer raw_header(const FlowRecord& record) {
  constexpr uint32_t kEthernet = 1;
  Writer out;
  out.word(kEthernet);
  out.word(record.frame_bytes + kEthernetFcsBytes);
  out.word(kEthernetFcsBytes);  // stripped
  out.opaque(record.header);
  return out;
}

// Frames keep their VLAN; a priority is in the header, where it has a tag.
Writer extended_switch(uint32_t vlan) {
  Writer out;
  for (int side = 0; side < 2; ++side) {
    out.word(vlan);
    out.word(0);
  }
  return out;
}

// sampled_ipv4 and sampled_ipv6 have the same members.
Writer outer_ip(const TunnelEnd& end) {
  Writer out;
  out.word(end.ip_bytes);
  out.word(end.protocol);
  out.address(end.source);
  out.address(end.destination);
  out.word(0);  // source port: it differs from flow to flow
  out.word(end.destination_port);
  out.word(0);  // TCP flags
  out.word(end.tos);
  return out;
}

// Returns how many structures that were.
uint32_t add_tunnel(Writer& out, const TunnelEnd& end, bool egress) {
  if (end.destination.is_v4()) {
    out.structure(egress ? kIpv4TunnelEgress : kIpv4TunnelIngress, outer_ip(end));
  } else {
    out.structure(egress ? kIpv6TunnelEgress : kIpv6TunnelIngress, outer_ip(end));
  }
  if (!end.vni) return 1;
  Writer vni;
  vni.word(*end.vni);
  out.structure(egress ? kVniEgress : kVniIngress, vni);
  return 2;
}

Writer interface_counters(const CounterRecord& record) {
  constexpr uint32_t kEthernetCsmacd = 6;  // ifType
  constexpr uint32_t kAdminUp = 1;
  constexpr uint32_t kOperUp = 2;
  Writer out;
  out.word(record.source.index);
  out.word(kEthernetCsmacd);
  out.quad(0);  // speed: unknown
  out.word(0);  // direction: unknown
  out.word(kAdminUp | (record.up ? kOperUp : 0));
  out.quad(record.rx_bytes);
  out.count(record.rx_packets);  // to whomever: nobody counts groups apart
  out.word(kUnknownCounter);
  out.word(kUnknownCounter);
  out.count(record.rx_drops);
  out.count(record.rx_errors);
  out.word(kUnknownCounter);  // unknown protocols
  out.quad(record.tx_bytes);
  out.count(record.tx_packets);
  out.word(kUnknownCounter);
  out.word(kUnknownCounter);
  out.count(record.tx_drops);
  out.count(record.tx_errors);
  out.word(0);  // promiscuous mode
  return out;
}

Writer port_name(std::string_view name) {
  Writer out;
  out.opaque({reinterpret_cast<const uint8_t*>(name.data()), std::min<size_t>(name.size(), 255)});
  return out;
}

Bytes sample(Format format, const Writer& inside) {
  Writer out;
  out.structure(format, inside);
  return out.take();
}

}  // namespace

Bytes Datagram::finish(const IpAddress& agent, uint32_t sequence, std::chrono::milliseconds uptime) {
  constexpr uint32_t kVersion = 5;
  Writer out;
  out.word(kVersion);
  out.typed_address(agent);
  out.word(0);  // sub-agent
  out.word(sequence);
  out.count(static_cast<uint64_t>(uptime.count()));
  out.word(std::exchange(count_, 0));
  out.bytes(samples_);
  samples_.clear();
  return out.take();
}

Bytes encode(const FlowRecord& record) {
  Writer structures;
  structures.structure(kRawPacketHeader, raw_header(record));
  structures.structure(kExtendedSwitch, extended_switch(record.vlan));
  uint32_t count = 2;
  if (record.ingress) count += add_tunnel(structures, *record.ingress, false);
  if (record.egress) count += add_tunnel(structures, *record.egress, true);
  Writer out;
  out.word(record.source.sequence);
  out.word(record.source.index);  // type 0: ifIndex
  out.word(record.sampling);
  out.word(record.pool);
  out.word(record.drops);
  out.word(record.input);
  out.word(record.output);
  out.word(count);
  out.bytes(structures.take());
  return sample(kFlowSample, out);
}

Bytes encode(const CounterRecord& record) {
  Writer out;
  out.word(record.source.sequence);
  out.word(record.source.index);
  out.word(2);
  out.structure(kInterfaceCounters, interface_counters(record));
  out.structure(kPortName, port_name(record.name));
  return sample(kCounterSample, out);
}

}  // namespace causeway::sflow
