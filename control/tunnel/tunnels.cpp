#include "control/tunnel/tunnels.h"

#include <algorithm>
#include <bit>

#include "control/config/vlan_rules.h"
#include "control/publish/mss_limit.h"
#include "control/publish/outer_template.h"
#include "dataplane/wire/ethernet.h"

namespace causeway {
namespace {

constexpr uint32_t kFirstSlots = 1024;

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
      seed_(seed),
      table_(new TunnelTable(kFirstSlots, seed)),
      hooks_(std::move(hooks)) {
  tables_.tunnels.store(table_, std::memory_order_release);
  publisher_.publish<UdpListeners>(tables_.udp_listeners, std::make_unique<UdpListeners>());
  publisher_.publish<GroupTunnels>(tables_.group_tunnels, std::make_unique<GroupTunnels>());
  publisher_.publish<KnownOptions>(tables_.known_options, std::make_unique<KnownOptions>());
}

Tunnels::~Tunnels() {
  publisher_.publish<TunnelTable>(tables_.tunnels, nullptr);
  publisher_.publish<UdpListeners>(tables_.udp_listeners, nullptr);
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
  std::vector<AdjacencyIndex> all;
  for (const Endpoint& endpoint : tunnels_.at(name).endpoints) all.push_back(endpoint.adjacency);
  return all;
}

std::vector<AdjacencyIndex> Tunnels::adjacencies(const std::string& name) const {
  std::vector<AdjacencyIndex> all = flooded(name);
  for (const auto& [remote, vtep] : tunnels_.at(name).vteps) all.push_back(vtep.adjacency);
  return all;
}

TunnelKey Tunnels::key_of(const config::Tunnel& settings, const IpAddress& remote) {
  TunnelKey key;
  key.kind = settings.mode;
  key.remote = remote;
  key.local = settings.local;
  key.id = settings.id.value_or(0);
  key.udp_port = settings.port;
  key.keyless = key.kind == TunnelType::gretap && !settings.id ? 1 : 0;
  return key;
}

// What a receiver finds an endpoint by. Of a group that is: whoever sends to it, or to us, and is not known yet.
std::vector<TunnelKey> Tunnels::keys_of(const config::Tunnel& settings, const IpAddress& remote) {
  TunnelKey key = key_of(settings, remote.is_multicast() ? IpAddress{} : remote);
  std::vector<TunnelKey> keys{key};
  if (const auto group = settings.group()) {
    key.local = *group;
    keys.push_back(key);
  }
  return keys;
}

std::string Tunnels::add_endpoint(const std::string& name, Tunnel& tunnel, const IpAddress& remote) {
  const AdjacencyIndex index = adjacencies_.allocate({name, remote});
  if (index == kNoAdjacency) return "no more than " + std::to_string(kMaxAdjacencies - 1) + " ports and tunnel ends";
  tunnel_of_[index] = name;
  tunnel.endpoints.emplace_back();
  tunnel.endpoints.back().adjacency = index;
  tunnel.endpoints.back().remote = remote;
  return {};
}

std::string Tunnels::add(const std::string& name, const config::Tunnel& settings) {
  Tunnel& tunnel = tunnels_[name];
  tunnel.settings = settings;
  listen(settings, +1);
  for (const IpAddress& remote : settings.remotes) {
    std::string error = add_endpoint(name, tunnel, remote);
    if (!error.empty()) {
      remove(name);
      return error;
    }
    set_up(tunnel, tunnel.endpoints.back());
  }
  return {};
}

// What frames to `remote` carry, if that is another key than what frames from it do.
std::optional<TunnelKey> Tunnels::other_key_sent(const config::Tunnel& settings, const IpAddress& remote) {
  if (!settings.sent_id) return {};
  TunnelKey key = key_of(settings, remote);
  key.id = *settings.sent_id;
  return key;
}

AdjacencyIndex Tunnels::sender_of(const TunnelKey& sent) const {
  const auto find = [&](const TunnelKey& key) {
    if (const auto other = senders_.find(sent_key(key)); other != senders_.end()) return other->second;
    const AdjacencyIndex found = table_->find(key);
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
  for (const TunnelKey& key : keys_of(tunnel.settings, endpoint.remote)) insert_key(key, endpoint.adjacency);
  if (const auto sent = other_key_sent(tunnel.settings, endpoint.remote))
    senders_[sent_key(*sent)] = endpoint.adjacency;
  if (endpoint.remote.is_multicast()) {
    groups_[endpoint.adjacency] = {tunnel.settings.allow_from, tunnel.settings.local};
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
void Tunnels::erase_keys(const config::Tunnel& settings, const Endpoint& endpoint) {
  for (const TunnelKey& key : keys_of(settings, endpoint.remote)) erase_key(key);
  if (const auto sent = other_key_sent(settings, endpoint.remote)) senders_.erase(sent_key(*sent));
  if (groups_.erase(endpoint.adjacency) != 0) groups_changed_ = true;
  if (known_options_.erase(endpoint.adjacency) != 0) options_changed_ = true;
}

void Tunnels::release(const config::Tunnel& settings, Endpoint& endpoint) {
  erase_keys(settings, endpoint);
  unroute(endpoint);
  tunnel_of_.erase(endpoint.adjacency);
  adjacencies_.release(endpoint.adjacency);
}

std::string Tunnels::change(const std::string& name, const config::Tunnel& settings) {
  Tunnel& tunnel = tunnels_.at(name);
  for (auto& [remote, vtep] : tunnel.vteps) release(tunnel.settings, vtep);
  tunnel.vteps.clear();
  // Let go of at the end, so that a next hop that stays is not forgotten and resolved anew.
  std::vector<NextHop> before;
  for (Endpoint& endpoint : tunnel.endpoints) {
    erase_keys(tunnel.settings, endpoint);
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
  listen(tunnel.settings, -1);
  listen(settings, +1);
  tunnel.settings = settings;
  while (tunnel.endpoints.size() > settings.remotes.size()) {
    tunnel_of_.erase(tunnel.endpoints.back().adjacency);
    adjacencies_.release(tunnel.endpoints.back().adjacency);
    tunnel.endpoints.pop_back();
  }
  for (size_t i = 0; i < settings.remotes.size(); ++i) {
    if (i == tunnel.endpoints.size()) {
      std::string error = add_endpoint(name, tunnel, settings.remotes[i]);
      if (!error.empty()) {
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

void Tunnels::remove(const std::string& name) {
  Tunnel& tunnel = tunnels_.at(name);
  for (auto& [remote, vtep] : tunnel.vteps) release(tunnel.settings, vtep);
  for (Endpoint& endpoint : tunnel.endpoints) release(tunnel.settings, endpoint);
  listen(tunnel.settings, -1);
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

std::vector<NextHop> Tunnels::routes_of(const config::Tunnel& settings, const IpAddress& remote) const {
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
  auto adjacency = std::make_unique<Adjacency>();
  adjacency->index = endpoint.adjacency;
  adjacency->bridge = tunnel.bridge;
  adjacency->isolated = tunnel.settings.isolated;
  adjacency->vlan = rules_of(tunnel.settings.vlan);
  adjacency->vlan_rules = tunnel.settings.vlan.mode != VlanMode::none;
  adjacency->numbered = tunnel.settings.sequence;
  if (adjacency->numbered) adjacency->sequence = endpoint.sequence;
  adjacency->floods = {share_of(tunnel.settings.limits.flood_rate, workers_), tunnel.endpoints.front().adjacency};
  adjacency->blocked = blocked(endpoint);
  const Ways ways = ways_of(endpoint);
  const Ways::Way& first = ways.way.front();
  adjacency->port = first.port;
  build_outer(*adjacency, tunnel.settings, endpoint.remote, first.source, first.destination);
  uint16_t mtu = 0;
  if (ways.count != 0) mtu = path_mtu(tunnel.settings, endpoint.remote, *adjacency).value_or(UINT16_MAX);
  for (size_t i = 0; i < ways.count; ++i) mtu = std::min(mtu, underlay_.find(ways.way[i].port)->mtu);
  if (ways.count > 1 && adjacency->blocked == DropReason::none) adjacency->ways = std::make_unique<const Ways>(ways);
  constexpr int kEthernetBytes = sizeof(EthernetHeader);
  const int room = mtu + kEthernetBytes - adjacency->outer_bytes;
  adjacency->max_frame_bytes = static_cast<uint16_t>(std::max(room, 0));
  adjacency->mss = mss_limit(tunnel.settings.mss_clamp, static_cast<uint32_t>(std::max(room - kEthernetBytes, 0)));
  const DropReason reason = adjacency->blocked;
  adjacencies_.publish(std::move(adjacency));
  hooks_.published(endpoint.adjacency, reason);
}

void Tunnels::reroute() {
  for (auto& [name, tunnel] : tunnels_) {
    const auto reroute_one = [&, &tunnel = tunnel](Endpoint& endpoint) {
      if (routes_of(tunnel.settings, endpoint.remote) != endpoint.next_hops) {
        unroute(endpoint);
        route(tunnel.settings, endpoint);
      }
      publish(tunnel, endpoint);
    };
    for (Endpoint& endpoint : tunnel.endpoints) reroute_one(endpoint);
    for (auto& [remote, vtep] : tunnel.vteps) reroute_one(vtep);
  }
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
  uint16_t known = 0;
  for (const NextHop& hop : underlay_.routes(path.local, path.remote)) {
    known = std::max(known, underlay_.find(hop.port)->mtu);
  }
  const AdjacencyIndex sender = sender_of(report.tunnel);
  if (sender == kNoAdjacency || !tunnels_.at(tunnel_of_.at(sender)).settings.path_mtu) return false;
  if (report.mtu >= known) return false;
  if (path_mtus_.learn(path, report.mtu, PathMtus::Clock::now())) republish(path);
  return true;
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
  const Endpoint* const endpoint = endpoint_of(frame.adjacency);
  if (endpoint != nullptr && !endpoint->next_hops.empty()) {
    neighbors_.hold(endpoint->next_hops.front(), frame);
  } else {
    neighbors_.refuse(frame);
  }
}

DropReason Tunnels::learn_vtep(AdjacencyIndex group, const IpAddress& remote, uint16_t now_s) {
  const auto owner = tunnel_of_.find(group);
  if (owner == tunnel_of_.end()) return DropReason::unknown_vni;
  Tunnel& tunnel = tunnels_.at(owner->second);
  if (!tunnel.settings.group() || remote.is_multicast() || remote.is_unspecified() || underlay_.is_own(remote)) {
    return DropReason::unknown_remote;
  }
  if (tunnel.vteps.contains(remote)) return DropReason::none;
  const bool full = tunnel.vteps.size() == kMaxVteps;
  const AdjacencyIndex index = full ? kNoAdjacency : adjacencies_.allocate({owner->second, remote});
  if (index == kNoAdjacency) {
    hooks_.vteps_full(owner->second);
    set_full(tunnel, true);
    return DropReason::none;
  }
  hooks_.vtep_learnt(owner->second, remote);
  tunnel_of_[index] = owner->second;
  Endpoint& vtep = tunnel.vteps[remote];
  vtep.adjacency = index;
  vtep.remote = remote;
  vtep.learnt = true;
  vtep.heard_s = now_s;
  set_up(tunnel, vtep);
  publish_groups();
  return DropReason::none;
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

void Tunnels::insert_key(const TunnelKey& key, AdjacencyIndex adjacency) {
  if ((used_ + 2) * 2 > table_->capacity()) {
    auto next = std::make_unique<TunnelTable>(std::max(kFirstSlots, std::bit_ceil((keys_ + 2) * 4)), seed_);
    for (uint32_t i = 0; i < table_->capacity(); ++i) {
      const AdjacencyIndex used = table_->slot(i).adjacency.load(std::memory_order_relaxed);
      if (used != kNoAdjacency && used != TunnelTable::kDeleted) next->insert(table_->slot(i).key, used);
    }
    used_ = keys_;
    table_ = next.get();
    publisher_.publish<TunnelTable>(tables_.tunnels, std::move(next));
  }
  table_->insert(key, adjacency);
  ++used_;
  ++keys_;
  if (++ids_[{key.kind, key.keyless, key.udp_port, key.id}] == 1) {
    table_->insert(key.any_remote(), adjacency);
    ++used_;
    ++keys_;
  }
}

void Tunnels::erase_key(const TunnelKey& key) {
  if (table_->erase(key)) --keys_;
  tables_.changed();
  const auto id = ids_.find({key.kind, key.keyless, key.udp_port, key.id});
  if (id == ids_.end() || --id->second != 0) return;
  ids_.erase(id);
  if (table_->erase(key.any_remote())) --keys_;
}

void Tunnels::listen(const config::Tunnel& settings, int delta) {
  if (!over_udp(settings.mode)) return;
  const std::pair key{settings.port, settings.mode};
  const unsigned before = listeners_[key];
  listeners_[key] = before + static_cast<unsigned>(delta);
  if (before != 0 && listeners_[key] != 0) return;
  if (listeners_[key] == 0) listeners_.erase(key);
  auto list = std::make_unique<UdpListeners>();
  for (const auto& [listener, users] : listeners_) list->push_back({listener.first, listener.second});
  publisher_.publish<UdpListeners>(tables_.udp_listeners, std::move(list));
}

}  // namespace causeway
