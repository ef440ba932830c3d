// MACs that move to and fro between ends of a bridge: a loop, or two hosts with one address. One that moves once or
// twice (a VM, a router's virtual address) is none.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "dataplane/flow/tables.h"

namespace causeway {

class MacMoves {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kWindow{5};
  static constexpr unsigned kFlapping = 4;  // moves in a window
  static constexpr size_t kMost = 1024;     // MACs looked at in a window

  struct Moves {
    BridgeIndex bridge = 0;
    MacVlan key = 0;
    AdjacencyIndex from = 0;  // the last one
    AdjacencyIndex to = 0;
    unsigned count = 0;
  };

  void moved(BridgeIndex bridge, MacVlan key, AdjacencyIndex from, AdjacencyIndex to);
  // At the end of a window: calls `visit` for each that moved often in it.
  void tick(const std::function<void(const Moves&)>& visit, Clock::time_point now);
  // Those that moved often in the last whole window.
  const std::vector<Moves>& flapping() const { return flapping_; }

 private:
  std::map<std::pair<BridgeIndex, MacVlan>, Moves> moves_;
  std::vector<Moves> flapping_;
  Clock::time_point window_ends_{};
};

}  // namespace causeway
