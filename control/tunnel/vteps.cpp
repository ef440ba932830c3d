// Ends that come and go while a tunnel runs: those that a group has heard, and those that a fabric names.
#include "control/tunnel/tunnels.h"

namespace causeway {

bool Tunnels::may_be_vtep(const IpAddress& remote) const {
  return !remote.is_multicast() && !remote.is_unspecified() && !underlay_.is_own(remote);
}

DropReason Tunnels::learn_vtep(AdjacencyIndex group, const IpAddress& remote, uint16_t now_s) {
  const auto owner = tunnel_of_.find(group);
  if (owner == tunnel_of_.end()) return DropReason::unknown_vni;
  Tunnel& tunnel = tunnels_.at(owner->second);
  if (!tunnel.settings.group() || !may_be_vtep(remote)) return DropReason::unknown_remote;
  if (tunnel.vteps.contains(remote)) return DropReason::none;
  const AdjacencyIndex index = index_for_vtep(owner->second, remote);
  if (index == kNoAdjacency) {
    hooks_.vteps_full(owner->second);
    set_full(tunnel, true);
    return DropReason::none;
  }
  hooks_.vtep_learnt(owner->second, remote);
  learn_vtep(owner->second, remote, index, now_s);
  publish_groups();
  return DropReason::none;
}

AdjacencyIndex Tunnels::index_for_vtep(const std::string& tunnel, const IpAddress& remote) {
  const bool full = tunnels_.at(tunnel).vteps.size() == kMaxVteps;
  return full ? kNoAdjacency : adjacencies_.allocate({tunnel, remote});
}

Tunnels::Endpoint& Tunnels::add_vtep(const std::string& name, const IpAddress& remote, AdjacencyIndex index) {
  tunnel_of_[index] = name;
  Endpoint& vtep = tunnels_.at(name).vteps[remote];
  vtep.adjacency = index;
  vtep.remote = remote;
  return vtep;
}

void Tunnels::learn_vtep(const std::string& name, const IpAddress& remote, AdjacencyIndex index, uint16_t now_s) {
  Endpoint& vtep = add_vtep(name, remote, index);
  vtep.learnt = true;
  vtep.heard_s = now_s;
  set_up(tunnels_.at(name), vtep);
}

AdjacencyIndex Tunnels::name_vtep(const std::string& name, const IpAddress& remote) {
  const Tunnel& tunnel = tunnels_.at(name);
  if (const auto known = tunnel.vteps.find(remote); known != tunnel.vteps.end()) return known->second.adjacency;
  if (!may_be_vtep(remote) || remote.is_v4() != tunnel.settings.local.is_v4()) return kNoAdjacency;
  const AdjacencyIndex index = adjacencies_.allocate({name, remote});
  if (index != kNoAdjacency) set_up(tunnel, add_vtep(name, remote, index));
  return index;
}

void Tunnels::set_floods(const std::string& name, const IpAddress& remote, bool floods) {
  tunnels_.at(name).vteps.at(remote).floods = floods;
}

void Tunnels::release_vtep(const std::string& name, const IpAddress& remote) {
  Tunnel& tunnel = tunnels_.at(name);
  const auto vtep = tunnel.vteps.find(remote);
  release(tunnel.settings, vtep->second);
  tunnel.vteps.erase(vtep);
}

bool Tunnels::restore_vtep(const std::string& name, const IpAddress& remote, uint16_t now_s) {
  const Tunnel* const tunnel = find(name);
  if (tunnel == nullptr || !tunnel->settings.group() || !may_be_vtep(remote) || tunnel->vteps.contains(remote)) {
    return false;
  }
  const AdjacencyIndex index = index_for_vtep(name, remote);
  if (index == kNoAdjacency) return false;
  learn_vtep(name, remote, index, now_s);
  return true;
}

}  // namespace causeway
