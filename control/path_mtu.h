// What routers of the underlay say of the way to a remote: too narrow for a tunnel's packet (RFC 1191, RFC 8201).
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "control/tunnel_error.h"

namespace causeway {

struct PathMtuReport {
  TunnelKey tunnel;  // whose packet was quoted: `local` sent it to `remote`
  uint16_t mtu = 0;  // what would have fitted; at least what every host must take: 576 (IPv4) or 1280 (IPv6)
};

// Nothing: the error is of another kind, or the packet it quotes isn't larger than what it says would fit.
std::optional<PathMtuReport> path_mtu_report(const TunnelError& error);

// From one of our addresses to a remote.
struct Path {
  IpAddress local;
  IpAddress remote;
  auto operator<=>(const Path&) const = default;
};

// The narrowest that was heard of in the last ten minutes, path by path (RFC 1191 section 6.3, RFC 8201 section 4: a
// path may have become wider).
class PathMtus {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::minutes kLifetime{10};

  // True if the path is narrower than was known.
  bool learn(const Path& path, uint16_t mtu, Clock::time_point now);
  std::optional<uint16_t> find(const Path& path) const;
  // Forgets what is too old and returns which paths these were.
  std::vector<Path> expire(Clock::time_point now);

 private:
  struct Narrow {
    uint16_t mtu = 0;
    Clock::time_point expires{};
  };
  std::map<Path, Narrow> paths_;  // no more than tunnels' ends: only for these is anything learnt
};

}  // namespace causeway
