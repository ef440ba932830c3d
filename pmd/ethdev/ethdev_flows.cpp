#include "pmd/ethdev/ethdev_flows.h"

#include <rte_errno.h>

#include "pmd/ethdev/rte_flow_rule.h"

namespace causeway {
namespace {

std::string text_of(const rte_flow_error& error, int result) {
  if (error.message != nullptr) return error.message;
  return rte_strerror(result < 0 ? -result : result);
}

DeviceRules::Handle create(uint16_t port, const RteFlowRule& flow, std::string& error) {
  rte_flow_error why{};
  const int result = rte_flow_validate(port, flow.attributes(), flow.pattern(), flow.actions(), &why);
  if (result != 0) {
    error = text_of(why, result);
    return nullptr;
  }
  rte_flow* const handle = rte_flow_create(port, flow.attributes(), flow.pattern(), flow.actions(), &why);
  if (handle == nullptr) error = text_of(why, rte_errno);
  return handle;
}

void destroy(uint16_t port, DeviceRules::Handle handle) {
  rte_flow_error error{};
  rte_flow_destroy(port, static_cast<rte_flow*>(handle), &error);
}

bool query(uint16_t port, DeviceRules::Handle handle, FlowCount& count) {
  rte_flow_query_count result{};
  rte_flow_action_count which{};
  const rte_flow_action action{.type = RTE_FLOW_ACTION_TYPE_COUNT, .conf = &which};
  rte_flow_error error{};
  if (rte_flow_query(port, static_cast<rte_flow*>(handle), &action, &result, &error) != 0) return false;
  count = {result.hits_set ? result.hits : 0, result.bytes_set ? result.bytes : 0};
  return result.hits_set != 0;
}

}  // namespace

bool knows_rte_flow(uint16_t port) {
  const RteFlowRule any(FlowRule{});
  rte_flow_error error{};
  return rte_flow_validate(port, any.attributes(), any.pattern(), any.actions(), &error) != -ENOSYS;
}

EthdevFlows::~EthdevFlows() {
  rte_flow_error error{};
  rte_flow_flush(port_, &error);
}

FlowRules::Handle EthdevFlows::install(const FlowRule& rule, std::string& error) {
  return create(port_, RteFlowRule(rule), error);
}
void EthdevFlows::remove(Handle handle) { destroy(port_, handle); }
bool EthdevFlows::count(Handle handle, FlowCount& count) { return query(port_, handle, count); }

EthdevSwitch::EthdevSwitch(uint16_t port) : proxy_(port) {
  rte_flow_error error{};
  if (rte_flow_pick_transfer_proxy(port, &proxy_, &error) != 0) proxy_ = port;
}

SwitchRules::Handle EthdevSwitch::install(const SwitchRule& rule, std::string& error) {
  return create(proxy_, RteFlowRule(rule), error);
}
void EthdevSwitch::remove(Handle handle) { destroy(proxy_, handle); }
bool EthdevSwitch::count(Handle handle, FlowCount& count) { return query(proxy_, handle, count); }

}  // namespace causeway
