#include "control/tunnel/tunnels.h"

#include <algorithm>
#include <tuple>

#include "control/config/split_group.h"
#include "control/publish/outer_template.h"
#include "control/tunnel/endpoint_adjacency.h"

namespace causeway {
namespace {

// The MTU of the widest port on the way; 0: there is none.
uint16_t widest_port(const Underlay& underlay, const Path& path) {
  uint16_t widest = 0;
  for (const NextHop& hop : underlay.routes(path.local, path.remote)) {
    widest = std::max(widest, underlay.find(hop.port)->mtu);
  }
  return widest;
}

}  // namespace

Tunnels::Tunnels(Tables& tables, Publisher& publisher, Adjacencies& adjacencies, const Underlay& underlay,
                 Neighbors& neighbors, Memberships& memberships, size_t workers, uint64_t seed, Hooks hooks)
    : tables_(tables),
      publisher_(publisher),
      adjacencies_(adjacencies),
      underlay_(underlay),
      neighbors_(neighbors),
      memberships_(memberships),
      workers_(workers),
      keys_(tables, publisher, seed),
      hooks_(std::move(hooks)) {
  publisher_.publish<GroupTunnels>(tables_.group_tunnels, std::make_unique<GroupTunnels>());
  publisher_.publish<KnownOptions>(tables_.known_options, std::make_unique<KnownOptions>());
}

Tunnels::~Tunnels() {
  publisher_.publish<GroupTunnels>(tables_.group_tunnels, nullptr);
  publisher_.publish<KnownOptions>(tables_.known_options, nullptr);
}

const Tunnels::Tunnel* Tunnels::find(const std::string& name) const {
  const auto found = tunnels_.find(name);
  return found == tunnels_.end() ? nullptr : &found->second;
}

const Tunnels::Endpoint* Tunnels::endpoint_of(AdjacencyIndex index) const {
  const auto owner = tunnel_of_.find(index);
  if (owner == tunnel_of_.end()) return nullptr;
  const Tunnel& tunnel = tunnels_.at(owner->second);
  for (const Endpoint& endpoint : tunnel.endpoints) {
    if (endpoint.adjacency == index) return &endpoint;
  }
  const auto vtep = tunnel.vteps.find(adjacencies_.owner(index).remote.value_or(IpAddress{}));
  return vtep != tunnel.vteps.end() ? &vtep->second : nullptr;
}

std::vector<AdjacencyIndex> Tunnels::flooded(const std::string& name) const {
  const Tunnel& tunnel = tunnels_.at(name);
  std::vector<AdjacencyIndex> all;
  for (const Endpoint& endpoint : tunnel.endpoints) {
    if (!endpoint.is_fabric()) all.push_back(endpoint.adjacency);
  }
  for (const auto& [remote, vtep] : tunnel.vteps) {
    if (vtep.floods) all.push_back(vtep.adjacency);
  }
  return all;
}

std::vector<AdjacencyIndex> Tunnels::adjacencies(const std::string& name) const {
  std::vector<AdjacencyIndex> all;
  for (const Endpoint& endpoint : tunnels_.at(name).endpoints) all.push_back(endpoint.adjacency);
  for (const auto& [remote, vtep] : tunnels_.at(name).vteps) all.push_back(vtep.adjacency);
  return all;
}

Error Tunnels::add_endpoint(const std::string& name, Tunnel& tunnel, const IpAddress& remote) {
  const AdjacencyIndex index = adjacencies_.allocate({name, remote});
  if (index == kNoAdjacency) return "no more than " + std::to_string(kMaxAdjacencies - 1) + " ports and tunnel ends";
  tunnel_of_[index] = name;
  tunnel.endpoints.emplace_back();
  tunnel.endpoints.back().adjacency = index;
  tunnel.endpoints.back().remote = remote;
  return {};
}

Error Tunnels::add(const std::string& name, const config::Tunnel& settings) {
  Tunnel& tunnel = tunnels_[name];
  if (Error error = join_group(tunnel, settings)) {
    tunnels_.erase(name);
    return error;
  }
  tunnel.settings = located(settings);
  tunnel.local_by_route = settings.local.is_unspecified();
  keys_.listen(settings);
  for (const IpAddress& remote : settings.remotes) {
    if (Error error = add_endpoint(name, tunnel, remote)) {
      remove(name);
      return error;
    }
    set_up(tunnel, tunnel.endpoints.back());
  }
  return {};
}

AdjacencyIndex Tunnels::sender_of(const TunnelKey& sent) const {
  const auto find = [&](const TunnelKey& key) {
    if (const AdjacencyIndex other = keys_.sender_of_other(key); other != kNoAdjacency) return other;
    const AdjacencyIndex found = keys_.receiver_of(key);
    const auto owner = tunnel_of_.find(found);
    return owner != tunnel_of_.end() && !tunnels_.at(owner->second).settings.sent_id ? found : kNoAdjacency;
  };
  const AdjacencyIndex found = find(sent);
  return found == kNoAdjacency && sent.may_be_nvgre() ? find(sent.as_nvgre()) : found;
}

// The rest of an endpoint that has an index and a remote.
void Tunnels::set_up(const Tunnel& tunnel, Endpoint& endpoint) {
  route(tunnel.settings, endpoint);
  publish(tunnel, endpoint);
  keys_.add(tunnel.settings, endpoint.remote, endpoint.adjacency);
  if (endpoint.remote.is_multicast() || endpoint.is_fabric()) {
    groups_[endpoint.adjacency] = {tunnel.settings.allow_from, tunnel.settings.local, false, endpoint.is_fabric()};
    groups_changed_ = true;
  }
  if (tunnel.settings.options.empty()) return;
  std::vector<KnownOption>& known = known_options_[endpoint.adjacency];
  known.clear();
  for (const config::GeneveOption& option : tunnel.settings.options) {
    known.push_back({option.option_class, option.type, option.data});
  }
  options_changed_ = true;
}

// Nothing more is received for an endpoint.
void Tunnels::stop_receiving(const config::Tunnel& settings, const Endpoint& endpoint) {
  keys_.remove(settings, endpoint.remote);
  if (groups_.erase(endpoint.adjacency) != 0) groups_changed_ = true;
  if (known_options_.erase(endpoint.adjacency) != 0) options_changed_ = true;
}

void Tunnels::release(const config::Tunnel& settings, Endpoint& endpoint) {
  stop_receiving(settings, endpoint);
  unroute(endpoint);
  tunnel_of_.erase(endpoint.adjacency);
  adjacencies_.release(endpoint.adjacency);
}

Error Tunnels::change(const std::string& name, const config::Tunnel& settings) {
  if (Error error = join_group(tunnels_.at(name), settings)) return error;
  Tunnel& tunnel = tunnels_.at(name);
  config::Tunnel but_evpn = settings;
  but_evpn.evpn = tunnel.settings.evpn;
  if (settings.evpn && but_evpn == tunnel.settings) {  // nothing that frames notice
    tunnel.settings.evpn = settings.evpn;
    return {};
  }
  for (auto& [remote, vtep] : tunnel.vteps) release(tunnel.settings, vtep);
  tunnel.vteps.clear();
  // Let go of at the end, so that a next hop that stays is not forgotten and resolved anew.
  std::vector<NextHop> before;
  for (Endpoint& endpoint : tunnel.endpoints) {
    stop_receiving(tunnel.settings, endpoint);
    if (!endpoint.remote.is_multicast()) {
      for (const NextHop& hop : endpoint.next_hops) {
        before.push_back(hop);
        neighbors_.watch(hop);
      }
    }
    unroute(endpoint);
  }
  const auto let_go = [&] {
    for (const NextHop& hop : before) neighbors_.unwatch(hop);
  };
  keys_.stop_listening(tunnel.settings);
  keys_.listen(settings);
  tunnel.settings = located(settings);
  tunnel.local_by_route = settings.local.is_unspecified();
  while (tunnel.endpoints.size() > settings.remotes.size()) {
    tunnel_of_.erase(tunnel.endpoints.back().adjacency);
    adjacencies_.release(tunnel.endpoints.back().adjacency);
    tunnel.endpoints.pop_back();
  }
  for (size_t i = 0; i < settings.remotes.size(); ++i) {
    if (i == tunnel.endpoints.size()) {
      if (Error error = add_endpoint(name, tunnel, settings.remotes[i])) {
        let_go();
        return error;
      }
    }
    Endpoint& endpoint = tunnel.endpoints[i];
    endpoint.remote = settings.remotes[i];
    adjacencies_.set_remote(endpoint.adjacency, endpoint.remote);
    set_up(tunnel, endpoint);
  }
  let_go();
  return {};
}

Error Tunnels::join_group(Tunnel& tunnel, const config::Tunnel& settings) {
  return adjacencies_.split_groups().join(config::split_group_of(settings), tunnel.group);
}

bool Tunnels::differ_in_group_alone(const std::string& name, const config::Tunnel& settings) const {
  const Tunnel& tunnel = tunnels_.at(name);
  config::Tunnel others = located(settings);
  others.isolated = tunnel.settings.isolated;
  others.split_group = tunnel.settings.split_group;
  return others == tunnel.settings && settings.local.is_unspecified() == tunnel.local_by_route;
}

Error Tunnels::change_group(const std::string& name, const config::Tunnel& settings) {
  Tunnel& tunnel = tunnels_.at(name);
  if (Error error = join_group(tunnel, settings)) return error;
  tunnel.settings.isolated = settings.isolated;
  tunnel.settings.split_group = settings.split_group;
  for (const Endpoint& endpoint : tunnel.endpoints) publish(tunnel, endpoint);
  for (const auto& [remote, vtep] : tunnel.vteps) publish(tunnel, vtep);
  return {};
}

void Tunnels::remove(const std::string& name) {
  Tunnel& tunnel = tunnels_.at(name);
  for (auto& [remote, vtep] : tunnel.vteps) release(tunnel.settings, vtep);
  for (Endpoint& endpoint : tunnel.endpoints) release(tunnel.settings, endpoint);
  keys_.stop_listening(tunnel.settings);
  tunnels_.erase(name);
}

void Tunnels::set_bridge(const std::string& name, BridgeIndex bridge) {
  Tunnel& tunnel = tunnels_.at(name);
  tunnel.bridge = bridge;
  const auto show = [&](const Endpoint& endpoint) {
    for (const NextHop& hop : endpoint.next_hops) neighbors_.forget(hop, endpoint.adjacency);
    publish(tunnel, endpoint);
  };
  for (const Endpoint& endpoint : tunnel.endpoints) show(endpoint);
  for (const auto& [remote, vtep] : tunnel.vteps) show(vtep);
}

config::Tunnel Tunnels::located(const config::Tunnel& settings) const {
  config::Tunnel located = settings;
  if (!settings.local.is_unspecified()) return located;
  const IpAddress& remote = settings.remotes.front();
  const IpAddress none = remote.is_v4() ? IpAddress::v4(0, 0, 0, 0) : IpAddress{};
  located.local = underlay_.source_to(remote).value_or(none);
  return located;
}

// The ends stay, and so do the MACs behind them. True: it has another local address now.
bool Tunnels::relocate(const std::string& name, Tunnel& tunnel) {
  if (!tunnel.local_by_route) return false;
  config::Tunnel settings = tunnel.settings;
  settings.local = IpAddress{};
  if (located(settings).local == tunnel.settings.local) return false;
  std::ignore = change(name, settings);  // it fails for want of room for more ends, which there aren't
  return true;
}

std::vector<NextHop> Tunnels::routes_of(const config::Tunnel& settings, const IpAddress& remote) const {
  if (settings.local.is_unspecified() || remote.is_unspecified()) return {};
  return remote.is_multicast() ? underlay_.group_route(settings.link, settings.local, remote)
                               : underlay_.routes(settings.local, remote);
}

void Tunnels::route(const config::Tunnel& settings, Endpoint& endpoint) {
  endpoint.next_hops = routes_of(settings, endpoint.remote);
  for (const NextHop& hop : endpoint.next_hops) {
    if (endpoint.remote.is_multicast()) {
      memberships_.join(hop.port, endpoint.remote);
    } else {
      users_[hop].insert(endpoint.adjacency);
      neighbors_.watch(hop, endpoint.learnt ? Neighbors::Resolve::on_demand : Neighbors::Resolve::now);
    }
  }
}

void Tunnels::unroute(Endpoint& endpoint) {
  for (const NextHop& hop : endpoint.next_hops) {
    if (endpoint.remote.is_multicast()) {
      memberships_.leave(hop.port, endpoint.remote);
      continue;
    }
    neighbors_.forget(hop, endpoint.adjacency);
    const auto users = users_.find(hop);
    users->second.erase(endpoint.adjacency);
    if (users->second.empty()) users_.erase(users);
    neighbors_.unwatch(hop);
  }
  endpoint.next_hops.clear();
}

std::vector<NextHop> Tunnels::usable(const Endpoint& endpoint) const {
  std::vector<NextHop> hops = endpoint.next_hops;
  if (!endpoint.remote.is_multicast()) std::erase_if(hops, [&](const NextHop& hop) { return !neighbors_.mac_of(hop); });
  return hops;
}

DropReason Tunnels::blocked(const Endpoint& endpoint) const {
  if (endpoint.next_hops.empty()) return DropReason::no_route;
  return usable(endpoint).empty() ? DropReason::neighbor_unresolved : DropReason::none;
}

// Those that frames may take now; where none is, the one that they wait for.
Ways Tunnels::ways_of(const Endpoint& endpoint) const {
  std::vector<NextHop> hops = usable(endpoint);
  if (hops.empty()) hops = endpoint.next_hops;
  Ways ways;
  for (const NextHop& hop : hops) {
    if (ways.count == Ways::kMost) break;
    const MacAddress destination =
        endpoint.remote.is_multicast() ? group_mac(endpoint.remote) : neighbors_.mac_of(hop).value_or(MacAddress{});
    ways.way[ways.count++] = {destination, underlay_.find(hop.port)->mac, hop.port};
  }
  return ways;
}

void Tunnels::publish(const Tunnel& tunnel, const Endpoint& endpoint) {
  const Ways ways = ways_of(endpoint);
  auto adjacency = endpoint_adjacency({.settings = tunnel.settings,
                                       .remote = endpoint.remote,
                                       .index = endpoint.adjacency,
                                       .bridge = tunnel.bridge,
                                       .split_group = number_of(tunnel.group),
                                       .limited_with = tunnel.endpoints.front().adjacency,
                                       .blocked = blocked(endpoint),
                                       .ways = ways,
                                       .workers = workers_});
  if (adjacency->numbered) adjacency->sequence = endpoint.sequence;
  uint16_t mtu = 0;
  if (ways.count != 0) mtu = path_mtu(tunnel.settings, endpoint.remote, *adjacency).value_or(UINT16_MAX);
  for (size_t i = 0; i < ways.count; ++i) mtu = std::min(mtu, underlay_.find(ways.way[i].port)->mtu);
  set_room(*adjacency, tunnel.settings.mss_clamp, mtu);
  const DropReason reason = adjacency->blocked;
  adjacencies_.publish(std::move(adjacency));
  if (!endpoint.is_fabric()) hooks_.published(endpoint.adjacency, reason);
}

// A next hop that stays is not forgotten and resolved anew.
bool Tunnels::reroute(const Tunnel& tunnel, Endpoint& endpoint) {
  if (routes_of(tunnel.settings, endpoint.remote) == endpoint.next_hops) return false;
  std::vector<NextHop> before;
  if (!endpoint.remote.is_multicast()) before = endpoint.next_hops;
  for (const NextHop& hop : before) neighbors_.watch(hop, Neighbors::Resolve::on_demand);
  unroute(endpoint);
  route(tunnel.settings, endpoint);
  for (const NextHop& hop : before) neighbors_.unwatch(hop);
  return true;
}

void Tunnels::reroute() {
  for (auto& [name, tunnel] : tunnels_) {
    relocate(name, tunnel);
    const auto reroute_one = [&, &tunnel = tunnel](Endpoint& endpoint) {
      reroute(tunnel, endpoint);
      publish(tunnel, endpoint);
    };
    for (Endpoint& endpoint : tunnel.endpoints) reroute_one(endpoint);
    for (auto& [remote, vtep] : tunnel.vteps) reroute_one(vtep);
  }
}

size_t Tunnels::follow_routes(Clock::time_point until) {
  constexpr auto kTogether = std::chrono::milliseconds(10);
  const auto now = Clock::now();
  if (to_route_.empty() && routes_changed_ && now >= next_routes_) {
    routes_changed_ = false;
    next_routes_ = now + kTogether;
    for (const auto& [index, tunnel] : tunnel_of_) to_route_.push_back(index);
  }
  size_t moved = 0;
  while (!to_route_.empty() && Clock::now() < until) {
    moved += follow_routes_of(to_route_.back());
    to_route_.pop_back();
  }
  publish_groups();
  return moved;
}

// How many ends that moved.
size_t Tunnels::follow_routes_of(AdjacencyIndex index) {
  const auto owner = tunnel_of_.find(index);
  if (owner == tunnel_of_.end()) return 0;  // gone meanwhile
  const std::string name = owner->second;
  Tunnel& tunnel = tunnels_.at(name);
  if (relocate(name, tunnel)) return tunnel.endpoints.size();
  const auto follow = [&](Endpoint& endpoint) -> size_t {
    if (endpoint.adjacency != index || !reroute(tunnel, endpoint)) return 0;
    publish(tunnel, endpoint);
    return 1;
  };
  size_t moved = 0;
  for (Endpoint& endpoint : tunnel.endpoints) moved += follow(endpoint);
  const auto vtep = tunnel.vteps.find(adjacencies_.owner(index).remote.value_or(IpAddress{}));
  return vtep != tunnel.vteps.end() ? moved + follow(vtep->second) : moved;
}

size_t Tunnels::show_neighbors(Clock::time_point until) {
  constexpr size_t kBetweenLooks = 16;
  size_t published = 0;
  while (!changed_hops_.empty()) {
    auto& [hop, next] = *changed_hops_.begin();
    if (const auto users = users_.find(hop); users != users_.end()) {
      for (auto user = users->second.lower_bound(next); user != users->second.end(); ++user) {
        next = *user;
        if (published % kBetweenLooks == 0 && Clock::now() >= until) return published;
        ++published;
        if (const Endpoint* endpoint = endpoint_of(*user)) publish(tunnels_.at(tunnel_of_.at(*user)), *endpoint);
      }
    }
    const NextHop done = hop;
    changed_hops_.erase(changed_hops_.begin());
    neighbors_.shown(done);
  }
  return published;
}

std::optional<uint16_t> Tunnels::path_mtu(const config::Tunnel& settings, const IpAddress& remote,
                                          const Adjacency& published) const {
  const auto said = settings.path_mtu ? path_mtus_.find({settings.local, remote}) : std::nullopt;
  if (!said) return {};
  const bool tagged = settings.vlan.mode == VlanMode::trunk || settings.vlan.mode == VlanMode::native;
  return std::max(*said, narrowest_path(published.outer_bytes, tagged));
}

std::optional<uint16_t> Tunnels::path_mtu(const Tunnel& tunnel, const Endpoint& endpoint) const {
  const Adjacency* const published = adjacencies_.get(endpoint.adjacency);
  return published != nullptr ? path_mtu(tunnel.settings, endpoint.remote, *published) : std::nullopt;
}

bool Tunnels::learn_path_mtu(const PathMtuReport& report) {
  const Path path{report.tunnel.local, report.tunnel.remote};
  const AdjacencyIndex sender = sender_of(report.tunnel);
  if (sender == kNoAdjacency || !tunnels_.at(tunnel_of_.at(sender)).settings.path_mtu) return false;
  if (report.mtu >= widest_port(underlay_, path)) return false;
  if (path_mtus_.learn(path, report.mtu, PathMtus::Clock::now())) republish(path);
  return true;
}

size_t Tunnels::restore_path_mtus(const std::map<Path, PathMtus::Narrow>& learnt) {
  std::set<Path> taken;
  const auto restore_one = [&](const Tunnel& tunnel, const Endpoint& endpoint) {
    const auto found = learnt.find({tunnel.settings.local, endpoint.remote});
    if (found == learnt.end() || !tunnel.settings.path_mtu) return;
    // Where no route is known yet one may come.
    const uint16_t widest = widest_port(underlay_, found->first);
    if (widest != 0 && found->second.mtu >= widest) return;
    if (taken.insert(found->first).second) path_mtus_.restore(found->first, found->second);
    publish(tunnel, endpoint);
  };
  for (const auto& [name, tunnel] : tunnels_) {
    for (const Endpoint& endpoint : tunnel.endpoints) restore_one(tunnel, endpoint);
    for (const auto& [remote, vtep] : tunnel.vteps) restore_one(tunnel, vtep);
  }
  return taken.size();
}

void Tunnels::tick() {
  for (const Path& path : path_mtus_.expire(PathMtus::Clock::now())) republish(path);
}

void Tunnels::republish(const Path& path) {
  for (const auto& [name, tunnel] : tunnels_) {
    if (tunnel.settings.local != path.local) continue;
    for (const Endpoint& endpoint : tunnel.endpoints) {
      if (endpoint.remote == path.remote) publish(tunnel, endpoint);
    }
    const auto vtep = tunnel.vteps.find(path.remote);
    if (vtep != tunnel.vteps.end()) publish(tunnel, vtep->second);
  }
}

void Tunnels::hold(const PuntedFrame& frame) {
  const Endpoint* const endpoint = endpoint_of(frame.to);
  if (endpoint != nullptr && !endpoint->next_hops.empty()) {
    neighbors_.hold(endpoint->next_hops.front(), frame);
  } else {
    neighbors_.refuse(frame);
  }
}

void Tunnels::set_full(const Tunnel& tunnel, bool full) {
  GroupTunnel& group = groups_.at(tunnel.endpoints.front().adjacency);
  if (std::exchange(group.full, full) == full) return;
  groups_changed_ = true;
  publish_groups();
}

void Tunnels::forget_idle_vteps(const std::function<Packets(AdjacencyIndex)>& packets,
                                const std::function<uint32_t(BridgeIndex)>& ageing_s, uint16_t now_s) {
  constexpr uint32_t kStrangerAgeing_s = 5;
  for (auto& [name, tunnel] : tunnels_) {
    if (!tunnel.settings.group()) continue;
    const bool full = groups_.at(tunnel.endpoints.front().adjacency).full;
    const uint32_t ageing = ageing_s(tunnel.bridge) != 0 ? ageing_s(tunnel.bridge) : UINT32_MAX;
    for (auto item = tunnel.vteps.begin(); item != tunnel.vteps.end();) {
      Endpoint& vtep = item->second;
      const Packets now = packets(vtep.adjacency);
      if (now.received != vtep.heard_packets) {
        vtep.heard_packets = now.received;
        vtep.heard_s = now_s;
      }
      const bool answered = now.sent != 0 && blocked(vtep) == DropReason::none;
      const uint32_t patience = full && !answered ? std::min(ageing, kStrangerAgeing_s) : ageing;
      // The MACs behind it are older still, and gone first.
      if (static_cast<uint16_t>(now_s - vtep.heard_s) <= patience) {
        ++item;
        continue;
      }
      hooks_.vtep_gone(name, vtep.remote);
      release(tunnel.settings, vtep);
      item = tunnel.vteps.erase(item);
    }
    if (full && tunnel.vteps.size() < kMaxVteps) set_full(tunnel, false);
  }
}

void Tunnels::commit() {
  show_neighbors(Clock::time_point::max());
  publish_groups();
}

void Tunnels::publish_groups() {
  if (std::exchange(groups_changed_, false)) {
    publisher_.publish<GroupTunnels>(tables_.group_tunnels, std::make_unique<GroupTunnels>(groups_));
  }
  if (std::exchange(options_changed_, false)) {
    publisher_.publish<KnownOptions>(tables_.known_options, std::make_unique<KnownOptions>(known_options_));
  }
}

}  // namespace causeway
