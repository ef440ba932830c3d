#include "control/tunnels.h"

#include <algorithm>
#include <bit>

#include "control/mss_limit.h"
#include "control/outer_template.h"
#include "dataplane/wire/ethernet.h"

namespace causeway {
namespace {

constexpr uint32_t kFirstSlots = 1024;

}  // namespace

Tunnels::Tunnels(Tables& tables, Publisher& publisher, Adjacencies& adjacencies, const Underlay& underlay,
                 Neighbors& neighbors, uint64_t seed)
    : tables_(tables),
      publisher_(publisher),
      adjacencies_(adjacencies),
      underlay_(underlay),
      neighbors_(neighbors),
      seed_(seed),
      table_(new TunnelTable(kFirstSlots, seed)) {
  tables_.tunnels.store(table_, std::memory_order_release);
  publisher_.publish<UdpListeners>(tables_.udp_listeners, std::make_unique<UdpListeners>());
}

Tunnels::~Tunnels() {
  publisher_.publish<TunnelTable>(tables_.tunnels, nullptr);
  publisher_.publish<UdpListeners>(tables_.udp_listeners, nullptr);
}

const Tunnels::Tunnel* Tunnels::find(const std::string& name) const {
  const auto found = tunnels_.find(name);
  return found == tunnels_.end() ? nullptr : &found->second;
}

std::vector<AdjacencyIndex> Tunnels::adjacencies(const std::string& name) const {
  std::vector<AdjacencyIndex> all;
  for (const Endpoint& endpoint : tunnels_.at(name).endpoints) all.push_back(endpoint.adjacency);
  return all;
}

TunnelKey Tunnels::key_of(const config::Tunnel& settings, const IpAddress& remote) {
  TunnelKey key;
  key.kind = kind_of(settings.mode);
  key.remote = remote;
  key.local = settings.local;
  key.id = settings.id.value_or(0);
  key.udp_port = settings.port;
  key.keyless = key.kind == AdjacencyKind::gretap && !settings.id ? 1 : 0;
  return key;
}

std::string Tunnels::add(const std::string& name, const config::Tunnel& settings) {
  Tunnel& tunnel = tunnels_[name];
  tunnel.settings = settings;
  listen(settings, +1);
  for (const IpAddress& remote : settings.remotes) {
    const AdjacencyIndex index = adjacencies_.allocate({name, remote});
    if (index == kNoAdjacency) {
      remove(name);
      return "no more than " + std::to_string(kMaxAdjacencies - 1) + " ports and tunnel ends";
    }
    tunnel_of_[index] = name;
    Endpoint& endpoint = tunnel.endpoints.emplace_back(Endpoint{index, remote, {}});
    route(settings, endpoint);
    publish(tunnel, endpoint);
    insert_key(key_of(settings, remote), index);
  }
  return {};
}

std::string Tunnels::change(const std::string& name, const config::Tunnel& settings) {
  Tunnel& tunnel = tunnels_.at(name);
  // Let go of at the end, so that a next hop that stays is not forgotten and resolved anew.
  std::vector<NextHop> before;
  for (Endpoint& endpoint : tunnel.endpoints) {
    erase_key(key_of(tunnel.settings, endpoint.remote));
    if (!endpoint.next_hop) continue;
    before.push_back(*endpoint.next_hop);
    neighbors_.watch(*endpoint.next_hop);
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
      const AdjacencyIndex index = adjacencies_.allocate({name, settings.remotes[i]});
      if (index == kNoAdjacency) {
        let_go();
        return "no more than " + std::to_string(kMaxAdjacencies - 1) + " ports and tunnel ends";
      }
      tunnel_of_[index] = name;
      tunnel.endpoints.push_back({index, {}, {}});
    }
    Endpoint& endpoint = tunnel.endpoints[i];
    endpoint.remote = settings.remotes[i];
    adjacencies_.set_remote(endpoint.adjacency, endpoint.remote);
    route(settings, endpoint);
    publish(tunnel, endpoint);
    insert_key(key_of(settings, endpoint.remote), endpoint.adjacency);
  }
  let_go();
  return {};
}

void Tunnels::remove(const std::string& name) {
  Tunnel& tunnel = tunnels_.at(name);
  for (Endpoint& endpoint : tunnel.endpoints) {
    erase_key(key_of(tunnel.settings, endpoint.remote));
    unroute(endpoint);
    tunnel_of_.erase(endpoint.adjacency);
    adjacencies_.release(endpoint.adjacency);
  }
  listen(tunnel.settings, -1);
  tunnels_.erase(name);
}

void Tunnels::set_bridge(const std::string& name, BridgeIndex bridge) {
  Tunnel& tunnel = tunnels_.at(name);
  tunnel.bridge = bridge;
  for (const Endpoint& endpoint : tunnel.endpoints) {
    if (endpoint.next_hop) neighbors_.forget(*endpoint.next_hop, endpoint.adjacency);
    publish(tunnel, endpoint);
  }
}

