#include "pmd/rte_flow_rule.h"

#include <rte_byteorder.h>
#include <rte_ethdev.h>

#include <cstring>
#include <numeric>

namespace causeway {
namespace {

constexpr uint16_t kGreKeyPresent = 0x2000;        // RFC 2890 section 2
constexpr uint16_t kTransparentEthernet = 0x6558;  // IEEE 802 numbers

template <typename Spec>
rte_flow_item item(rte_flow_item_type type, const Spec& spec, const Spec& mask) {
  return {.type = type, .spec = &spec, .last = nullptr, .mask = &mask};
}

// Headers are packed: their fields are assigned, not pointed at.
rte_be32_t wire_word(const uint8_t* from) {
  rte_be32_t word = 0;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

}  // namespace

RteFlowRule::RteFlowRule(const FlowRule& rule) {
  attributes_.ingress = 1;
  pattern_.push_back({.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = nullptr, .last = nullptr, .mask = nullptr});
  match_addresses(rule.tunnel);
  if (rule.tunnel.kind == AdjacencyKind::gretap) {
    match_gre(rule.tunnel);
  } else {
    match_udp_tunnel(rule.tunnel);
  }
  pattern_.push_back({.type = RTE_FLOW_ITEM_TYPE_END, .spec = nullptr, .last = nullptr, .mask = nullptr});
  act(rule);
}

void RteFlowRule::match_addresses(const TunnelKey& tunnel) {
  if (tunnel.remote.is_v4()) {
    ipv4_.spec.hdr.src_addr = wire_word(tunnel.remote.v4_wire());
    ipv4_.spec.hdr.dst_addr = wire_word(tunnel.local.v4_wire());
    ipv4_.mask.hdr.src_addr = ipv4_.mask.hdr.dst_addr = 0xffff'ffff;
    pattern_.push_back(item(RTE_FLOW_ITEM_TYPE_IPV4, ipv4_.spec, ipv4_.mask));
    return;
  }
  std::memcpy(&ipv6_.spec.hdr.src_addr, tunnel.remote.bytes.data(), 16);
  std::memcpy(&ipv6_.spec.hdr.dst_addr, tunnel.local.bytes.data(), 16);
  std::memset(&ipv6_.mask.hdr.src_addr, 0xff, 16);
  std::memset(&ipv6_.mask.hdr.dst_addr, 0xff, 16);
  pattern_.push_back(item(RTE_FLOW_ITEM_TYPE_IPV6, ipv6_.spec, ipv6_.mask));
}

void RteFlowRule::match_udp_tunnel(const TunnelKey& tunnel) {
  udp_.spec.hdr.dst_port = rte_cpu_to_be_16(tunnel.udp_port);
  udp_.mask.hdr.dst_port = 0xffff;
  pattern_.push_back(item(RTE_FLOW_ITEM_TYPE_UDP, udp_.spec, udp_.mask));
  if (tunnel.kind == AdjacencyKind::vxlan) {
    vxlan_.spec.hdr.vx_vni = rte_cpu_to_be_32(tunnel.id << 8);
    vxlan_.mask.hdr.vx_vni = rte_cpu_to_be_32(0xffff'ff00);
    pattern_.push_back(item(RTE_FLOW_ITEM_TYPE_VXLAN, vxlan_.spec, vxlan_.mask));
    return;
  }
  for (unsigned i = 0; i < 3; ++i) geneve_.spec.vni[i] = static_cast<uint8_t>(tunnel.id >> (16 - 8 * i));
  std::memset(geneve_.mask.vni, 0xff, sizeof(geneve_.mask.vni));
  pattern_.push_back(item(RTE_FLOW_ITEM_TYPE_GENEVE, geneve_.spec, geneve_.mask));
}

void RteFlowRule::match_gre(const TunnelKey& tunnel) {
  gre_.spec.c_rsvd0_ver = rte_cpu_to_be_16(tunnel.keyless != 0 ? 0 : kGreKeyPresent);
  gre_.mask.c_rsvd0_ver = rte_cpu_to_be_16(kGreKeyPresent);
  gre_.spec.protocol = rte_cpu_to_be_16(kTransparentEthernet);
  gre_.mask.protocol = 0xffff;
  pattern_.push_back(item(RTE_FLOW_ITEM_TYPE_GRE, gre_.spec, gre_.mask));
  if (tunnel.keyless != 0) return;
  gre_key_.spec = rte_cpu_to_be_32(tunnel.id);
  gre_key_.mask = 0xffff'ffff;
  pattern_.push_back(item(RTE_FLOW_ITEM_TYPE_GRE_KEY, gre_key_.spec, gre_key_.mask));
}

void RteFlowRule::act(const FlowRule& rule) {
  mark_.id = rule.mark;
  actions_.push_back({.type = RTE_FLOW_ACTION_TYPE_MARK, .conf = &mark_});
  if (rule.count) actions_.push_back({.type = RTE_FLOW_ACTION_TYPE_COUNT, .conf = &count_});
  if (rule.queues > 1) {
    queues_.resize(rule.queues);
    std::iota(queues_.begin(), queues_.end(), uint16_t{0});
    rss_.func = RTE_ETH_HASH_FUNCTION_DEFAULT;
    rss_.level = 2;  // the inner headers
    rss_.types = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP;
    rss_.queue_num = rule.queues;
    rss_.queue = queues_.data();
    actions_.push_back({.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &rss_});
  } else {
    actions_.push_back({.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue_});
  }
  actions_.push_back({.type = RTE_FLOW_ACTION_TYPE_END, .conf = nullptr});
}

}  // namespace causeway
