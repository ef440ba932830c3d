// Tunnels: from settings, route and neighbor to an adjacency per remote VTEP, and the table that receivers
// look them up in. A multicast tunnel has one adjacency for its group, which floods go to, and one for each VTEP it has
// learnt: there the MACs live that were seen behind it. One of a fabric (EVPN) has an end that no frame leaves by,
// which stands for the tunnel, and one for each VTEP that BGP names.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/publish/adjacencies.h"
#include "control/publish/publisher.h"
#include "control/tunnel/tunnel_keys.h"
#include "control/underlay/memberships.h"
#include "control/underlay/neighbors.h"
#include "control/underlay/path_mtu.h"
#include "control/underlay/underlay.h"
#include "pmd/error.h"

namespace causeway {

class Tunnels {
 public:
  using Clock = std::chrono::steady_clock;
  struct Endpoint {
    AdjacencyIndex adjacency = kNoAdjacency;
    IpAddress remote;
    std::vector<NextHop> next_hops;  // of equal cost
    // What the next frame to it is numbered, with `sequence`; goes on when the tunnel changes.
    std::shared_ptr<std::atomic<uint32_t>> sequence = std::make_shared<std::atomic<uint32_t>>(0);
    bool learnt = false;         // by a multicast tunnel
    uint64_t heard_packets = 0;  // of a learnt VTEP, when it was last looked at
    uint16_t heard_s = 0;        // when that number last moved
    bool floods = false;         // of a fabric's VTEP: it wants floods
    // Stands for a fabric's VTEPs.
    bool is_fabric() const noexcept { return remote.is_unspecified(); }
  };
  struct Tunnel {
    config::Tunnel settings;  // `local` is in use: unspecified where there is no route now
    bool local_by_route = false;
    SplitGroups::Membership group{};
    std::vector<Endpoint> endpoints;  // one a remote
    BridgeIndex bridge = kNoBridge;
    std::map<IpAddress, Endpoint> vteps;  // learnt by a multicast tunnel, or named by a fabric
  };
  // Of a multicast tunnel. What comes from others then comes in as if from the group.
  static constexpr size_t kMaxVteps = 4096;
  // Told of what the log says.
  struct Hooks {
    std::function<void(AdjacencyIndex end, DropReason blocked)> published;
    std::function<void(const std::string& tunnel, const IpAddress& vtep)> vtep_learnt;
    std::function<void(const std::string& tunnel, const IpAddress& vtep)> vtep_gone;
    std::function<void(const std::string& tunnel)> vteps_full;
  };

  Tunnels(Tables& tables, Publisher& publisher, Adjacencies& adjacencies, const Underlay& underlay,
          Neighbors& neighbors, Memberships& memberships, size_t workers, uint64_t seed, Hooks hooks);
  ~Tunnels();

  Error add(const std::string& name, const config::Tunnel& settings);
  // The first remotes keep their adjacencies, so that what names them stays right.
  Error change(const std::string& name, const config::Tunnel& settings);
  // Whether they differ from those in use in the split-horizon group alone. Then this is quicker, and no frame is lost.
  bool differ_in_group_alone(const std::string& name, const config::Tunnel& settings) const;
  Error change_group(const std::string& name, const config::Tunnel& settings);
  void remove(const std::string& name);
  void set_bridge(const std::string& name, BridgeIndex bridge);

  const Tunnel* find(const std::string& name) const;
  const std::map<std::string, Tunnel>& all() const { return tunnels_; }
  std::vector<AdjacencyIndex> adjacencies(const std::string& name) const;  // all it has
  std::vector<AdjacencyIndex> flooded(const std::string& name) const;      // where floods go
  // What keeps frames from leaving through an endpoint; none: nothing.
  DropReason blocked(const Endpoint& endpoint) const;

