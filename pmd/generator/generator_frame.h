// The frames of a generator port: UDP over IPv4, alone or in a tunnel. Each is a copy of a template with the
// fields of its flow written in.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/udp.h"
#include "pmd/generator_settings.h"

namespace causeway {

class GeneratorFrames {
 public:
  // `own_mac`: the port's, the destination of tunnelled frames.
  GeneratorFrames(const GeneratorSettings& settings, const MacAddress& own_mac);

  size_t sizes() const noexcept { return templates_.size(); }
  // What a buffer must hold.
  uint16_t largest_bytes() const noexcept;

  // Fills an empty mbuf. `size` is an index below sizes().
  void write(rte_mbuf* m, uint32_t flow, size_t size) const noexcept;

 private:
  static constexpr size_t kBlockBytes = 64;
  struct Template {
    std::vector<uint8_t> bytes;  // whole blocks
    uint16_t frame_bytes = 0;
    uint32_t ip_sum = 0;         // of the IPv4 header, but for what write() puts in
    uint32_t outer_ip_sum = 0;   // the same of the outer one
    uint32_t outer_udp_sum = 0;  // of all that the outer UDP checksum is of, without what write() puts in
  };
  // A range with a modulo only where it is needed.
  struct Field {
    Field(const GeneratorRange& range, uint32_t flows)
        : first(range.first), count(range.count), whole(range.count >= flows) {}
    uint64_t at(uint32_t flow) const noexcept { return first + (whole ? flow : flow % count); }
    uint64_t first;
    uint32_t count;
    bool whole;
  };

  Template make_template(const GeneratorSettings& settings, const MacAddress& own_mac, uint16_t frame_bytes) const;
  void put_outer_headers(const GeneratorSettings& settings, const MacAddress& own_mac, Template& made) const;
  uint32_t outer_udp_sum(const Template& made, uint32_t destination) const;
  // `inner_sum`: of what write() puts into the inner frame, without the IP header, which adds nothing: its checksum is
  // right.
  void write_outer(uint8_t* outer, uint32_t flow, const Template& from, uint64_t inner_sum) const noexcept;

  template <class T>
  static void put(uint8_t* at, T value) noexcept {
    std::memcpy(at, &value, sizeof(value));
  }

  Field source_mac_;
  Field destination_mac_;
  Field source_address_;
  Field destination_address_;
  Field source_port_;
  Field destination_port_;
  Field outer_source_;
  Field id_;
  uint64_t rx_flags_;           // RTE_MBUF_F_RX_*, of tunnelled frames
  uint16_t udp_checksum_mask_;  // 0: none
  bool udp_tunnel_;
  uint8_t id_shift_;     // a VNI is the upper 24 bits of its word
  uint8_t id_offset_;    // of that word
  uint8_t outer_bytes_;  // 0: no tunnel
  std::vector<Template> templates_;
};

inline void GeneratorFrames::write_outer(uint8_t* outer, uint32_t flow, const Template& from,
                                         uint64_t inner_sum) const noexcept {
  static constexpr size_t kIp = sizeof(EthernetHeader);
  static constexpr size_t kUdp = kIp + sizeof(Ipv4Header);
  const be32 source(static_cast<uint32_t>(outer_source_.at(flow)));
  put(outer + kIp + offsetof(Ipv4Header, source), source);
  put(outer + kIp + offsetof(Ipv4Header, checksum), checksum_of(fold(uint64_t{from.outer_ip_sum} + source.raw())));
  const be32 id(static_cast<uint32_t>(id_.at(flow) << id_shift_));
  put(outer + id_offset_, id);
  if (!udp_tunnel_) return;
  // The source port tells inner flows apart, from the dynamic range (RFC 7348 section 5).
  const be16 port(static_cast<uint16_t>(0xc000 | (flow * 40503 & 0x3fff)));
  put(outer + kUdp, port);
  // Summed even if not wanted: then frames with and without cost the generator the same, and a difference is the
  // gateway's.
  const uint64_t sum = inner_sum + from.outer_udp_sum + source.raw() + id.raw() + port.raw();
  const auto checksum = static_cast<uint16_t>(udp_checksum_of(sum).raw() & udp_checksum_mask_);
  put(outer + kUdp + offsetof(UdpHeader, checksum), be16::from_raw(checksum));
}

inline void GeneratorFrames::write(rte_mbuf* m, uint32_t flow, size_t size) const noexcept {
  static constexpr size_t kIp = sizeof(EthernetHeader);
  static constexpr size_t kPorts = kIp + sizeof(Ipv4Header);
  const Template& from = templates_[size];
  auto* const outer = rte_pktmbuf_mtod(m, uint8_t*);
  for (size_t at = 0; at < from.bytes.size(); at += kBlockBytes) {
    std::memcpy(outer + at, from.bytes.data() + at, kBlockBytes);
  }
  m->data_len = from.frame_bytes;
  m->pkt_len = from.frame_bytes;

  uint8_t* const frame = outer + outer_bytes_;
  // The second word overwrites the end of the first and ends in the ethertype.
  const be64 destination_mac(destination_mac_.at(flow) << 16);
  const be64 source_mac(source_mac_.at(flow) << 16 | kEtherTypeIpv4);
  put(frame, destination_mac);
  put(frame + sizeof(MacAddress), source_mac);
  const be32 source(static_cast<uint32_t>(source_address_.at(flow)));
  const be32 destination(static_cast<uint32_t>(destination_address_.at(flow)));
  put(frame + kIp + offsetof(Ipv4Header, source), source);
  put(frame + kIp + offsetof(Ipv4Header, destination), destination);
  put(frame + kIp + offsetof(Ipv4Header, checksum),
      checksum_of(fold(uint64_t{from.ip_sum} + source.raw() + destination.raw())));
  const be32 ports(static_cast<uint32_t>(source_port_.at(flow) << 16 | destination_port_.at(flow)));
  put(frame + kPorts, ports);
  if (outer_bytes_ != 0) {
    write_outer(outer, flow, from, uint64_t{fold(destination_mac.raw())} + fold(source_mac.raw()) + ports.raw());
    m->ol_flags |= rx_flags_;
  }
}

}  // namespace causeway
