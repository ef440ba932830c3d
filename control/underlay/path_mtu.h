// What routers of the underlay say of the way to a remote: too narrow for a tunnel's packet (RFC 1191, RFC 8201).
// Anybody can forge that who guesses a tunnel's ends and VNI. So it is never believed so far that IPv6 inside would be
// dead, whose hosts send 1,280 bytes whatever they are told (RFC 8200 section 5).
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "control/underlay/tunnel_error.h"

namespace causeway {

struct PathMtuReport {
  TunnelKey tunnel;  // whose packet was quoted: `local` sent it to `remote`
  uint16_t mtu = 0;  // what would have fitted; 1280 stands for less, which no tunnel believes (narrowest_path)
};

// Nothing: the error is of another kind, or the packet it quotes isn't larger than what it says would fit.
std::optional<PathMtuReport> path_mtu_report(const TunnelError& error);

// The least MTU that a path is believed to have, by a tunnel with so many bytes of outer headers (Ethernet's included);
// `tagged`: its frames may have VLAN tags.
uint16_t narrowest_path(uint16_t outer_bytes, bool tagged);

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
  // Each time a path becomes narrower all its tunnels are published anew; more often than this it isn't news.
  static constexpr unsigned kMostChanges = 4;
  static constexpr std::chrono::seconds kWindow{1};
  struct Narrow {
    uint16_t mtu = 0;
    Clock::time_point expires{};
    Clock::time_point window_ends{};
    unsigned changes = 0;  // in this window
  };

  // True if the path is narrower than was known.
  bool learn(const Path& path, uint16_t mtu, Clock::time_point now);
  // What an earlier process has learnt, until it is too old.
  void restore(const Path& path, const Narrow& narrow) { paths_[path] = narrow; }
  std::optional<uint16_t> find(const Path& path) const;
  const std::map<Path, Narrow>& all() const { return paths_; }
  // Forgets what is too old and returns which paths these were.
  std::vector<Path> expire(Clock::time_point now);

 private:
  std::map<Path, Narrow> paths_;  // no more than tunnels' ends: only for these is anything learnt
};

}  // namespace causeway
