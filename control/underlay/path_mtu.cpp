#include "control/underlay/path_mtu.h"

#include <algorithm>
#include <utility>

#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/vlan.h"

namespace causeway {

std::optional<PathMtuReport> path_mtu_report(const TunnelError& error) {
  if (error.kind != TunnelError::Kind::too_big || error.packet_bytes <= error.mtu) return {};
  // RFC 8201 section 4: what promises less than every host must take is no news.
  if (error.tunnel.local.is_v6() && error.mtu < kIpv6SmallestMtu) return {};
  // Packets are 65,535 bytes at most, so `mtu` is less. Routers older than RFC 1191 say 0.
  const auto mtu = static_cast<uint16_t>(error.mtu);
  return PathMtuReport{error.tunnel, std::max(mtu, kIpv6SmallestMtu)};
}

uint16_t narrowest_path(uint16_t outer_bytes, bool tagged) {
  return static_cast<uint16_t>(kIpv6SmallestMtu + outer_bytes + (tagged ? sizeof(VlanHeader) : 0));
}

bool PathMtus::learn(const Path& path, uint16_t mtu, Clock::time_point now) {
  const auto [found, is_new] = paths_.try_emplace(path, Narrow{mtu, now + kLifetime, {}, 0});
  Narrow& known = found->second;
  if (is_new) {
    known.window_ends = now + kWindow;
    return true;
  }
  if (mtu > known.mtu) return false;  // wider it becomes by age alone
  if (mtu < known.mtu) {
    if (now >= known.window_ends) known = {known.mtu, known.expires, now + kWindow, 0};
    if (known.changes == kMostChanges) return false;
    ++known.changes;
  }
  known.expires = now + kLifetime;
  return std::exchange(known.mtu, mtu) != mtu;
}

std::optional<uint16_t> PathMtus::find(const Path& path) const {
  const auto found = paths_.find(path);
  if (found == paths_.end()) return {};
  return found->second.mtu;
}

std::vector<Path> PathMtus::expire(Clock::time_point now) {
  std::vector<Path> expired;
  std::erase_if(paths_, [&](const auto& item) {
    if (now < item.second.expires) return false;
    expired.push_back(item.first);
    return true;
  });
  return expired;
}

}  // namespace causeway
