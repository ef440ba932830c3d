#include "control/config/conflicts.h"

#include <utility>

#include "dataplane/wire/gre.h"

namespace causeway::config {
namespace {

using Kind = TunnelConflict::Kind;

uint32_t vsid_of(const Tunnel& tunnel) {
  return tunnel.mode == TunnelType::nvgre ? tunnel.id.value_or(0) : nvgre_vsid(tunnel.id.value_or(0));
}

// The last 8 bits of a key are a flow's to NVGRE (RFC 7637 section 3.2) and part of the key to gretap.
std::vector<std::pair<IpAddress, IpAddress>> gre_ends_of(const Tunnel& tunnel) {
  std::vector<std::pair<IpAddress, IpAddress>> ends;
  if (!tunnel.id || over_udp(tunnel.mode) || tunnel.mode == TunnelType::erspan) return ends;
  for (const IpAddress& remote : tunnel.remotes) {
    ends.emplace_back(tunnel.local, remote.is_multicast() ? IpAddress{} : remote);
    if (remote.is_multicast()) ends.emplace_back(remote, IpAddress{});
  }
  return ends;
}

bool may_be_one(const IpAddress& a, const IpAddress& b) {
  return a == b || (a == IpAddress{} && !b.is_multicast()) || (b == IpAddress{} && !a.is_multicast());
}

}  // namespace

std::optional<TunnelConflict> TunnelEnds::conflict_of(const Tunnel& tunnel, size_t place) const {
  if (const auto port = udp_ports_.find(tunnel.port); over_udp(tunnel.mode) && port != udp_ports_.end()) {
    if (port->second.mode != tunnel.mode) return TunnelConflict{Kind::udp_port, place, port->second.first};
  }
  for (const IpAddress& remote : tunnel.remotes) {
    if (const auto same = owner_of(key_of(tunnel, remote))) return TunnelConflict{Kind::same_ends, place, *same};
  }
  const GreEnds& others = tunnel.mode == TunnelType::nvgre ? gretap_ends_ : nvgre_ends_;
  if (others.empty()) return std::nullopt;
  for (const auto& [local, remote] : gre_ends_of(tunnel)) {
    if (const auto other = owner_of(others, vsid_of(tunnel), local, remote)) {
      return TunnelConflict{Kind::gre_key, place, *other};
    }
  }
  return std::nullopt;
}

void TunnelEnds::take(const Tunnel& tunnel, size_t place) {
  if (over_udp(tunnel.mode))
    ++udp_ports_.try_emplace(tunnel.port, UdpPort{tunnel.mode, place, 0}).first->second.tunnels;
  for (const IpAddress& remote : tunnel.remotes) keys_.try_emplace(key_of(tunnel, remote), place);
  GreEnds& ends = tunnel.mode == TunnelType::nvgre ? nvgre_ends_ : gretap_ends_;
  for (const auto& [local, remote] : gre_ends_of(tunnel))
    ends.emplace(std::tuple(vsid_of(tunnel), local, remote), place);
}

void TunnelEnds::release(const Tunnel& tunnel) {
  if (const auto port = udp_ports_.find(tunnel.port); over_udp(tunnel.mode) && --port->second.tunnels == 0) {
    udp_ports_.erase(port);
  }
  for (const IpAddress& remote : tunnel.remotes) keys_.erase(key_of(tunnel, remote));
  GreEnds& ends = tunnel.mode == TunnelType::nvgre ? nvgre_ends_ : gretap_ends_;
  for (const auto& [local, remote] : gre_ends_of(tunnel)) ends.erase(ends.find({vsid_of(tunnel), local, remote}));
}

// What strangers send to us is of one group's tunnel, or one fabric's.
TunnelEnds::Key TunnelEnds::key_of(const Tunnel& tunnel, const IpAddress& remote) {
  const bool any = remote.is_multicast() || remote.is_unspecified();
  return {tunnel.mode, tunnel.id, tunnel.port, any ? IpAddress{} : remote, tunnel.local};
}

// Without a local address a tunnel may be at any.
std::optional<size_t> TunnelEnds::owner_of(Key key) const {
  auto found = keys_.find(key);
  IpAddress& local = std::get<4>(key);
  if (local.is_unspecified()) {
    found = keys_.lower_bound(key);
    if (found != keys_.end()) local = std::get<4>(found->first);
    if (found != keys_.end() && found->first != key) found = keys_.end();
  } else if (found == keys_.end()) {
    local = IpAddress{};
    found = keys_.find(key);
  }
  return found == keys_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<size_t> TunnelEnds::owner_of(const GreEnds& ends, uint32_t vsid, const IpAddress& local,
                                           const IpAddress& remote) {
  for (auto end = ends.lower_bound({vsid, {}, {}}); end != ends.end() && std::get<0>(end->first) == vsid; ++end) {
    const auto& [same_vsid, other_local, other_remote] = end->first;
    if (may_be_one(local, other_local) && may_be_one(remote, other_remote)) return end->second;
  }
  return std::nullopt;
}

std::vector<TunnelConflict> conflicts(std::span<const Tunnel* const> tunnels) {
  std::vector<TunnelConflict> all;
  TunnelEnds taken;
  for (size_t place = 0; place < tunnels.size(); ++place) {
    if (const auto conflict = taken.conflict_of(*tunnels[place], place)) {
      all.push_back(*conflict);
    } else {
      taken.take(*tunnels[place], place);
    }
  }
  return all;
}

}  // namespace causeway::config
