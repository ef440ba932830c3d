// What ports and tunnels are called, for threads that may not ask the gateway.
#pragma once

#include <map>
#include <string>
#include <unordered_map>

#include "control/gateway/gateway.h"

namespace causeway {

struct CaptureNames {
  struct TunnelEnd {
    std::string tunnel;
    std::string vtep;  // its address; empty: unknown
  };
  std::map<PortIndex, std::string> ports;
  std::unordered_map<AdjacencyIndex, TunnelEnd> tunnels;
};

CaptureNames names_of(const Gateway& gateway);

}  // namespace causeway
