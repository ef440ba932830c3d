// Which tunnel ends somebody refuses the packets of: what ICMP errors said, as long as it is news.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <vector>

#include "control/underlay/tunnel_error.h"

namespace causeway {

class Refusals {
 public:
  using Clock = std::chrono::steady_clock;
  // Hosts and routers say it about once a second as long as something is sent (RFC 1812 section 4.3.2.8).
  static constexpr std::chrono::seconds kLifetime{20};

  struct Refusal {
    TunnelError error;
    uint64_t heard_packets = 0;  // from this end, when it was said
    Clock::time_point expires{};
  };

  void learn(AdjacencyIndex end, const TunnelError& error, uint64_t heard_packets, Clock::time_point now);
  // Null: nobody has refused what this end sends to `remote`.
  const Refusal* find(AdjacencyIndex end, const IpAddress& remote) const;
  // Forgets what is too old, and ends that frames have come from since. `packets` received from an end so far.
  void expire(const std::function<uint64_t(AdjacencyIndex)>& packets, Clock::time_point now);

 private:
  std::map<AdjacencyIndex, Refusal> refusals_;  // no more than tunnels' ends
};

}  // namespace causeway
