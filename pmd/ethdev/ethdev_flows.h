// Flow rules of a DPDK device, and of the switch it is a port of.
#pragma once

#include <cstdint>

#include "pmd/flow_rules.h"
#include "pmd/switch_rules.h"

namespace causeway {

// Whether the driver knows rte_flow at all; what it takes of it each rule finds out.
bool knows_rte_flow(uint16_t port);

class EthdevFlows final : public FlowRules {
 public:
  explicit EthdevFlows(uint16_t port) : port_(port) {}
  ~EthdevFlows() override;

  Handle install(const FlowRule& rule, std::string& error) override;
  void remove(Handle handle) override;
  bool count(Handle handle, FlowCount& count) override;

 private:
  uint16_t port_;
};

class EthdevSwitch final : public SwitchRules {
 public:
  // Rules are the business of one port of the switch, its proxy.
  explicit EthdevSwitch(uint16_t port);

  Handle install(const SwitchRule& rule, std::string& error) override;
  void remove(Handle handle) override;
  bool count(Handle handle, FlowCount& count) override;

 private:
  uint16_t proxy_;
};

}  // namespace causeway
