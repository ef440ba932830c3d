#include "control/underlay/refusals.h"

namespace causeway {

void Refusals::learn(AdjacencyIndex end, const TunnelError& error, uint64_t heard_packets, Clock::time_point now) {
  refusals_[end] = {error, heard_packets, now + kLifetime};
}

const Refusals::Refusal* Refusals::find(AdjacencyIndex end, const IpAddress& remote) const {
  const auto found = refusals_.find(end);
  return found != refusals_.end() && found->second.error.tunnel.remote == remote ? &found->second : nullptr;
}

void Refusals::expire(const std::function<uint64_t(AdjacencyIndex)>& packets, Clock::time_point now) {
  std::erase_if(refusals_, [&](const auto& item) {
    return now >= item.second.expires || packets(item.first) != item.second.heard_packets;
  });
}

}  // namespace causeway
