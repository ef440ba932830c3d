#include "control/underlay/host_routes.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "control/config/address_text.h"

namespace causeway {
namespace {

bool contains(const std::vector<int>& interfaces, int interface) {
  return std::ranges::find(interfaces, interface) != interfaces.end();
}

}  // namespace

bool HostRoutes::Route::same_as(const Route& other) const {
  return metric == other.metric && source == other.source && nowhere == other.nowhere && next_hop == other.next_hop &&
         hops == other.hops;
}

void HostRoutes::follow(std::set<uint32_t> tables, std::set<std::string> interfaces) {
  const bool more = !std::ranges::includes(tables_, tables);
  const bool fewer = !std::ranges::includes(tables, tables_);
  const bool unknown = std::ranges::any_of(interfaces, [&](const std::string& name) { return index_of(name) == 0; });
  changed_ = changed_ || more || fewer || interfaces != interfaces_;
  tables_ = std::move(tables);
  interfaces_ = std::move(interfaces);
  if (tables_.empty()) return clear();
  for (auto item = routes_.begin(); fewer && item != routes_.end();) {
    item = tables_.contains(item->first.table) ? std::next(item) : erase(item);
  }
  wants_dump_ = wants_dump_ || more;
  if ((more || unknown) && fill_) fill_();
}

void HostRoutes::clear() {
  routes_.clear();
  lengths_.clear();
  next_hops_.clear();
  links_.clear();
  index_.clear();
  filled_ = false;
  wants_dump_ = false;
}

int HostRoutes::index_of(const std::string& interface) const {
  const auto found = index_.find(interface);
  return found != index_.end() ? found->second : 0;
}

bool HostRoutes::leads_nowhere(const Route& route) const {
  if (route.next_hop == 0) return route.nowhere;
  const auto object = next_hops_.find(route.next_hop);
  return object != next_hops_.end() && object->second.nowhere;
}

// A group's members are no groups.
void HostRoutes::append_hops(uint32_t object, const std::vector<int>& interfaces, std::vector<RouteHop>& hops) const {
  const auto found = next_hops_.find(object);
  if (found == next_hops_.end()) return;
  for (const RouteHop& hop : found->second.hops) {
    if (contains(interfaces, hop.interface)) hops.push_back(hop);
  }
}

std::vector<RouteHop> HostRoutes::hops_of(const Route& route, const std::vector<int>& interfaces) const {
  std::vector<RouteHop> hops;
  for (const RouteHop& hop : route.hops) {
    if (contains(interfaces, hop.interface)) hops.push_back(hop);
  }
  if (route.next_hop == 0) return hops;
  append_hops(route.next_hop, interfaces, hops);
  if (const auto object = next_hops_.find(route.next_hop); object != next_hops_.end()) {
    for (const uint32_t member : object->second.group) append_hops(member, interfaces, hops);
  }
  return hops;
}

std::optional<HostRoutes::Found> HostRoutes::best_of(const Key& key, const std::vector<Route>& routes,
                                                     const std::vector<int>& interfaces) const {
  std::optional<Found> best;
  for (const Route& route : routes) {
    if (best && (route.metric != best->metric || key.to.address.is_v4())) break;
    const std::vector<RouteHop> hops = hops_of(route, interfaces);
    if (hops.empty() && !(leads_nowhere(route) && !best)) continue;
    if (!best) best = Found{key.to.length, route.metric, route.source, {}};
    best->hops.insert(best->hops.end(), hops.begin(), hops.end());
    if (hops.empty()) break;
  }
  return best;
}

std::optional<HostRoutes::Found> HostRoutes::find(uint32_t table, const IpAddress& to,
                                                  const std::vector<int>& interfaces) const {
  const auto lengths = lengths_.find({table, to.is_v4()});
  if (lengths == lengths_.end()) return std::nullopt;
  for (int length = to.is_v4() ? 32 : 128; length >= 0; --length) {
    if (lengths->second.at(static_cast<size_t>(length)) == 0) continue;
    const auto found = routes_.find({table, network_of({to, static_cast<uint8_t>(length)})});
    if (found == routes_.end()) continue;
    if (auto best = best_of(found->first, found->second, interfaces)) return best;
  }
  return std::nullopt;
}

bool HostRoutes::take_changes() { return filled_ && std::exchange(changed_, false); }

void HostRoutes::begin_dump() {
  ++dump_;
  ++counts_.dumps;
  wants_dump_ = false;
  disturbed_ = false;
}

void HostRoutes::lost() {
  ++counts_.losses;
  wants_dump_ = true;
}

void HostRoutes::route(const RouteMessage& message, bool told) {
  if (!tables_.contains(message.table)) return;
  if (message.gone) {
    remove(message);
  } else {
    add(message, told);
  }
}

void HostRoutes::add(const RouteMessage& message, bool told) {
  Route fresh{message.metric, message.source, message.nowhere, message.next_hop, message.hops, dump_};
  const auto [item, is_new] = routes_.try_emplace({message.table, message.to});
  if (is_new) ++lengths_[{message.table, message.to.address.is_v4()}].at(message.to.length);
  std::vector<Route>& routes = item->second;
  const auto same = std::ranges::find_if(routes, [&](const Route& route) { return route.same_as(fresh); });
  if (same != routes.end()) {
    same->told = dump_;
    // Their order is that of the dump.
    if (told && routes.size() > 1) {
      Route moved = std::move(*same);
      routes.erase(same);
      insert(routes, std::move(moved));
    }
    return;
  }
  changed_ = true;
  if (fresh.next_hop != 0) ++next_hops_[fresh.next_hop].users;
  if (told) return insert(routes, std::move(fresh));  // what has another one in its place goes at the end
  const auto alike = [&](const Route& route) { return route.metric == fresh.metric; };
  const auto old = std::ranges::find_if(routes, alike);
  const bool grown = old != routes.end() && fresh.next_hop == 0 && old->next_hop == 0 &&
                     std::ranges::includes(fresh.hops, old->hops);  // IPv6: one that got more next hops
  if (std::ranges::count_if(routes, alike) == 1 && (message.replaces || grown)) {
    forget(*old);
    *old = std::move(fresh);
    return;
  }
  // Which of them it stands beside or in place of, it doesn't say.
  wants_dump_ = wants_dump_ || old != routes.end();
  insert(routes, std::move(fresh));
}

void HostRoutes::insert(std::vector<Route>& routes, Route route) {
  const auto place = std::ranges::upper_bound(routes, route.metric, {}, &Route::metric);
  routes.insert(place, std::move(route));
}

void HostRoutes::remove(const RouteMessage& message) {
  const Route gone{message.metric, message.source, message.nowhere, message.next_hop, message.hops, 0};
  const auto item = routes_.find({message.table, message.to});
  disturbed_ = true;
  if (item == routes_.end()) return;
  std::vector<Route>& routes = item->second;
  const auto same = std::ranges::find_if(routes, [&](const Route& route) { return route.same_as(gone); });
  if (same == routes.end()) {
    // One of several next hops, or one whose state has changed meanwhile.
    wants_dump_ = wants_dump_ || std::ranges::find(routes, gone.metric, &Route::metric) != routes.end();
    return;
  }
  changed_ = true;
  if (routes.size() == 1) {
    erase(item);
    return;
  }
  forget(*same);
  routes.erase(same);
}

HostRoutes::Routes::iterator HostRoutes::erase(Routes::iterator item) {
  for (const Route& route : item->second) forget(route);
  --lengths_[{item->first.table, item->first.to.address.is_v4()}].at(item->first.to.length);
  return routes_.erase(item);
}

// A route of ours names its next-hop object no longer.
void HostRoutes::forget(const Route& route) {
  if (route.next_hop == 0) return;
  const auto object = next_hops_.find(route.next_hop);
  if (object == next_hops_.end()) return;
  --object->second.users;
  if (object->second.users == 0 && !object->second.known) next_hops_.erase(object);
}

bool HostRoutes::is_followed(const std::vector<RouteHop>& hops) const {
  return std::ranges::any_of(hops, [this](const RouteHop& hop) {
    const auto link = links_.find(hop.interface);
    return link != links_.end() && interfaces_.contains(link->second.name);
  });
}

void HostRoutes::next_hop(const NextHopMessage& message, bool) {
  if (const auto known = next_hops_.find(message.id); known != next_hops_.end()) {
    changed_ = changed_ || known->second.users != 0 || is_followed(known->second.hops);
  }
  changed_ = changed_ || is_followed(message.hops);
  if (!message.gone) {
    NextHop& object = next_hops_[message.id];
    object = {message.nowhere, message.hops, message.group, object.users, true, dump_};
    return;
  }
  const auto found = next_hops_.find(message.id);
  if (found == next_hops_.end()) return;
  if (found->second.users == 0) {
    next_hops_.erase(found);
    return;
  }
  // The kernel doesn't tell which routes went with it.
  found->second = {false, {}, {}, found->second.users, false, dump_};
  wants_dump_ = true;
}

// Routes and next hops go with an interface that is set down or loses its carrier; the kernel doesn't tell which.
void HostRoutes::link(const LinkMessage& message, bool told) {
  const auto known = links_.find(message.index);
  if (known != links_.end() && !message.gone && known->second.name == message.name) {
    const bool changes = std::exchange(known->second.up, message.up) != message.up;
    known->second.told = dump_;
    wants_dump_ = wants_dump_ || (changes && !told && interfaces_.contains(message.name));
    return;
  }
  if (known != links_.end()) {
    wants_dump_ = wants_dump_ || (!told && interfaces_.contains(known->second.name));
    forget_link(known);
  }
  if (!message.gone) {
    links_[message.index] = {message.name, message.up, dump_};
    index_[message.name] = message.index;
    changed_ = changed_ || interfaces_.contains(message.name);
  }
}

// Another one may have its name by now.
void HostRoutes::forget_link(std::map<int, Link>::iterator item) {
  changed_ = changed_ || interfaces_.contains(item->second.name);
  const auto named = index_.find(item->second.name);
  if (named != index_.end() && named->second == item->first) index_.erase(named);
  links_.erase(item);
}

// What an older dump told and this one doesn't is gone; but of a disturbed one only what the one before hasn't told
// either. Where something goes while the kernel tells, it may leave out others (fib6_dump_table, rtnl_dump_ifinfo).
void HostRoutes::all_told() {
  for (auto item = routes_.begin(); item != routes_.end();) {
    std::vector<Route>& routes = item->second;
    const auto is_old = [&](const Route& route) { return route.told < oldest_told(); };
    const auto old = std::ranges::count_if(routes, is_old);
    changed_ = changed_ || old != 0;
    if (static_cast<size_t>(old) == routes.size()) {
      item = erase(item);
      continue;
    }
    if (old != 0) {
      for (const Route& route : routes) {
        if (is_old(route)) forget(route);
      }
      std::erase_if(routes, is_old);
    }
    wants_dump_ = wants_dump_ || std::ranges::any_of(routes, [&](const Route& route) { return route.told != dump_; });
    ++item;
  }
  for (auto item = next_hops_.begin(); item != next_hops_.end();) {
    NextHop& object = item->second;
    const bool old = object.told < oldest_told();
    wants_dump_ = wants_dump_ || (!old && object.told != dump_);
    if (old && object.users != 0) object = {false, {}, {}, object.users, false, dump_};
    item = old && object.users == 0 ? next_hops_.erase(item) : std::next(item);
  }
  for (auto item = links_.begin(); item != links_.end();) {
    const auto current = item++;
    const bool old = current->second.told < oldest_told();
    wants_dump_ = wants_dump_ || (!old && current->second.told != dump_);
    if (old) forget_link(current);
  }
  changed_ = changed_ || !filled_;
  filled_ = true;
}

}  // namespace causeway
