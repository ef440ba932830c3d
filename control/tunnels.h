// Tunnels: from settings, route and neighbor to an adjacency per remote VTEP, and the table that receivers
// look them up in.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "control/adjacencies.h"
#include "control/config.h"
#include "control/neighbors.h"
#include "control/path_mtu.h"
#include "control/publish.h"
#include "control/underlay.h"

namespace causeway {

class Tunnels {
 public:
  struct Endpoint {
    AdjacencyIndex adjacency = kNoAdjacency;
    IpAddress remote;
    std::optional<NextHop> next_hop;
  };
  struct Tunnel {
    config::Tunnel settings;
    std::vector<Endpoint> endpoints;  // one a remote
    BridgeIndex bridge = kNoBridge;
  };

  Tunnels(Tables& tables, Publisher& publisher, Adjacencies& adjacencies, const Underlay& underlay,
          Neighbors& neighbors, uint64_t seed);
  ~Tunnels();

  // An empty string, or why not.
  std::string add(const std::string& name, const config::Tunnel& settings);
  // The first remotes keep their adjacencies, so that what names them stays right.
  std::string change(const std::string& name, const config::Tunnel& settings);
  void remove(const std::string& name);
  void set_bridge(const std::string& name, BridgeIndex bridge);

  const Tunnel* find(const std::string& name) const;
  const std::map<std::string, Tunnel>& all() const { return tunnels_; }
  std::vector<AdjacencyIndex> adjacencies(const std::string& name) const;
  // What frames from `remote` carry.
  static TunnelKey key_of(const config::Tunnel& settings, const IpAddress& remote);
  // What keeps frames from leaving through an endpoint; none: nothing.
  DropReason blocked(const Endpoint& endpoint) const;

  // Addresses, routes or ports of the underlay changed: route everything again.
  void reroute();
  // A neighbor's MAC became known, changed or was lost.
  void neighbor_changed(const NextHop& hop);
  // A router says that packets of a tunnel are too big; false: no tunnel of ours sends such packets.
  bool learn_path_mtu(const PathMtuReport& report);
  const PathMtus& path_mtus() const { return path_mtus_; }
  // Forgets what routers said long ago. Called a few times a second.
  void tick();
  // A frame that a worker could not send for want of a neighbor.
  void hold(const PuntedFrame& frame);

 private:
  void route(const config::Tunnel& settings, Endpoint& endpoint);
  void unroute(Endpoint& endpoint);
  void publish(const Tunnel& tunnel, const Endpoint& endpoint);
  void republish(const Path& path);
  void insert_key(const TunnelKey& key, AdjacencyIndex adjacency);
  void erase_key(const TunnelKey& key);
  void listen(const config::Tunnel& settings, int delta);

  Tables& tables_;
  Publisher& publisher_;
  Adjacencies& adjacencies_;
  const Underlay& underlay_;
  Neighbors& neighbors_;
  uint64_t seed_;
  TunnelTable* table_;  // the published one
  uint32_t used_ = 0;   // slots of it that are not empty
  uint32_t keys_ = 0;   // of these, alive
  std::map<std::string, Tunnel> tunnels_;
  std::map<AdjacencyIndex, std::string> tunnel_of_;
  std::map<NextHop, std::set<AdjacencyIndex>> users_;
  PathMtus path_mtus_;
  // Kind, keyless, UDP port, VNI -> endpoints.
  std::map<std::tuple<AdjacencyKind, uint8_t, uint16_t, uint32_t>, unsigned> ids_;
  std::map<std::pair<uint16_t, AdjacencyKind>, unsigned> listeners_;
};

}  // namespace causeway
