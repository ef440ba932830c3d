// What the log and who follows state changes are told of neighbors, tunnels and MACs, in one line each; the log not
// more often than control/process/log_limit.h lets. Control thread.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/bridge/bridges.h"
#include "control/bridge/mac_moves.h"
#include "control/process/log_limit.h"
#include "control/publish/adjacencies.h"
#include "control/underlay/tunnel_error.h"
#include "control/underlay/underlay.h"
#include "dataplane/drop_reason.h"

namespace causeway {

class EventLog {
 public:
  EventLog(const Adjacencies& adjacencies, const Bridges& bridges, const Underlay& underlay)
      : adjacencies_(adjacencies), bridges_(bridges), underlay_(underlay) {}

  // A neighbor's MAC: found (none before), another one, or lost (none now). Neither: it never answered.
  void neighbor(const NextHop& hop, const std::optional<MacAddress>& before, const std::optional<MacAddress>& now);
  // What keeps frames from leaving through a tunnel's end now; none: nothing. The same as before is no news.
  void tunnel(AdjacencyIndex end, DropReason blocked);
  void refused(AdjacencyIndex end, const TunnelError& error);
  // It sends and hears nothing, or no longer so.
  void silent(AdjacencyIndex end, bool silent);
  // A word about the way's MTU that was believed.
  void path_mtu(AdjacencyIndex end, const TunnelError& error);
  void vtep_learnt(const std::string& tunnel, const IpAddress& vtep);
  void vtep_gone(const std::string& tunnel, const IpAddress& vtep);
  void vteps_full(const std::string& tunnel, size_t most);
  // A MAC was not learnt: its bridge has as many as it may, or, with `end`, that port or tunnel has.
  void macs_full(BridgeIndex bridge, AdjacencyIndex end, uint32_t most);
  void moved(BridgeIndex bridge, MacVlan key, AdjacencyIndex from, AdjacencyIndex to) {
    moves_.moved(bridge, key, from, to);
  }
  // MACs that have moved to and fro in the last seconds.
  const std::vector<MacMoves::Moves>& flapping() const { return moves_.flapping(); }
  // Of all workers, so far.
  void flood_limited(uint64_t frames);
  // Called a few times a second.
  void tick(LogLimit::Clock::time_point now = LogLimit::Clock::now());

 private:
  enum Kind : LogLimit::Kind {
    kNeighbor,
    kTunnel,
    kRefused,
    kSilent,
    kVtep,
    kVtepsFull,
    kMacsFull,
    kMoves,
    kFloods,
    kPathMtu
  };

  std::string name_of(AdjacencyIndex end) const;  // "lan0", "gnv0 (172.31.0.2)"
  std::string name_of(const NextHop& hop) const;  // of its port

  const Adjacencies& adjacencies_;
  const Bridges& bridges_;
  const Underlay& underlay_;
  LogLimit limit_;
  MacMoves moves_;
  struct End {
    IpAddress remote;
    DropReason blocked{};
  };
  std::unordered_map<AdjacencyIndex, End> ends_;  // as last said
  uint64_t flood_limited_ = 0;
};

}  // namespace causeway
