// What rte_flow_create would be handed for a large flow in a NIC's switch, item by item.
#include <rte_flow.h>

#include "pmd/ethdev/rte_flow_rule.h"
#include "tests/catch.h"
#include "tests/support/frames.h"
#include "tests/unit/nic/tunnel_key.h"

using namespace causeway;
using namespace causeway::test;

namespace {

// "TYPE spec/mask" of the header's bytes.
struct Wanted {
  rte_flow_item_type type;
  std::string spec;
  std::string mask;
};

std::string hex(const void* from, size_t bytes) {
  const auto* first = static_cast<const uint8_t*>(from);
  return to_hex(Bytes(first, first + bytes));
}

std::string zeros(size_t bytes) { return std::string(2 * bytes, '0'); }

void check_items(const rte_flow_item* items, const std::vector<Wanted>& wanted) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    CAPTURE(i);
    REQUIRE(items[i].type == wanted[i].type);
    CHECK(items[i].last == nullptr);
    CHECK(hex(items[i].spec, wanted[i].spec.size() / 2) == wanted[i].spec);
    CHECK(hex(items[i].mask, wanted[i].mask.size() / 2) == wanted[i].mask);
  }
  CHECK(items[wanted.size()].type == RTE_FLOW_ITEM_TYPE_END);
}

void check_pattern(const RteFlowRule& rule, const std::vector<Wanted>& headers) {
  CHECK(rule.attributes()->transfer == 1);
  CHECK(rule.attributes()->ingress == 0);
  CHECK(rule.attributes()->egress == 0);
  const rte_flow_item& from = rule.pattern()[0];
  REQUIRE(from.type == RTE_FLOW_ITEM_TYPE_REPRESENTED_PORT);
  CHECK(static_cast<const rte_flow_item_ethdev*>(from.spec)->port_id == 3);
  CHECK(static_cast<const rte_flow_item_ethdev*>(from.mask)->port_id == 0xffff);
  check_items(rule.pattern() + 1, headers);
  const rte_flow_item& inner = rule.pattern()[headers.size()];
  CHECK(static_cast<const rte_flow_item_eth*>(inner.spec)->has_vlan == 0);
  CHECK(static_cast<const rte_flow_item_eth*>(inner.mask)->has_vlan == 1);
}

// COUNT / `type` / REPRESENTED_PORT; returns the one in the middle.
const rte_flow_action& middle_of(const RteFlowRule& rule, rte_flow_action_type type) {
  const rte_flow_action* const actions = rule.actions();
  CHECK(actions[0].type == RTE_FLOW_ACTION_TYPE_COUNT);
  REQUIRE(actions[1].type == type);
  REQUIRE(actions[2].type == RTE_FLOW_ACTION_TYPE_REPRESENTED_PORT);
  CHECK(static_cast<const rte_flow_action_ethdev*>(actions[2].conf)->port_id == 5);
  CHECK(actions[3].type == RTE_FLOW_ACTION_TYPE_END);
  return actions[1];
}

SwitchRule some_rule(TunnelType kind, uint32_t id, bool decap, bool ipv6 = false) {
  SwitchRule rule;
  rule.from = 3;
  rule.to = 5;
  rule.decap = decap;
  rule.tunnel = key_of_tunnel(kind, id, ipv6);
  rule.source = MacAddress{{2, 0, 0, 0, 1, 1}};
  rule.destination = MacAddress{{2, 0, 0, 0, 2, 2}};
  rule.outer_mac = MacAddress{{2, 0, 0, 0, 0, 1}};
  for (uint8_t i = 0; i < 50; ++i) rule.outer.push_back(i);
  return rule;
}

const Wanted kOwnMac{RTE_FLOW_ITEM_TYPE_ETH, "020000000001" + zeros(8), "ffffffffffff" + zeros(8)};
const Wanted kBothMacs{RTE_FLOW_ITEM_TYPE_ETH, "020000000202020000000101" + zeros(2),
                       "ffffffffffffffffffffffff" + zeros(2)};
// Five words, the lower ECN bit, no fragment, both addresses.
const Wanted kIpv4{RTE_FLOW_ITEM_TYPE_IPV4, "05" + zeros(11) + "ac1f0002ac1f0001",
                   "0f010000" + zeros(2) + "3fff" + zeros(4) + "ffffffffffffffff"};
const Wanted kIpv6{RTE_FLOW_ITEM_TYPE_IPV6,
                   zeros(8) + "fd000031000000000000000000000002" + "fd000031000000000000000000000001",
                   "00100000" + zeros(4) + "ffffffffffffffffffffffffffffffff" + "ffffffffffffffffffffffffffffffff"};

Wanted udp(const std::string& port) {
  return {RTE_FLOW_ITEM_TYPE_UDP, "0000" + port + zeros(4), "0000ffff" + zeros(4)};
}

}  // namespace

