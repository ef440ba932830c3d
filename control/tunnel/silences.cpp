#include "control/tunnel/silences.h"

#include <utility>

namespace causeway {

void Silences::step(Clock::time_point now) {
  if (next_.empty()) {
    if (now < next_round_at_) return;
    next_round_at_ = now + kRound;
    ++round_;
  }
  size_t looks = 0;
  auto tunnel = tunnels_.all().upper_bound(next_);
  for (; tunnel != tunnels_.all().end() && looks < kEndsAtOnce; ++tunnel) {
    next_ = tunnel->first;
    // What a tunnel in no bridge sends is not for anybody to answer.
    if (tunnel->second.bridge == kNoBridge) continue;
    for (const Tunnels::Endpoint& end : tunnel->second.endpoints) look_at(tunnel->second, end, now);
    looks += tunnel->second.endpoints.size();
  }
  if (tunnel != tunnels_.all().end()) return;
  next_.clear();
  std::erase_if(ends_, [this](const auto& item) { return item.second.round != round_; });
}

void Silences::look_at(const Tunnels::Tunnel& tunnel, const Tunnels::Endpoint& end, Clock::time_point now) {
  const Tunnels::Packets packets = hooks_.packets(end.adjacency);
  Traffic& traffic = ends_[end.adjacency];
  const Tunnels::Packets before = std::exchange(traffic.packets, packets);
  const bool is_new = traffic.round == 0 || traffic.remote != end.remote;
  traffic.round = round_;
  traffic.remote = end.remote;
  // A group is answered by VTEPs, which it has learnt then.
  const bool heard = is_new || packets.received != before.received || !tunnel.vteps.empty();
  const bool sends = packets.sent != before.sent;
  if (heard || (!sends && now - traffic.sent_at >= kPatience)) {
    traffic.unanswered_since = {};
  } else if (sends) {
    if (traffic.unanswered_since == Clock::time_point{}) traffic.unanswered_since = now;
    traffic.sent_at = now;
  }
  const bool unanswered = traffic.unanswered_since != Clock::time_point{};
  const bool silent = unanswered && now - traffic.unanswered_since >= kPatience;
  if (std::exchange(traffic.silent, silent) != silent) hooks_.changed(end.adjacency, silent);
}

bool Silences::is_silent(const Tunnels::Endpoint& end) const {
  const auto found = ends_.find(end.adjacency);
  return found != ends_.end() && found->second.silent && found->second.remote == end.remote;
}

}  // namespace causeway
