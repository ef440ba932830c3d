// What rte_flow_validate and rte_flow_create would be handed for a tunnel, item by item; and a flow engine that
// takes it, on scapy's frames.
#include <rte_ethdev.h>
#include <rte_flow.h>

#include "pmd/ethdev/rte_flow_rule.h"
#include "pmd/nic_model/nic_flows.h"
#include "tests/unit/nic/tunnel_key.h"
#include "tests/unit/wire/segment_support.h"

using namespace causeway;
using namespace causeway::test;

namespace {

struct WantedItem {
  rte_flow_item_type type;
  std::string spec;  // of the header's bytes, which every item of these starts with; empty: none
  std::string mask;
};

Bytes from(const void* bytes, size_t count) {
  const auto* first = static_cast<const uint8_t*>(bytes);
  return {first, first + count};
}

void check_pattern(const RteFlowRule& rule, const std::vector<WantedItem>& wanted) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    CAPTURE(i);
    const rte_flow_item& item = rule.pattern()[i];
    REQUIRE(item.type == wanted[i].type);
    CHECK(item.last == nullptr);
    REQUIRE((item.spec == nullptr) == wanted[i].spec.empty());
    REQUIRE((item.mask == nullptr) == wanted[i].mask.empty());
    if (item.spec == nullptr) continue;
    CHECK(to_hex(from(item.spec, wanted[i].spec.size() / 2)) == wanted[i].spec);
    CHECK(to_hex(from(item.mask, wanted[i].mask.size() / 2)) == wanted[i].mask);
  }
  CHECK(rule.pattern()[wanted.size()].type == RTE_FLOW_ITEM_TYPE_END);
  CHECK(rule.attributes()->ingress == 1);
  CHECK(rule.attributes()->egress == 0);
  CHECK(rule.attributes()->transfer == 0);
  CHECK(rule.attributes()->group == 0);
}

std::string zeros(size_t bytes) { return std::string(2 * bytes, '0'); }

const WantedItem kEthernet{RTE_FLOW_ITEM_TYPE_ETH, "", ""};
// 172.31.0.2 to 172.31.0.1, in the last 8 bytes of the header.
const WantedItem kIpv4{RTE_FLOW_ITEM_TYPE_IPV4, zeros(12) + "ac1f0002ac1f0001", zeros(12) + "ffffffffffffffff"};
const WantedItem kIpv6{
    RTE_FLOW_ITEM_TYPE_IPV6,
    zeros(8) + "fd000031000000000000000000000002" + "fd000031000000000000000000000001",
    zeros(8) + "ffffffffffffffffffffffffffffffff" + "ffffffffffffffffffffffffffffffff",
};

WantedItem udp(const std::string& port) {
  return {RTE_FLOW_ITEM_TYPE_UDP, "0000" + port + zeros(4), "0000ffff" + zeros(4)};
}

FlowRule rule_for(TunnelType kind, uint32_t id, bool ipv6) {
  FlowRule rule;
  rule.tunnel = key_of_tunnel(kind, id, ipv6);
  rule.mark = 0x54321;
  return rule;
}

// segment_frames.py's frames go from 172.31.0.1 to 172.31.0.2: a rule for the one who gets them.
FlowRule receivers_rule(TunnelType kind, uint32_t id, bool ipv6) {
  FlowRule rule = rule_for(kind, id, ipv6);
  std::swap(rule.tunnel.remote, rule.tunnel.local);
  return rule;
}

}  // namespace

