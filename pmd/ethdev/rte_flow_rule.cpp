#include "pmd/ethdev/rte_flow_rule.h"

#include <rte_byteorder.h>
#include <rte_ethdev.h>

#include <cstring>
#include <numeric>

namespace causeway {
namespace {

constexpr uint16_t kGreKeyPresent = 0x2000;        // RFC 2890 section 2
constexpr uint16_t kTransparentEthernet = 0x6558;  // IEEE 802 numbers
constexpr uint8_t kLowerEcnBit = 0x01;             // of the IPv4 tos; RFC 3168: 0 in Not-ECT and ECT(0)
constexpr uint8_t kIpv4WordsMask = 0x0f;
constexpr uint16_t kMoreFragmentsOrOffset = 0x3fff;
// What drivers match of these headers; the rest makes no difference to a frame's way, or is their parser's to refuse.
constexpr uint16_t kGeneveOptionsAndControl = 0x3f80;
constexpr uint16_t kGreChecksumKeySequence = 0xb000;

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

void set_mac(rte_ether_addr& field, const MacAddress& mac) { std::memcpy(field.addr_bytes, mac.bytes.data(), 6); }
void set_all(rte_ether_addr& mask) { std::memset(mask.addr_bytes, 0xff, 6); }

constexpr rte_flow_item kEndOfPattern{
    .type = RTE_FLOW_ITEM_TYPE_END, .spec = nullptr, .last = nullptr, .mask = nullptr};

}  // namespace

RteFlowRule::RteFlowRule(const FlowRule& rule) {
  attributes_.ingress = 1;
  pattern_.push_back({.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = nullptr, .last = nullptr, .mask = nullptr});
  match_tunnel(rule.tunnel);
  act(rule);
  end();
}

RteFlowRule::RteFlowRule(const SwitchRule& rule) : outer_(rule.outer) {
  attributes_.transfer = 1;
  from_.spec.port_id = rule.from;
  from_.mask.port_id = UINT16_MAX;
  pattern_.push_back(item(RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT, from_.spec, from_.mask));
  if (rule.decap) {
    match_strictly(rule);
    pattern_.push_back(item(RTE_FLOW_ITEM_TYPE_ETH, ethernet_.spec, ethernet_.mask));
    match_tunnel(rule.tunnel);
  }
  match_inner(rule);
  actions_.push_back({.type = RTE_FLOW_ACTION_TYPE_COUNT, .conf = &count_});
  if (rule.decap) {
    decap(rule);
  } else {
    encap(rule);
  }
  to_.port_id = rule.to;
  actions_.push_back({.type = RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT, .conf = &to_});
  end();
}

void RteFlowRule::end() {
  pattern_.push_back(kEndOfPattern);
  actions_.push_back({.type = RTE_FLOW_ACTION_TYPE_END, .conf = nullptr});
}

void RteFlowRule::match_tunnel(const TunnelKey& tunnel) {
  match_addresses(tunnel);
  if (tunnel.kind == TunnelType::gretap) {
    match_gre(tunnel);
  } else {
    match_udp_tunnel(tunnel);
  }
}

void RteFlowRule::match_strictly(const SwitchRule& rule) {
  set_mac(ethernet_.spec.hdr.dst_addr, rule.outer_mac);
  set_all(ethernet_.mask.hdr.dst_addr);
  ipv4_.spec.hdr.version_ihl = 5;
  ipv4_.mask.hdr.version_ihl = kIpv4WordsMask;
  ipv4_.mask.hdr.type_of_service = kLowerEcnBit;
  ipv4_.mask.hdr.fragment_offset = rte_cpu_to_be_16(kMoreFragmentsOrOffset);
  ipv6_.mask.hdr.vtc_flow = rte_cpu_to_be_32(uint32_t{kLowerEcnBit} << 20);
  geneve_.mask.ver_opt_len_o_c_rsvd0 = rte_cpu_to_be_16(kGeneveOptionsAndControl);
  geneve_.spec.protocol = rte_cpu_to_be_16(kTransparentEthernet);
  geneve_.mask.protocol = 0xffff;
  gre_.mask.c_rsvd0_ver = rte_cpu_to_be_16(kGreChecksumKeySequence);
}

void RteFlowRule::match_inner(const SwitchRule& rule) {
  set_mac(inner_.spec.hdr.src_addr, rule.source);
  set_mac(inner_.spec.hdr.dst_addr, rule.destination);
  set_all(inner_.mask.hdr.src_addr);
  set_all(inner_.mask.hdr.dst_addr);
  inner_.mask.has_vlan = 1;
  pattern_.push_back(item(RTE_FLOW_ITEM_TYPE_ETH, inner_.spec, inner_.mask));
}

void RteFlowRule::decap(const SwitchRule& rule) {
  if (rule.tunnel.kind == TunnelType::vxlan) {
    actions_.push_back({.type = RTE_FLOW_ACTION_TYPE_VXLAN_DECAP, .conf = nullptr});
    return;
  }
  raw_decap_ = {.data = outer_.data(), .size = outer_.size()};
  actions_.push_back({.type = RTE_FLOW_ACTION_TYPE_RAW_DECAP, .conf = &raw_decap_});
}

void RteFlowRule::encap(const SwitchRule& rule) {
  if (rule.tunnel.kind == TunnelType::vxlan) {
    define_vxlan();
    actions_.push_back({.type = RTE_FLOW_ACTION_TYPE_VXLAN_ENCAP, .conf = &vxlan_encap_});
    return;
  }
  raw_encap_ = {.data = outer_.data(), .preserve = nullptr, .size = outer_.size()};
  actions_.push_back({.type = RTE_FLOW_ACTION_TYPE_RAW_ENCAP, .conf = &raw_encap_});
}

// The outer headers, one item each. A UDP source port of 0 would be legal, and some NICs put entropy of their own
// there whatever it says; others send what they are given, and then a port of the flow's is better than none.
void RteFlowRule::define_vxlan() {
  const uint8_t* from = outer_.data();
  const auto define = [&](rte_flow_item_type type, auto& match, auto& header) {
    std::memcpy(&header, from, sizeof(header));
    std::memset(&match.mask, 0xff, sizeof(header));  // each item begins with its header
    from += sizeof(header);
    definition_.push_back(item(type, match.spec, match.mask));
  };
  define(RTE_FLOW_ITEM_TYPE_ETH, ethernet_, ethernet_.spec.hdr);
  if (ethernet_.spec.hdr.ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)) {
    define(RTE_FLOW_ITEM_TYPE_IPV4, ipv4_, ipv4_.spec.hdr);
  } else {
    define(RTE_FLOW_ITEM_TYPE_IPV6, ipv6_, ipv6_.spec.hdr);
  }
  define(RTE_FLOW_ITEM_TYPE_UDP, udp_, udp_.spec.hdr);
  define(RTE_FLOW_ITEM_TYPE_VXLAN, vxlan_, vxlan_.spec.hdr);
  definition_.push_back(kEndOfPattern);
  vxlan_encap_.definition = definition_.data();
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
  if (tunnel.kind == TunnelType::vxlan) {
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
  gre_.mask.c_rsvd0_ver |= rte_cpu_to_be_16(kGreKeyPresent);
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
}

}  // namespace causeway
