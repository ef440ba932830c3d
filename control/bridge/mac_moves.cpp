#include "control/bridge/mac_moves.h"

namespace causeway {

void MacMoves::moved(BridgeIndex bridge, MacVlan key, AdjacencyIndex from, AdjacencyIndex to) {
  auto found = moves_.find({bridge, key});
  if (found == moves_.end()) {
    if (moves_.size() == kMost) return;
    found = moves_.try_emplace({bridge, key}, Moves{bridge, key, from, to, 0}).first;
  }
  found->second.from = from;
  found->second.to = to;
  ++found->second.count;
}

void MacMoves::tick(const std::function<void(const Moves&)>& visit, Clock::time_point now) {
  if (now < window_ends_) return;
  window_ends_ = now + kWindow;
  flapping_.clear();
  for (const auto& [key, moves] : moves_) {
    if (moves.count < kFlapping) continue;
    visit(moves);
    flapping_.push_back(moves);
  }
  moves_.clear();
}

}  // namespace causeway
