// Whether a NIC's switch would do with a flow just what the workers do, and what it has to be told then.
#pragma once

#include <string>

#include "control/bridge/fdb.h"
#include "control/port/ports.h"
#include "control/tunnel/tunnels.h"
#include "pmd/switch_rules.h"

namespace causeway {

struct ElephantPlan {
  std::string refused;       // why it stays in software; empty: it needn't
  PortIndex from = kNoPort;  // where its frames come in; kNoPort: it isn't between a bridge port and a tunnel
  PortIndex to = kNoPort;    // where they leave
  AdjacencyIndex tunnel = kNoAdjacency;
  BridgeIndex bridge = kNoBridge;
  uint16_t outer_bytes = 0;  // what each frame has more on the underlay than inside
  SwitchRule rule;
  bool operator==(const ElephantPlan&) const = default;
};

struct ElephantPlanner {
  const Ports& ports;
  const Tunnels& tunnels;
  const Adjacencies& adjacencies;
  const Fdb& fdb;

  ElephantPlan plan(const FlowKey& flow) const;

 private:
  // Of both directions; empty: none.
  std::string objection(const Adjacency& port, const Adjacency& tunnel, const config::Tunnel& settings) const;
};

}  // namespace causeway