  // Addresses, routes or ports of the underlay changed: route everything again, from other local addresses, too.
  void reroute();
  // Routes of the host's have changed: follow_routes() has the ends that this is about go elsewhere.
  void routes_changed() { routes_changed_ = true; }
  // Looks at some ends' routes, until all have been looked at or the time has come; how many go elsewhere now. What
  // changes in a swarm is looked at together.
  size_t follow_routes(Clock::time_point until);
  // A neighbor's MAC became known, changed or was lost: show_neighbors() tells the workers.
  void neighbor_changed(const NextHop& hop) { changed_hops_[hop] = 0; }
  // Publishes the ends behind such neighbors until there are none or the time has come; how many that were.
  size_t show_neighbors(Clock::time_point until);
  // The end that sends packets with this key; kNoAdjacency: none of ours.
  AdjacencyIndex sender_of(const TunnelKey& sent) const;
  // A router says that packets of a tunnel are too big; false: no tunnel of ours sends such packets, or it doesn't
  // believe anybody (`path-mtu: off`).
  bool learn_path_mtu(const PathMtuReport& report);
  const PathMtus& path_mtus() const { return path_mtus_; }
  // What an earlier process has learnt of paths. Returns how many are taken over: the others are no way, or no news.
  size_t restore_path_mtus(const std::map<Path, PathMtus::Narrow>& learnt);
  // What is believed of what routers said of the way to an endpoint.
  std::optional<uint16_t> path_mtu(const Tunnel& tunnel, const Endpoint& endpoint) const;
  // Forgets what routers said long ago. Called a few times a second.
  void tick();
  // A frame that a worker could not send for want of a neighbor.
  void hold(const PuntedFrame& frame);
  // A VTEP that a multicast tunnel has heard. None: it is known now, or the tunnel has as many as it may, and what it
  // sends may come in all the same. Otherwise why not.
  DropReason learn_vtep(AdjacencyIndex group, const IpAddress& remote, uint16_t now_s);
  // One that an earlier process has learnt. False: it has no place here.
  bool restore_vtep(const std::string& name, const IpAddress& remote, uint16_t now_s);
  // A VTEP of a fabric's tunnel, made where it is new. kNoAdjacency: it can be none, or there is no room.
  AdjacencyIndex name_vtep(const std::string& name, const IpAddress& remote);
  // Whether flooded() has it.
  void set_floods(const std::string& name, const IpAddress& remote, bool floods);
  void release_vtep(const std::string& name, const IpAddress& remote);
  // Packets of a tunnel's end so far.
  struct Packets {
    uint64_t received = 0;
    uint64_t sent = 0;
  };
  // Releases the learnt VTEPs of whom nothing was heard for long; where there is no room for new ones those that never
  // answered go soon. `ageing_s` of a bridge; 0: never.
  void forget_idle_vteps(const std::function<Packets(AdjacencyIndex)>& packets,
                         const std::function<uint32_t(BridgeIndex)>& ageing_s, uint16_t now_s);
  // Makes visible what was left for the end of a change.
  void commit();

 private:
  Error join_group(Tunnel& tunnel, const config::Tunnel& settings);
  // With a local address, if the underlay has one for it.
  config::Tunnel located(const config::Tunnel& settings) const;
  bool relocate(const std::string& name, Tunnel& tunnel);
  bool reroute(const Tunnel& tunnel, Endpoint& endpoint);
  size_t follow_routes_of(AdjacencyIndex index);
  std::vector<NextHop> routes_of(const config::Tunnel& settings, const IpAddress& remote) const;
  const Endpoint* endpoint_of(AdjacencyIndex index) const;
  Error add_endpoint(const std::string& name, Tunnel& tunnel, const IpAddress& remote);
  void set_up(const Tunnel& tunnel, Endpoint& endpoint);
  void stop_receiving(const config::Tunnel& settings, const Endpoint& endpoint);
  void release(const config::Tunnel& settings, Endpoint& endpoint);
  void route(const config::Tunnel& settings, Endpoint& endpoint);
  void unroute(Endpoint& endpoint);
  // Those whose MAC is known.
  std::vector<NextHop> usable(const Endpoint& endpoint) const;
  Ways ways_of(const Endpoint& endpoint) const;
  // `published`: with its outer headers.
  std::optional<uint16_t> path_mtu(const config::Tunnel& settings, const IpAddress& remote,
                                   const Adjacency& published) const;
  void publish(const Tunnel& tunnel, const Endpoint& endpoint);
  void republish(const Path& path);
  void publish_groups();
  void set_full(const Tunnel& tunnel, bool full);
  bool may_be_vtep(const IpAddress& remote) const;
  // kNoAdjacency: there is no room for one more.
  AdjacencyIndex index_for_vtep(const std::string& tunnel, const IpAddress& remote);
  // Not set up yet.
  Endpoint& add_vtep(const std::string& name, const IpAddress& remote, AdjacencyIndex index);
  void learn_vtep(const std::string& name, const IpAddress& remote, AdjacencyIndex index, uint16_t now_s);

  Tables& tables_;
  Publisher& publisher_;
  Adjacencies& adjacencies_;
  const Underlay& underlay_;
  Neighbors& neighbors_;
  Memberships& memberships_;
  size_t workers_;
  TunnelKeys keys_;
  std::map<std::string, Tunnel> tunnels_;
  std::map<AdjacencyIndex, std::string> tunnel_of_;
  std::map<NextHop, std::set<AdjacencyIndex>> users_;
  bool routes_changed_ = false;
  Clock::time_point next_routes_{};
  std::vector<AdjacencyIndex> to_route_;            // ends whose routes are to be looked at
  std::map<NextHop, AdjacencyIndex> changed_hops_;  // with the user to be published next
  PathMtus path_mtus_;
  Hooks hooks_;
  GroupTunnels groups_;
  bool groups_changed_ = false;
  KnownOptions known_options_;
  bool options_changed_ = false;
};

}  // namespace causeway
