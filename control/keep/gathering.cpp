#include "control/keep/gathering.h"

#include <algorithm>
#include <array>

namespace causeway {
namespace {

constexpr size_t kAtATime = 64;
constexpr uint32_t kSlotsAtATime = 256;

// Its words stand between spaces.
bool is_word(const std::string& name) {
  return !name.empty() && std::ranges::none_of(name, [](char c) { return c == ' ' || c == '\n'; });
}

// The next `kAtATime` of a map behind `last`, which is moved on. False: there are no more.
template <typename Map, typename Visit>
bool visit_some(const Map& map, std::optional<typename Map::key_type>& last, Visit&& visit) {
  auto item = last ? map.upper_bound(*last) : map.begin();
  for (size_t count = 0; item != map.end() && count < kAtATime; ++item, ++count) {
    visit(item->first, item->second);
    last = item->first;
  }
  return item != map.end();
}

}  // namespace

Gathering::Gathering(const Gateway& gateway)
    : gateway_(gateway), text_(LearntText::Clock::now()), fdb_(gateway.fdb().begin()) {}

bool Gathering::go_on(Clock::time_point until) {
  static constexpr std::array kSteps{&Gathering::some_macs, &Gathering::some_neighbors, &Gathering::some_vteps,
                                     &Gathering::some_paths};
  while (step_ < kSteps.size()) {
    if (!(this->*kSteps[step_])()) ++step_;
    if (Clock::now() >= until) break;
  }
  return step_ < kSteps.size();
}

bool Gathering::some_macs() {
  return gateway_.fdb().visit_next(fdb_, kSlotsAtATime, gateway_.now_s(), [this](const Fdb::Entry& entry) {
    if (entry.is_learnt()) add(entry);
  });
}

void Gathering::add(const Fdb::Entry& entry) {
  const Adjacencies& adjacencies = gateway_.adjacencies();
  if (adjacencies.get(entry.exit) == nullptr) return;  // about to go
  const Adjacencies::Owner& owner = adjacencies.owner(entry.exit);
  const std::string& bridge = gateway_.bridges().name_of(entry.bridge);
  if (is_word(bridge) && is_word(owner.interface)) {
    text_.add(LearntMac{bridge, entry.key, owner.interface, owner.remote, entry.age_s});
  }
}

bool Gathering::some_neighbors() {
  return visit_some(gateway_.neighbors().all(), neighbor_,
                    [this](const NextHop& hop, const Neighbors::Neighbor& neighbor) {
                      const Underlay::Port* const port = gateway_.underlay().find(hop.port);
                      const bool learnt = neighbor.usable() && neighbor.state != Neighbors::State::permanent;
                      if (!learnt || port == nullptr || !is_word(port->name)) return;
                      text_.add(LearntNeighbor{port->name, hop.address, neighbor.mac});
                    });
}

// A tunnel at a time, of one with many as many as there may be at a time.
bool Gathering::some_vteps() {
  const auto& tunnels = gateway_.tunnels().all();
  const auto tunnel = tunnels.lower_bound(vtep_.first);
  if (tunnel == tunnels.end()) return false;
  if (tunnel->second.settings.evpn) {  // BGP names them again
    vtep_ = {tunnel->first + '\0', {}};
    return true;
  }
  std::optional<IpAddress> last;
  if (tunnel->first == vtep_.first) last = vtep_.second;
  const bool more = visit_some(tunnel->second.vteps, last, [&](const IpAddress& address, const Tunnels::Endpoint&) {
    if (is_word(tunnel->first)) text_.add(LearntVtep{tunnel->first, address});
  });
  if (more) {
    vtep_ = {tunnel->first, *last};
  } else {
    vtep_ = {tunnel->first + '\0', {}};  // the next name there may be
  }
  return true;
}

bool Gathering::some_paths() {
  const auto now = PathMtus::Clock::now();
  return visit_some(gateway_.tunnels().path_mtus().all(), path_, [&](const Path& path, const PathMtus::Narrow& narrow) {
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(narrow.expires - now);
    if (left.count() > 0) text_.add(LearntPath{path, narrow.mtu, left.count()});
  });
}

}  // namespace causeway