TEST_CASE("decap in the switch: the pattern of each kind of tunnel") {
  check_pattern(
      RteFlowRule(some_rule(TunnelType::vxlan, 0x12'3456, true)),
      {kOwnMac, kIpv4, udp("12b5"), {RTE_FLOW_ITEM_TYPE_VXLAN, "0000000012345600", "00000000ffffff00"}, kBothMacs});
  check_pattern(
      RteFlowRule(some_rule(TunnelType::geneve, 0xabcdef, true, true)),
      {kOwnMac, kIpv6, udp("17c1"), {RTE_FLOW_ITEM_TYPE_GENEVE, "00006558abcdef00", "3f80ffffffffff00"}, kBothMacs});
  check_pattern(RteFlowRule(some_rule(TunnelType::gretap, 0xdeadbeef, true)),
                {kOwnMac,
                 kIpv4,
                 {RTE_FLOW_ITEM_TYPE_GRE, "20006558", "b000ffff"},
                 {RTE_FLOW_ITEM_TYPE_GRE_KEY, "deadbeef", "ffffffff"},
                 kBothMacs});
  SwitchRule keyless = some_rule(TunnelType::gretap, 0, true);
  keyless.tunnel.keyless = 1;
  check_pattern(RteFlowRule(keyless), {kOwnMac, kIpv4, {RTE_FLOW_ITEM_TYPE_GRE, "00006558", "b000ffff"}, kBothMacs});
}

TEST_CASE("decap in the switch: the actions") {
  const RteFlowRule vxlan(some_rule(TunnelType::vxlan, 1, true));
  CHECK(middle_of(vxlan, RTE_FLOW_ACTION_TYPE_VXLAN_DECAP).conf == nullptr);
  for (const TunnelType kind : {TunnelType::geneve, TunnelType::gretap}) {
    const RteFlowRule raw(some_rule(kind, 1, true));
    const auto* conf =
        static_cast<const rte_flow_action_raw_decap*>(middle_of(raw, RTE_FLOW_ACTION_TYPE_RAW_DECAP).conf);
    CHECK(conf->size == 50);
    CHECK(hex(conf->data, 4) == "00010203");
  }
}

TEST_CASE("encap in the switch: both MACs, and the outer headers as they are") {
  for (const TunnelType kind : {TunnelType::geneve, TunnelType::gretap}) {
    const RteFlowRule raw(some_rule(kind, 1, false));
    check_pattern(raw, {kBothMacs});
    const auto* conf =
        static_cast<const rte_flow_action_raw_encap*>(middle_of(raw, RTE_FLOW_ACTION_TYPE_RAW_ENCAP).conf);
    CHECK(conf->size == 50);
    CHECK(conf->preserve == nullptr);
    CHECK(hex(conf->data, 4) == "00010203");
    CHECK(conf->data[49] == 49);
  }
}

TEST_CASE("encap in the switch: VXLAN's headers are defined one by one") {
  const std::string ethernet = "020000000002020000000001";
  const std::string udp_vxlan =
      "800012b500000000"
      "0800000000006400";
  const std::string ipv4 =
      "45000000000040004011"
      "0000ac1f0001ac1f0002";
  const std::string ipv6 =
      "6000000000001140"
      "fd000031000000000000000000000001"
      "fd000031000000000000000000000002";
  for (const bool v6 : {false, true}) {
    CAPTURE(v6);
    SwitchRule rule = some_rule(TunnelType::vxlan, 100, false, v6);
    const std::string& ip = v6 ? ipv6 : ipv4;
    const std::string type = v6 ? "86dd" : "0800";
    rule.outer = from_hex(ethernet + type + ip + udp_vxlan);
    const RteFlowRule flow(rule);
    check_pattern(flow, {kBothMacs});
    const auto* conf =
        static_cast<const rte_flow_action_vxlan_encap*>(middle_of(flow, RTE_FLOW_ACTION_TYPE_VXLAN_ENCAP).conf);
    const auto all = [](const std::string& spec) { return std::string(spec.size(), 'f'); };
    check_items(conf->definition, {{RTE_FLOW_ITEM_TYPE_ETH, ethernet + type, all(ethernet + type)},
                                   {v6 ? RTE_FLOW_ITEM_TYPE_IPV6 : RTE_FLOW_ITEM_TYPE_IPV4, ip, all(ip)},
                                   {RTE_FLOW_ITEM_TYPE_UDP, udp_vxlan.substr(0, 16), all(udp_vxlan.substr(0, 16))},
                                   {RTE_FLOW_ITEM_TYPE_VXLAN, udp_vxlan.substr(16), all(udp_vxlan.substr(16))}});
  }
}
