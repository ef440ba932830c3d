// Which tunnel ends send and hear nothing, for half a minute and longer: somebody throws away what is sent, or what
// comes back. Control thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>

#include "control/tunnel/tunnels.h"

namespace causeway {

class Silences {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kPatience{30};
  // Each end is looked at once a round; of very many only so many at a time, and then a round takes longer.
  static constexpr std::chrono::seconds kRound{5};
  static constexpr size_t kEndsAtOnce = 500;

  struct Hooks {
    std::function<Tunnels::Packets(AdjacencyIndex end)> packets;  // so far
    std::function<void(AdjacencyIndex end, bool silent)> changed;
  };
  Silences(const Tunnels& tunnels, Hooks hooks) : tunnels_(tunnels), hooks_(std::move(hooks)) {}

  // Called a few times a second.
  void step(Clock::time_point now);
  bool is_silent(const Tunnels::Endpoint& end) const;

 private:
  // Of an end, when it was last looked at.
  struct Traffic {
    IpAddress remote;
    Tunnels::Packets packets;
    Clock::time_point unanswered_since{};  // none: all that was sent is answered, or was long ago
    Clock::time_point sent_at{};
    uint64_t round = 0;
    bool silent = false;
  };
  void look_at(const Tunnels::Tunnel& tunnel, const Tunnels::Endpoint& end, Clock::time_point now);

  const Tunnels& tunnels_;
  Hooks hooks_;
  std::unordered_map<AdjacencyIndex, Traffic> ends_;
  std::string next_;  // the tunnel behind this one; empty: the first
  uint64_t round_ = 0;
  Clock::time_point next_round_at_{};
};

}  // namespace causeway
