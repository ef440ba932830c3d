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
#pragma once

#include <rte_flow.h>

#include <array>
#include <cstdint>
#include <vector>

#include "pmd/flow_rules.h"

namespace causeway {

class RteFlowRule {
 public:
  explicit RteFlowRule(const FlowRule& rule);
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

  void match_addresses(const TunnelKey& tunnel);
  void match_udp_tunnel(const TunnelKey& tunnel);
  void match_gre(const TunnelKey& tunnel);
  void act(const FlowRule& rule);

  rte_flow_attr attributes_{};
  std::vector<rte_flow_item> pattern_;
  std::vector<rte_flow_action> actions_;

  Match<rte_flow_item_ipv4> ipv4_;
  Match<rte_flow_item_ipv6> ipv6_;
  Match<rte_flow_item_udp> udp_;
  Match<rte_flow_item_vxlan> vxlan_;
  Match<rte_flow_item_geneve> geneve_;
  Match<rte_flow_item_gre> gre_;
  Match<rte_be32_t> gre_key_;

  rte_flow_action_mark mark_{};
  rte_flow_action_count count_{};
  rte_flow_action_rss rss_{};
  rte_flow_action_queue queue_{};
  std::vector<uint16_t> queues_;
};

}  // namespace causeway
