#include "control/keep/restoring.h"

#include <algorithm>
#include <chrono>
#include <map>

namespace causeway {
namespace {

// The end of a tunnel, or the port, that a MAC was behind; kNoAdjacency: there is none now.
AdjacencyIndex exit_of(const Gateway& gateway, const LearntMac& mac) {
  if (!mac.remote) {
    const Ports::Record* const port = gateway.ports().find(mac.interface);
    return port != nullptr && port->port != nullptr ? port->adjacency : kNoAdjacency;
  }
  const Tunnels::Tunnel* const tunnel = gateway.tunnels().find(mac.interface);
  if (tunnel == nullptr) return kNoAdjacency;
  for (const Tunnels::Endpoint& end : tunnel->endpoints) {
    if (end.remote == *mac.remote) return end.adjacency;
  }
  const auto vtep = tunnel->vteps.find(*mac.remote);
  return vtep != tunnel->vteps.end() ? vtep->second.adjacency : kNoAdjacency;
}

bool restore_one(Gateway& gateway, const LearntMac& mac) {
  const Bridges::Bridge* const bridge = gateway.bridges().find(mac.bridge);
  if (bridge == nullptr) return false;
  const uint32_t ageing_s = gateway.fdb().bridge(bridge->index).ageing_s;
  if (ageing_s != 0 && mac.age_s >= ageing_s) return false;
  // What never ages may be older than can be told.
  const auto age_s = static_cast<uint16_t>(std::min<uint64_t>(mac.age_s, Fdb::kMaxAgeing_s));
  const auto seen_s = static_cast<uint16_t>(gateway.now_s() - age_s);
  return gateway.fdb().restore(bridge->index, mac.key, exit_of(gateway, mac), seen_s);
}

bool restore_one(Gateway& gateway, const LearntNeighbor& neighbor) {
  const Ports::Record* const port = gateway.ports().find(neighbor.port);
  return port != nullptr && gateway.neighbors().restore({port->index, neighbor.address}, neighbor.mac);
}

bool restore_one(Gateway& gateway, const LearntVtep& vtep) {
  return gateway.tunnels().restore_vtep(vtep.tunnel, vtep.address, gateway.now_s());
}

template <typename List>
size_t restore_all(Gateway& gateway, const List& list) {
  return static_cast<size_t>(std::ranges::count_if(list, [&](const auto& item) { return restore_one(gateway, item); }));
}

size_t restore_paths(Gateway& gateway, const std::vector<LearntPath>& paths) {
  const auto now = PathMtus::Clock::now();
  std::map<Path, PathMtus::Narrow> narrow;
  for (const LearntPath& path : paths) {
    // No path is wider than it was, nor older than it may become.
    const std::chrono::seconds left{std::min<int64_t>(path.left_s, std::chrono::seconds(PathMtus::kLifetime).count())};
    if (left.count() > 0) narrow[path.path] = {path.mtu, now + left, {}, 0};
  }
  return narrow.empty() ? 0 : gateway.tunnels().restore_path_mtus(narrow);
}

}  // namespace

Restored restore(Gateway& gateway, const Learnt& learnt) {
  Restored restored;
  restored.vteps = restore_all(gateway, learnt.vteps);  // MACs are behind them, and neighbors in front
  restored.neighbors = restore_all(gateway, learnt.neighbors);
  restored.paths = restore_paths(gateway, learnt.paths);
  restored.macs = restore_all(gateway, learnt.macs);
  gateway.tunnels().commit();
  const size_t all = learnt.macs.size() + learnt.neighbors.size() + learnt.vteps.size() + learnt.paths.size();
  restored.left_out = all - restored.macs - restored.neighbors - restored.vteps - restored.paths;
  return restored;
}

}  // namespace causeway
