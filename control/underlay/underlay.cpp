#include "control/underlay/underlay.h"

#include <algorithm>
#include <climits>
#include <functional>
#include <utility>

#include "dataplane/wire/link_local.h"

namespace causeway {

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

std::vector<Underlay::Way> Underlay::ways(const IpAddress& remote) const {
  using Rank = std::pair<int, uint32_t>;  // less is better
  Rank best{INT_MAX, 0};
  std::vector<Way> ways;
  const auto consider = [&](const IpPrefix& prefix, uint32_t metric, const Way& way) {
    const Rank rank{-prefix.length, metric};
    if (!prefix.contains(remote) || rank > best) return;
    if (rank < best) ways.clear();
    best = rank;
    ways.push_back(way);
  };
  for (const auto& [index, port] : ports_) {
    if (!port.link_up) continue;
    for (const HostRoute& route : port.host_routes) {
      const IpAddress& next = route.via.is_unspecified() ? remote : route.via;
      consider(route.to, route.metric, {{index, next}, route.source});
    }
    if (port.host) continue;
    for (const IpPrefix& own : port.addresses) consider(own, 0, {{index, remote}, {}});
    for (const config::Route& route : port.routes) consider(route.to, route.metric, {{index, route.via}, {}});
  }
  std::ranges::sort(ways);
  return ways;
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
    const auto source = way.source.is_unspecified() ? source_for(way.hop.port, way.hop.address) : way.source;
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
