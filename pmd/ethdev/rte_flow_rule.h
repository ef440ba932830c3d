// Our rule in rte_flow's terms: pattern and actions, with what they point at.
//
//   VXLAN    ETH / IPV4 or IPV6: addresses / UDP: destination port / VXLAN: VNI
//   GENEVE   ETH / IPV4 or IPV6: addresses / UDP: destination port / GENEVE: VNI
//   GRE      ETH / IPV4 or IPV6: addresses / GRE: Ethernet inside, with or without a key / GRE_KEY: key
//
//   MARK: adjacency / COUNT / RSS: inner headers, or QUEUE 0 where there is one only
//
// Nothing more is matched than what tells tunnels apart: each mask less is a driver more. Whether the headers are
// right the worker looks at all the same.
//
// A rule for the NIC's switch takes frames that no worker sees, and only those that a worker would treat just so.
//
//   decap    REPRESENTED_PORT / the above with ETH: own MAC, IPV4: no options, no fragment, ECN not CE nor ECT(1),
//            GENEVE: no options, GRE: no checksum, no sequence / ETH: both MACs, no VLAN
//            COUNT / VXLAN_DECAP or RAW_DECAP / REPRESENTED_PORT
//   encap    REPRESENTED_PORT / ETH: both MACs, no VLAN
//            COUNT / VXLAN_ENCAP or RAW_ENCAP / REPRESENTED_PORT
//
// Under these two outer ECN fields (the lower bit is 0 in both) the inner one stays what it is (RFC 6040 section 4.2).
#pragma once

#include <rte_flow.h>

#include <array>
#include <cstdint>
#include <vector>

#include "pmd/flow_rules.h"
#include "pmd/switch_rules.h"

namespace causeway {

class RteFlowRule {
 public:
  explicit RteFlowRule(const FlowRule& rule);
  explicit RteFlowRule(const SwitchRule& rule);
  RteFlowRule(const RteFlowRule&) = delete;  // points into itself
  RteFlowRule& operator=(const RteFlowRule&) = delete;

  const rte_flow_attr* attributes() const noexcept { return &attributes_; }
  const rte_flow_item* pattern() const noexcept { return pattern_.data(); }
  const rte_flow_action* actions() const noexcept { return actions_.data(); }

 private:
  template <typename Spec>
  struct Match {
    Spec spec{};
    Spec mask{};
  };

  void match_tunnel(const TunnelKey& tunnel);
  void match_addresses(const TunnelKey& tunnel);
  void match_udp_tunnel(const TunnelKey& tunnel);
  void match_gre(const TunnelKey& tunnel);
  // What a worker would refuse or treat otherwise doesn't match; called before the pattern is made.
  void match_strictly(const SwitchRule& rule);
  void match_inner(const SwitchRule& rule);
  void act(const FlowRule& rule);
  void decap(const SwitchRule& rule);
  void encap(const SwitchRule& rule);
  void define_vxlan();
  void end();

  rte_flow_attr attributes_{};
  std::vector<rte_flow_item> pattern_;
  std::vector<rte_flow_action> actions_;

  Match<rte_flow_item_ethdev> from_;
  Match<rte_flow_item_eth> ethernet_;
  Match<rte_flow_item_ipv4> ipv4_;
  Match<rte_flow_item_ipv6> ipv6_;
  Match<rte_flow_item_udp> udp_;
  Match<rte_flow_item_vxlan> vxlan_;
  Match<rte_flow_item_geneve> geneve_;
  Match<rte_flow_item_gre> gre_;
  Match<rte_be32_t> gre_key_;
  Match<rte_flow_item_eth> inner_;

  rte_flow_action_mark mark_{};
  rte_flow_action_count count_{};
  rte_flow_action_rss rss_{};
  rte_flow_action_queue queue_{};
  std::vector<uint16_t> queues_;
  std::vector<uint8_t> outer_;
  rte_flow_action_raw_decap raw_decap_{};
  rte_flow_action_raw_encap raw_encap_{};
  rte_flow_action_vxlan_encap vxlan_encap_{};
  std::vector<rte_flow_item> definition_;  // of vxlan_encap_
  rte_flow_action_ethdev to_{};
};

}  // namespace causeway