TEST_CASE("the pattern of each kind of tunnel") {
  check_pattern(RteFlowRule(rule_for(TunnelType::vxlan, 0x12'3456, false)),
                {kEthernet, kIpv4, udp("12b5"), {RTE_FLOW_ITEM_TYPE_VXLAN, "0000000012345600", "00000000ffffff00"}});
  check_pattern(RteFlowRule(rule_for(TunnelType::vxlan, 100, true)),
                {kEthernet, kIpv6, udp("12b5"), {RTE_FLOW_ITEM_TYPE_VXLAN, "0000000000006400", "00000000ffffff00"}});
  check_pattern(RteFlowRule(rule_for(TunnelType::geneve, 0xabcdef, false)),
                {kEthernet, kIpv4, udp("17c1"), {RTE_FLOW_ITEM_TYPE_GENEVE, "00000000abcdef00", "00000000ffffff00"}});
  check_pattern(RteFlowRule(rule_for(TunnelType::geneve, 1, true)),
                {kEthernet, kIpv6, udp("17c1"), {RTE_FLOW_ITEM_TYPE_GENEVE, "0000000000000100", "00000000ffffff00"}});
  check_pattern(RteFlowRule(rule_for(TunnelType::gretap, 0xdeadbeef, false)),
                {kEthernet,
                 kIpv4,
                 {RTE_FLOW_ITEM_TYPE_GRE, "20006558", "2000ffff"},
                 {RTE_FLOW_ITEM_TYPE_GRE_KEY, "deadbeef", "ffffffff"}});
  FlowRule keyless = rule_for(TunnelType::gretap, 0, true);
  keyless.tunnel.keyless = 1;
  check_pattern(RteFlowRule(keyless), {kEthernet, kIpv6, {RTE_FLOW_ITEM_TYPE_GRE, "00006558", "2000ffff"}});
  FlowRule other_port = rule_for(TunnelType::vxlan, 7, false);
  other_port.tunnel.udp_port = 8472;
  check_pattern(RteFlowRule(other_port),
                {kEthernet, kIpv4, udp("2118"), {RTE_FLOW_ITEM_TYPE_VXLAN, "0000000000000700", "00000000ffffff00"}});
}

TEST_CASE("the actions of a rule") {
  FlowRule rule = rule_for(TunnelType::geneve, 123, false);
  rule.queues = 3;
  const RteFlowRule spread(rule);
  const rte_flow_action* action = spread.actions();
  REQUIRE(action[0].type == RTE_FLOW_ACTION_TYPE_MARK);
  CHECK(static_cast<const rte_flow_action_mark*>(action[0].conf)->id == 0x54321);
  REQUIRE(action[1].type == RTE_FLOW_ACTION_TYPE_COUNT);
  REQUIRE(action[2].type == RTE_FLOW_ACTION_TYPE_RSS);
  const auto* rss = static_cast<const rte_flow_action_rss*>(action[2].conf);
  CHECK(rss->func == RTE_ETH_HASH_FUNCTION_DEFAULT);
  CHECK(rss->level == 2);
  CHECK(rss->types == (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP));
  CHECK(rss->key_len == 0);
  CHECK(rss->key == nullptr);
  REQUIRE(rss->queue_num == 3);
  CHECK(std::vector<uint16_t>(rss->queue, rss->queue + 3) == std::vector<uint16_t>{0, 1, 2});
  CHECK(action[3].type == RTE_FLOW_ACTION_TYPE_END);

  rule.queues = 1;
  rule.count = false;
  const RteFlowRule single(rule);
  action = single.actions();
  CHECK(action[0].type == RTE_FLOW_ACTION_TYPE_MARK);
  REQUIRE(action[1].type == RTE_FLOW_ACTION_TYPE_QUEUE);
  CHECK(static_cast<const rte_flow_action_queue*>(action[1].conf)->index == 0);
  CHECK(action[2].type == RTE_FLOW_ACTION_TYPE_END);
}

TEST_CASE("a flow engine finds the frames of each tunnel by these patterns, and no others") {
  struct Tunnel {
    std::string frames;  // done.FRAMES.*
    FlowRule rule;
  };
  std::vector<Tunnel> tunnels;
  for (const bool ipv6 : {false, true}) {
    const std::string outer = ipv6 ? ".6" : ".4";
    tunnels.push_back({"vxlan" + outer, receivers_rule(TunnelType::vxlan, 100, ipv6)});
    tunnels.push_back({"geneve" + outer, receivers_rule(TunnelType::geneve, 123, ipv6)});
    tunnels.push_back({"geneve-options" + outer, receivers_rule(TunnelType::geneve, 77, ipv6)});
    tunnels.push_back({"gre-sum-key" + outer, receivers_rule(TunnelType::gretap, 7, ipv6)});
    tunnels.push_back({"gre" + outer, receivers_rule(TunnelType::gretap, 0, ipv6)});
    tunnels.back().rule.tunnel.keyless = 1;
  }
  MbufPool pool;
  NicFlows flows{NicModelSettings{}};
  std::vector<FlowRules::Handle> handles;
  std::string error;
  for (size_t i = 0; i < tunnels.size(); ++i) {
    tunnels[i].rule.mark = static_cast<uint32_t>(1000 + i);
    handles.push_back(flows.install(tunnels[i].rule, error));
    CAPTURE(error);
    REQUIRE(handles.back() != nullptr);
  }
  CHECK(flows.install(tunnels.front().rule, error) == nullptr);
  CHECK(error == "a rule with this pattern exists");
  const auto mark_of = [&](const Bytes& bytes) {
    rte_mbuf* const frame = to_mbuf(pool, bytes, {33, 20});
    const auto verdict = flows.classify(NicBytes(frame));
    rte_pktmbuf_free(frame);
    return verdict ? verdict->mark : std::nullopt;
  };
  for (size_t i = 0; i < tunnels.size(); ++i) {
    const auto names = segment_frames().names("done." + tunnels[i].frames + ".");
    REQUIRE_FALSE(names.empty());
    for (const std::string& name : names) {
      CAPTURE(name);
      CHECK(mark_of(segment_frames()[name]) == 1000 + i);
    }
    FlowCount count;
    CHECK(flows.count(handles[i], count));
    CHECK(count.packets == names.size());
  }
  for (const std::string& name : segment_frames().names("done.plain."))
    CHECK_FALSE(mark_of(segment_frames()[name]).has_value());
  Bytes stranger = segment_frames()["done.vxlan.4.4.tcp"];
  stranger[14 + 15] ^= 1;  // the outer source address
  CHECK_FALSE(mark_of(stranger).has_value());

  for (FlowRules::Handle handle : handles) flows.remove(handle);
  CHECK(flows.size() == 0);
  CHECK_FALSE(mark_of(segment_frames()["done.vxlan.4.4.tcp"]).has_value());
}

TEST_CASE("a flow engine refuses what it has no room for or doesn't know") {
  NicModelSettings small;
  small.flow_rules = 1;
  NicFlows flows(small);
  std::string error;
  CHECK(flows.install(rule_for(TunnelType::vxlan, 1, false), error) != nullptr);
  CHECK(flows.install(rule_for(TunnelType::vxlan, 2, false), error) == nullptr);
  CHECK(error == "the model's table is full");
  const rte_flow_item vlan{RTE_FLOW_ITEM_TYPE_VLAN, nullptr, nullptr, nullptr};
  CHECK(flows.create(&vlan, nullptr, error) == nullptr);
  CHECK(error == "the model doesn't know this pattern item");
}
