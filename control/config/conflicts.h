// Which tunnels can't stand beside others, on whole settings, whatever they were read from. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "control/config/config.h"

namespace causeway::config {

struct TunnelConflict {
  enum class Kind : uint8_t {
    udp_port,   // a UDP port is of one mode on all tunnels
    same_ends,  // mode, id, local, port and a remote are another tunnel's already
    gre_key,    // the key is one of a flow of NVGRE between the same ends, or the other way round
  };
  Kind kind = Kind::same_ends;
  size_t tunnel = 0;  // its place in the list
  size_t with = 0;    // the place of the one before it
  bool operator==(const TunnelConflict&) const = default;
};

// Each tunnel is held against those before it that have no conflict themselves. In the list's order, one a tunnel.
std::vector<TunnelConflict> conflicts(std::span<const Tunnel* const> tunnels);

// What tunnels that stand beside each other have taken: ends, keys and UDP ports.
class TunnelEnds {
 public:
  // Why a tunnel can't stand beside these; `place` is its own, and those are that take() was told.
  std::optional<TunnelConflict> conflict_of(const Tunnel& tunnel, size_t place = 0) const;
  // Of a tunnel without a conflict.
  void take(const Tunnel& tunnel, size_t place = 0);
  // Of one that was taken.
  void release(const Tunnel& tunnel);

 private:
  // Mode, id, UDP port, remote and local.
  using Key = std::tuple<TunnelType, std::optional<uint32_t>, uint16_t, IpAddress, IpAddress>;
  // VSID, local and remote; no remote: unknown VTEPs' frames, too.
  using GreEnds = std::multimap<std::tuple<uint32_t, IpAddress, IpAddress>, size_t>;
  struct UdpPort {
    TunnelType mode;
    size_t first;  // place
    size_t tunnels;
  };

  static Key key_of(const Tunnel& tunnel, const IpAddress& remote);
  std::optional<size_t> owner_of(Key key) const;
  static std::optional<size_t> owner_of(const GreEnds& ends, uint32_t vsid, const IpAddress& local,
                                        const IpAddress& remote);

  std::map<uint16_t, UdpPort> udp_ports_;
  std::map<Key, size_t> keys_;
  GreEnds nvgre_ends_;
  GreEnds gretap_ends_;
};

}  // namespace causeway::config
