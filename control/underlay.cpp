#include "control/underlay.h"

#include <algorithm>

namespace causeway {

const Underlay::Port* Underlay::find(PortIndex index) const {
  const auto found = ports_.find(index);
  return found == ports_.end() ? nullptr : &found->second;
}

bool Underlay::owns(PortIndex port, const IpAddress& address) const {
  const Port* const p = find(port);
  return p != nullptr && std::ranges::any_of(p->addresses, [&](const IpPrefix& own) { return own.address == address; });
}

std::optional<NextHop> Underlay::route(const IpAddress& local, const IpAddress& remote) const {
  std::optional<NextHop> best;
  int best_rank = -1;
  for (const auto& [index, port] : ports_) {
    const int holds_local = owns(index, local) ? 1 : 0;
    const auto consider = [&, index = index](const IpPrefix& prefix, const IpAddress& next) {
      const int rank = prefix.length * 2 + holds_local;
      if (!prefix.contains(remote) || rank <= best_rank) return;
      best = NextHop{index, next};
      best_rank = rank;
    };
    for (const IpPrefix& own : port.addresses) consider(own, remote);
    for (const config::Route& route : port.routes) consider(route.to, route.via);
  }
  return best;
}

std::optional<NextHop> Underlay::group_route(const std::string& link, const IpAddress& local,
                                             const IpAddress& group) const {
  for (const auto& [index, port] : ports_) {
    if (link.empty() ? owns(index, local) : port.name == link) return NextHop{index, group};
  }
  return std::nullopt;
}

std::vector<IpAddress> Underlay::accepted(PortIndex accepting) const {
  std::vector<IpAddress> all;
  for (const auto& [index, port] : ports_) {
    for (const IpPrefix& own : port.addresses) all.push_back(own.address);
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
