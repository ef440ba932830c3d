// What types of tunnels there are, and what tells them apart: one row a type. Who parses, builds, offloads, reads,
// shows or generates tunnels asks here.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/erspan.h"
#include "dataplane/wire/geneve.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/vxlan.h"

namespace causeway {

enum class TunnelType : uint8_t { none, geneve, vxlan, gretap, nvgre, erspan };

// Where a receiver finds a number of the flow, to spread flows by.
enum class TunnelEntropy : uint8_t { none, udp_source_port, nvgre_flow_id };

struct TunnelTypeRow {
  TunnelType type;
  std::string_view name;  // of `mode` in the file
  uint8_t ip_protocol;
  uint16_t udp_port;    // IANA's; 0: there are none
  uint32_t lowest_id;   // VNI, VSID, key or session
  uint32_t highest_id;  //
  bool id_optional;
  bool checksum_optional;  // `checksum` may ask for one; UDP's and GRE's are optional, NVGRE has none
  TunnelEntropy entropy;
  // rte_flow can match it, the whole key included. Not NVGRE: a part of its key, FlowID, differs from flow to flow.
  bool nic_rules;
  // UDP: of the 8 bytes behind the UDP header, the bits that say what the frame is. In network order.
  uint64_t header_mask;
};

inline constexpr uint32_t kHighestVni = 0xff'ffff;

inline constexpr std::array<TunnelTypeRow, 6> kTunnelTypes{{
    {TunnelType::none, "none", 0, 0, 0, 0, true, false, TunnelEntropy::none, false, 0},
    // RFC 8926 sections 3.3 and 3.4.
    {TunnelType::geneve, "geneve", kIpProtocolUdp, kGenevePort, 0, kHighestVni, false, true,
     TunnelEntropy::udp_source_port, true, be64(0xff80'ffff'ffff'ff00).raw()},
    // RFC 7348 section 5.
    {TunnelType::vxlan, "vxlan", kIpProtocolUdp, kVxlanPort, 0, kHighestVni, false, true,
     TunnelEntropy::udp_source_port, true, be64(0x0800'0000'ffff'ff00).raw()},
    // RFC 2784, RFC 2890.
    {TunnelType::gretap, "gretap", kIpProtocolGre, 0, 0, UINT32_MAX, true, true, TunnelEntropy::none, true, 0},
    // RFC 7637 section 3.2: VSIDs below 0x1000 and the last one are reserved.
    {TunnelType::nvgre, "nvgre", kIpProtocolGre, 0, 0x1000, kHighestVni - 1, false, false, TunnelEntropy::nvgre_flow_id,
     false, 0},
    // draft-foschiano-erspan-03; type I has no session.
    {TunnelType::erspan, "erspan", kIpProtocolGre, 0, 0, kErspanHighestSession, true, false, TunnelEntropy::none, false,
     0},
}};

constexpr const TunnelTypeRow& row_of(TunnelType type) noexcept { return kTunnelTypes[static_cast<size_t>(type)]; }

static_assert(std::ranges::all_of(kTunnelTypes, [](const TunnelTypeRow& row) { return &row == &row_of(row.type); }));

// Which types go over an IP protocol: a word with their bits, since the packet path asks often.
constexpr uint32_t types_over(uint8_t ip_protocol) noexcept {
  uint32_t bits = 0;
  for (const TunnelTypeRow& row : kTunnelTypes) {
    if (row.type != TunnelType::none && row.ip_protocol == ip_protocol) bits |= 1U << static_cast<unsigned>(row.type);
  }
  return bits;
}
constexpr bool over_udp(TunnelType type) noexcept {
  constexpr uint32_t kTypes = types_over(kIpProtocolUdp);
  return (kTypes >> static_cast<unsigned>(type) & 1) != 0;
}
constexpr bool over_gre(TunnelType type) noexcept {
  constexpr uint32_t kTypes = types_over(kIpProtocolGre);
  return (kTypes >> static_cast<unsigned>(type) & 1) != 0;
}

}  // namespace causeway
