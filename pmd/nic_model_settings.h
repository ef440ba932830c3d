// What a modelled NIC can do, and what it only says it can. As the YAML has it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace causeway {

enum class NicFeature : uint8_t {
  checksum,
  tso_ipv4,  // of the innermost IP header
  tso_ipv6,
  udp_segmentation,
  geneve_tso_ipv4,  // of the outer IP header
  geneve_tso_ipv6,
  vxlan_tso_ipv4,
  vxlan_tso_ipv6,
  gre_tso_ipv4,
  gre_tso_ipv6,
  outer_checksum,
  rx_checksum,
  flow_mark,
  flow_count,
  flow_rss,
  lro,
  vxlan_encap,  // in the switch
  vxlan_decap,
  raw_encap,
  raw_decap,
  outer_checksum_kept,  // of what it cuts, where it isn't to fill it
};
inline constexpr std::array<std::string_view, 21> kNicFeatureNames{
    "checksum",           "tso-ipv4",        "tso-ipv6",       "udp-segmentation",
    "geneve-tso-ipv4",    "geneve-tso-ipv6", "vxlan-tso-ipv4", "vxlan-tso-ipv6",
    "gre-tso-ipv4",       "gre-tso-ipv6",    "outer-checksum", "rx-checksum",
    "flow-mark",          "flow-count",      "flow-rss",       "lro",
    "vxlan-encap",        "vxlan-decap",     "raw-encap",      "raw-decap",
    "outer-checksum-kept"};

class NicFeatures {
 public:
  bool has(NicFeature feature) const noexcept { return (bits_ >> static_cast<unsigned>(feature) & 1) != 0; }
  void add(NicFeature feature) noexcept { bits_ |= 1U << static_cast<unsigned>(feature); }
  bool empty() const noexcept { return bits_ == 0; }
  auto operator<=>(const NicFeatures&) const = default;

 private:
  uint32_t bits_ = 0;
};

struct NicModelSettings {
  enum class Over : uint8_t { interface, tap, dpdk };  // the cable: it carries complete frames

  Over over = Over::interface;
  std::string devargs;         // of Over::dpdk
  std::string switch_name;     // models of one name are ports of one switch; empty: none
  uint32_t flow_rules = 4096;  // room for so many
  NicFeatures without;         // it has all others
  NicFeatures misreport;       // it says that it has them, and doesn't do them
  auto operator<=>(const NicModelSettings&) const = default;
};

}  // namespace causeway