void Tunnels::route(const config::Tunnel& settings, Endpoint& endpoint) {
  endpoint.next_hop = underlay_.route(settings.local, endpoint.remote);
  if (!endpoint.next_hop) return;
  users_[*endpoint.next_hop].insert(endpoint.adjacency);
  neighbors_.watch(*endpoint.next_hop);
}

void Tunnels::unroute(Endpoint& endpoint) {
  if (!endpoint.next_hop) return;
  neighbors_.forget(*endpoint.next_hop, endpoint.adjacency);
  const auto users = users_.find(*endpoint.next_hop);
  users->second.erase(endpoint.adjacency);
  if (users->second.empty()) users_.erase(users);
  neighbors_.unwatch(*endpoint.next_hop);
  endpoint.next_hop.reset();
}

DropReason Tunnels::blocked(const Endpoint& endpoint) const {
  if (!endpoint.next_hop) return DropReason::no_route;
  return neighbors_.mac_of(*endpoint.next_hop) ? DropReason::none : DropReason::neighbor_unresolved;
}

void Tunnels::publish(const Tunnel& tunnel, const Endpoint& endpoint) {
  auto adjacency = std::make_unique<Adjacency>();
  adjacency->index = endpoint.adjacency;
  adjacency->bridge = tunnel.bridge;
  adjacency->isolated = tunnel.settings.isolated;
  adjacency->blocked = blocked(endpoint);
  MacAddress source;
  MacAddress destination;
  uint16_t mtu = 0;
  if (endpoint.next_hop) {
    const Underlay::Port& port = *underlay_.find(endpoint.next_hop->port);
    adjacency->port = endpoint.next_hop->port;
    source = port.mac;
    mtu = std::min(port.mtu, path_mtus_.find({tunnel.settings.local, endpoint.remote}).value_or(UINT16_MAX));
    destination = neighbors_.mac_of(*endpoint.next_hop).value_or(MacAddress{});
  }
  build_outer(*adjacency, tunnel.settings, endpoint.remote, source, destination);
  constexpr int kEthernetBytes = sizeof(EthernetHeader);
  const int room = mtu + kEthernetBytes - adjacency->outer_bytes;
  adjacency->max_frame_bytes = static_cast<uint16_t>(std::max(room, 0));
  adjacency->mss = mss_limit(tunnel.settings.mss_clamp, static_cast<uint32_t>(std::max(room - kEthernetBytes, 0)));
  adjacencies_.publish(std::move(adjacency));
}

void Tunnels::reroute() {
  for (auto& [name, tunnel] : tunnels_) {
    for (Endpoint& endpoint : tunnel.endpoints) {
      if (underlay_.route(tunnel.settings.local, endpoint.remote) != endpoint.next_hop) {
        unroute(endpoint);
        route(tunnel.settings, endpoint);
      }
      publish(tunnel, endpoint);
    }
  }
}

void Tunnels::neighbor_changed(const NextHop& hop) {
  const auto users = users_.find(hop);
  if (users == users_.end()) return;
  for (const AdjacencyIndex index : users->second) {
    const Tunnel& tunnel = tunnels_.at(tunnel_of_.at(index));
    for (const Endpoint& endpoint : tunnel.endpoints) {
      if (endpoint.adjacency == index) publish(tunnel, endpoint);
    }
  }
}

bool Tunnels::learn_path_mtu(const PathMtuReport& report) {
  const Path path{report.tunnel.local, report.tunnel.remote};
  const std::optional<NextHop> next_hop = underlay_.route(path.local, path.remote);
  if (table_->find(report.tunnel) == kNoAdjacency || !next_hop || report.mtu >= underlay_.find(next_hop->port)->mtu) {
    return false;
  }
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
  }
}

void Tunnels::hold(const PuntedFrame& frame) {
  const auto owner = tunnel_of_.find(frame.adjacency);
  if (owner != tunnel_of_.end()) {
    for (const Endpoint& endpoint : tunnels_.at(owner->second).endpoints) {
      if (endpoint.adjacency != frame.adjacency || !endpoint.next_hop) continue;
      neighbors_.hold(*endpoint.next_hop, frame);
      return;
    }
  }
  neighbors_.refuse(frame);
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
  if (settings.mode == config::TunnelMode::gretap) return;
  const std::pair key{settings.port, kind_of(settings.mode)};
  const unsigned before = listeners_[key];
  listeners_[key] = before + static_cast<unsigned>(delta);
  if (before != 0 && listeners_[key] != 0) return;
  if (listeners_[key] == 0) listeners_.erase(key);
  auto list = std::make_unique<UdpListeners>();
  for (const auto& [listener, users] : listeners_) list->push_back({listener.first, listener.second});
  publisher_.publish<UdpListeners>(tables_.udp_listeners, std::move(list));
}

}  // namespace causeway
