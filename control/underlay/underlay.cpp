#include "control/underlay/underlay.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "dataplane/wire/link_local.h"

namespace causeway {
namespace {

std::vector<int> keys_of(const std::map<int, PortIndex>& ports) {
  std::vector<int> keys;
  for (const auto& [key, port] : ports) keys.push_back(key);
  return keys;
}

}  // namespace

const Underlay::Port* Underlay::find(PortIndex index) const {
  const auto found = ports_.find(index);
  return found == ports_.end() ? nullptr : &found->second;
}

bool Underlay::owns(PortIndex port, const IpAddress& address) const {
  const Port* const p = find(port);
  return p != nullptr && std::ranges::any_of(p->addresses, [&](const IpPrefix& own) { return own.address == address; });
}

bool Underlay::is_host(PortIndex port) const {
  const Port* const p = find(port);
  return p != nullptr && p->host && !p->host_path;
}

bool Underlay::host_answers(PortIndex port) const {
  const Port* const p = find(port);
  return p != nullptr && (p->host || p->host_path);
}

// The ways of the best rank so far.
class Underlay::Best {
 public:
  // `way` none: the host says that nothing goes there.
  void add(const Rank& rank, const std::optional<Way>& way) {
    if (any_ && rank > rank_) return;
    if (!any_ || rank < rank_) ways_.clear();
    any_ = true;
    rank_ = rank;
    if (way) ways_.push_back(*way);
  }
  std::vector<Way> take() {
    std::ranges::sort(ways_);
    return std::move(ways_);
  }

 private:
  bool any_ = false;
  Rank rank_;
  std::vector<Way> ways_;
};

std::map<uint32_t, std::map<int, PortIndex>> Underlay::followers() const {
  std::map<uint32_t, std::map<int, PortIndex>> all;
  for (const auto& [index, port] : ports_) {
    if (!port.link_up) continue;
    for (const uint32_t table : port.followed_tables) all[table][host_routes_->index_of(port.interface)] = index;
  }
  return all;
}

void Underlay::add_host_ways(const IpAddress& remote, Best& best) const {
  for (const auto& [table, ports] : followers()) {
    const auto found = host_routes_->find(table, remote, keys_of(ports));
    if (!found) continue;
    const Rank rank{-found->length, true, found->metric};
    if (found->hops.empty()) best.add(rank, std::nullopt);
    for (const RouteHop& hop : found->hops) {
      best.add(rank, Way{{ports.at(hop.interface), hop.via.is_unspecified() ? remote : hop.via}, found->source});
    }
  }
}

std::vector<NextHop> Underlay::followed(uint32_t table, const HostRoutes::Route& route) const {
  std::vector<NextHop> hops;
  if (host_routes_ == nullptr) return hops;
  const auto all = followers();
  const auto ports = all.find(table);
  if (ports == all.end()) return hops;
  for (const RouteHop& hop : host_routes_->hops_of(route, keys_of(ports->second))) {
    hops.push_back({ports->second.at(hop.interface), hop.via});
  }
  return hops;
}

std::vector<Underlay::Way> Underlay::ways(const IpAddress& remote) const {
  Best best;
  const auto consider = [&](const IpPrefix& prefix, uint32_t metric, const NextHop& hop) {
    if (prefix.contains(remote)) best.add({-prefix.length, false, metric}, Way{hop, {}});
  };
  for (const auto& [index, port] : ports_) {
    if (!port.link_up || port.host) continue;
    for (const IpPrefix& own : port.addresses) consider(own, 0, {index, remote});
    for (const config::Route& route : port.routes) consider(route.to, route.metric, {index, route.via});
  }
  if (host_routes_ != nullptr) add_host_ways(remote, best);
  return best.take();
}

std::vector<NextHop> Underlay::routes(const IpAddress& local, const IpAddress& remote) const {
  std::vector<NextHop> hops;
  for (const Way& way : ways(remote)) hops.push_back(way.hop);
  const auto is_locals = [&](const NextHop& hop) {
    return is_link_local(remote) ? owns(hop.port, local) : is_in_network_of(hop.port, local);
  };
  if (std::ranges::any_of(hops, is_locals)) std::erase_if(hops, std::not_fn(is_locals));
  hops.erase(std::unique(hops.begin(), hops.end()), hops.end());
  return hops;
}

std::optional<IpAddress> Underlay::source_to(const IpAddress& remote) const {
  for (const Way& way : ways(remote)) {
    const IpAddress& peer = way.hop.address.is_v4() == remote.is_v4() ? way.hop.address : remote;
    const auto source = way.source.is_unspecified() ? source_for(way.hop.port, peer) : way.source;
    if (source && source->is_v4() == remote.is_v4()) return source;
  }
  return std::nullopt;
}

bool Underlay::is_in_network_of(PortIndex port, const IpAddress& local) const {
  return std::ranges::any_of(find(port)->addresses, [&](const IpPrefix& own) {
    return own.address == local && own.length < (local.is_v4() ? 32 : 128);
  });
}

std::vector<NextHop> Underlay::group_route(const std::string& link, const IpAddress& local,
                                           const IpAddress& group) const {
  for (const auto& [index, port] : ports_) {
    if (link.empty() ? owns(index, local) : port.name == link) return {NextHop{index, group}};
  }
  return {};
}

std::vector<IpAddress> Underlay::accepted(PortIndex accepting) const {
  std::vector<IpAddress> all;
  for (const auto& [index, port] : ports_) {
    for (const IpPrefix& own : port.addresses) {
      if (index == accepting || !is_link_local(own.address)) all.push_back(own.address);
    }
  }
  if (const auto groups = groups_.find(accepting); groups != groups_.end()) {
    all.insert(all.end(), groups->second.begin(), groups->second.end());
  }
  return all;
}

bool Underlay::is_own(const IpAddress& address) const {
  return std::ranges::any_of(ports_, [&](const auto& port) { return owns(port.first, address); });
}

std::optional<IpAddress> Underlay::source_for(PortIndex port, const IpAddress& peer) const {
  const Port* const p = find(port);
  std::optional<IpAddress> any;
  if (p == nullptr) return any;
  for (const IpPrefix& own : p->addresses) {
    if (own.address.is_v4() != peer.is_v4()) continue;
    if (own.contains(peer)) return own.address;
    if (!any) any = own.address;
  }
  return any;
}

}  // namespace causeway
