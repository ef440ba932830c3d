// What a DPDK device is asked for: rte_flow itself is this file's, and keeps what it is handed.
#include "pmd/ethdev/ethdev_flows.h"

#include <rte_errno.h>
#include <rte_flow.h>

#include <cerrno>

#include "pmd/ethdev/rte_flow_rule.h"
#include "tests/unit/wire/segment_support.h"

using namespace causeway;
using namespace causeway::test;

namespace {

struct Device {
  std::vector<std::string> asked;
  int validate = 0;
  const char* message = nullptr;
  bool full = false;
};
Device device;
char rule_of_device;
rte_flow* const kRule = reinterpret_cast<rte_flow*>(&rule_of_device);

// Types, and the bytes of a VXLAN item.
std::string text_of(const rte_flow_item* pattern, const rte_flow_action* actions) {
  std::string text;
  for (; pattern->type != RTE_FLOW_ITEM_TYPE_END; ++pattern) {
    text += " " + std::to_string(pattern->type);
    if (pattern->type != RTE_FLOW_ITEM_TYPE_VXLAN) continue;
    const auto* vxlan = static_cast<const uint8_t*>(pattern->spec);
    text += "=" + to_hex({vxlan, vxlan + 8});
  }
  text += " /";
  for (; actions->type != RTE_FLOW_ACTION_TYPE_END; ++actions) {
    text += " " + std::to_string(actions->type);
    if (actions->type != RTE_FLOW_ACTION_TYPE_MARK) continue;
    text += "=" + std::to_string(static_cast<const rte_flow_action_mark*>(actions->conf)->id);
  }
  return text;
}

std::string types(const std::string& vxlan, const std::string& mark) {
  const auto number = [](int type) { return " " + std::to_string(type); };
  return number(RTE_FLOW_ITEM_TYPE_ETH) + number(RTE_FLOW_ITEM_TYPE_IPV4) + number(RTE_FLOW_ITEM_TYPE_UDP) +
         number(RTE_FLOW_ITEM_TYPE_VXLAN) + "=" + vxlan + " /" + number(RTE_FLOW_ACTION_TYPE_MARK) + "=" + mark +
         number(RTE_FLOW_ACTION_TYPE_COUNT) + number(RTE_FLOW_ACTION_TYPE_QUEUE);
}

FlowRule some_rule() {
  FlowRule rule;
  rule.tunnel.kind = TunnelType::vxlan;
  rule.tunnel.id = 0x123456;
  rule.tunnel.udp_port = 4789;
  rule.tunnel.remote = IpAddress::v4(172, 31, 0, 2);
  rule.tunnel.local = IpAddress::v4(172, 31, 0, 1);
  rule.mark = 77;
  return rule;
}

}  // namespace

extern "C" {

int rte_flow_validate(uint16_t port, const rte_flow_attr*, const rte_flow_item pattern[],
                      const rte_flow_action actions[], rte_flow_error* error) {
  device.asked.push_back("validate " + std::to_string(port) + text_of(pattern, actions));
  error->message = device.message;
  return device.validate;
}

rte_flow* rte_flow_create(uint16_t port, const rte_flow_attr*, const rte_flow_item pattern[],
                          const rte_flow_action actions[], rte_flow_error*) {
  device.asked.push_back("create " + std::to_string(port) + text_of(pattern, actions));
  if (device.full) rte_errno = ENOSPC;
  return device.full ? nullptr : kRule;
}

int rte_flow_destroy(uint16_t port, rte_flow* rule, rte_flow_error*) {
  device.asked.push_back("destroy " + std::to_string(port) + (rule == kRule ? " it" : " another"));
  return 0;
}

int rte_flow_query(uint16_t port, rte_flow* rule, const rte_flow_action* action, void* data, rte_flow_error*) {
  CHECK(rule == kRule);
  CHECK(action->type == RTE_FLOW_ACTION_TYPE_COUNT);
  device.asked.push_back("query " + std::to_string(port));
  auto* count = static_cast<rte_flow_query_count*>(data);
  CHECK(count->reset == 0);
  count->hits_set = 1;
  count->hits = 42;
  count->bytes = 4242;  // not said to be set
  return 0;
}

int rte_flow_pick_transfer_proxy(uint16_t port, uint16_t* proxy, rte_flow_error*) {
  *proxy = static_cast<uint16_t>(port + 100);
  return 0;
}

int rte_flow_flush(uint16_t port, rte_flow_error*) {
  device.asked.push_back("flush " + std::to_string(port));
  return 0;
}
}

TEST_CASE("a rule is validated, created, queried and destroyed, and the rest goes with the port") {
  device = {};
  std::string error;
  const std::string flow = types("0000000012345600", "77");
  {
    EthdevFlows flows(3);
    const FlowRules::Handle rule = flows.install(some_rule(), error);
    REQUIRE(rule == kRule);
    FlowCount count;
    CHECK(flows.count(rule, count));
    CHECK(count.packets == 42);
    CHECK(count.bytes == 0);
    flows.remove(rule);
  }
  CHECK(device.asked ==
        std::vector<std::string>{"validate 3" + flow, "create 3" + flow, "query 3", "destroy 3 it", "flush 3"});
}

TEST_CASE("a rule of the switch is its proxy's business, and goes when it is removed") {
  device = {};
  std::string error;
  SwitchRule rule;
  rule.decap = true;
  rule.tunnel = some_rule().tunnel;
  {
    EthdevSwitch flows(3);
    REQUIRE(flows.install(rule, error) == kRule);
    FlowCount count;
    CHECK(flows.count(kRule, count));
    CHECK(count.packets == 42);
    flows.remove(kRule);
    device.validate = -ENOTSUP;
    device.message = "not in switchdev mode";
    CHECK(flows.install(rule, error) == nullptr);
    CHECK(error == "not in switchdev mode");
  }
  for (std::string& asked : device.asked) asked = asked.substr(0, asked.find("103") + 3);
  const std::vector<std::string> asked{"validate 103", "create 103", "query 103", "destroy 103", "validate 103"};
  CHECK(device.asked == asked);
}

TEST_CASE("a device's refusal comes with its words, and nothing is created") {
  EthdevFlows flows(0);
  std::string error;
  device = {.asked = {}, .validate = -ENOTSUP, .message = "no VXLAN here", .full = false};
  CHECK(flows.install(some_rule(), error) == nullptr);
  CHECK(error == "no VXLAN here");
  CHECK(device.asked.size() == 1);
  device = {.asked = {}, .validate = -ENOTSUP, .message = nullptr, .full = false};
  CHECK(flows.install(some_rule(), error) == nullptr);
  CHECK(error == rte_strerror(ENOTSUP));
  device = {.asked = {}, .validate = 0, .message = nullptr, .full = true};
  CHECK(flows.install(some_rule(), error) == nullptr);
  CHECK(error == rte_strerror(ENOSPC));
}

TEST_CASE("a driver without rte_flow is told from one that refuses a rule") {
  device = {.asked = {}, .validate = -ENOSYS, .message = nullptr, .full = false};
  CHECK_FALSE(knows_rte_flow(0));
  device.validate = -ENOTSUP;
  CHECK(knows_rte_flow(0));
  device.validate = 0;
  CHECK(knows_rte_flow(0));
}
