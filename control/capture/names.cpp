#include "control/capture/names.h"

#include "control/config/address_text.h"

namespace causeway {

CaptureNames names_of(const Gateway& gateway) {
  CaptureNames names;
  for (const auto& [name, record] : gateway.ports().all()) names.ports.emplace(record.index, name);
  for (const auto& [name, tunnel] : gateway.tunnels().all()) {
    for (const Tunnels::Endpoint& end : tunnel.endpoints) {
      names.tunnels[end.adjacency] = {name, to_string(end.remote)};
    }
    for (const auto& [vtep, end] : tunnel.vteps) names.tunnels[end.adjacency] = {name, to_string(vtep)};
  }
  return names;
}

}  // namespace causeway
