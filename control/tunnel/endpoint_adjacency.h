// The adjacency of a tunnel's end: pure, from what is known of it.
#pragma once

#include <memory>

#include "control/config/config.h"
#include "dataplane/flow/adjacency.h"

namespace causeway {

// What an end's adjacency is made of.
struct EndpointFacts {
  const config::Tunnel& settings;
  const IpAddress& remote;
  AdjacencyIndex index = kNoAdjacency;
  BridgeIndex bridge = kNoBridge;
  SplitGroup split_group = kNoSplitGroup;
  AdjacencyIndex limited_with = kNoAdjacency;  // the end that all of the tunnel's floods are counted at
  DropReason blocked = DropReason::none;       // what keeps frames from leaving
  Ways ways{};                                 // those that frames may take; none: no route
  size_t workers = 1;                          // that share its limits
};

// All but what depends on the path's MTU: set_room adds that.
std::unique_ptr<Adjacency> endpoint_adjacency(const EndpointFacts& facts);

// How large frames may be, and what TCP connections may agree on. `mtu`: bytes of outer IP packet.
void set_room(Adjacency& adjacency, const config::MssClamp& clamp, uint16_t mtu);

}  // namespace causeway
