#include "control/evpn/fabric.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>

namespace causeway {
namespace {

using Instance = Fabric::Instance;

struct Names {
  std::vector<IpAddress> vteps;
  std::vector<MacAddress> macs;
  std::vector<IpAddress> hosts;
};

Names take_withdrawn(Instance& instance) {
  return {std::exchange(instance.withdrawn_vteps, {}), std::exchange(instance.withdrawn_macs, {}),
          std::exchange(instance.withdrawn_hosts, {})};
}

void put_back(Instance& instance, Names names) {
  instance.withdrawn_vteps = std::move(names.vteps);
  instance.withdrawn_macs = std::move(names.macs);
  instance.withdrawn_hosts = std::move(names.hosts);
}

bool has_withdrawn(const Instance& instance) {
  return !instance.withdrawn_vteps.empty() || !instance.withdrawn_macs.empty() || !instance.withdrawn_hosts.empty();
}

void withdraw_all(Instance& instance) {
  const auto withdraw = [](auto& table, auto& names) {
    for (auto& [name, item] : table) {
      if (item.state != Fabric::State::said) continue;
      item.state = Fabric::State::withdrawn;
      names.push_back(name);
    }
  };
  withdraw(instance.vteps, instance.withdrawn_vteps);
  withdraw(instance.macs, instance.withdrawn_macs);
  withdraw(instance.hosts, instance.withdrawn_hosts);
}

bool has_held(const Instance& instance) {
  const auto any = [](const auto& table) {
    return std::ranges::any_of(table, [](const auto& item) { return item.second.state == Fabric::State::held; });
  };
  return any(instance.vteps) || any(instance.macs);
}

// Of those behind one VTEP.
std::vector<IpAddress> take_held_hosts(Instance& instance, const IpAddress& vtep) {
  std::vector<IpAddress> taken;
  std::erase_if(instance.hosts, [&](const auto& item) {
    const auto mac = instance.macs.find(item.second.mac);
    const bool theirs =
        item.second.state == Fabric::State::held && mac != instance.macs.end() && mac->second.vtep == vtep;
    if (theirs) taken.push_back(item.first);
    return theirs;
  });
  return taken;
}

// VTEPs whose type-3 route is withdrawn, with each MAC behind them.
std::set<IpAddress> withdrawn_whole(const Instance& instance) {
  std::set<IpAddress> whole;
  for (const IpAddress& remote : instance.withdrawn_vteps) {
    const auto vtep = instance.vteps.find(remote);
    if (vtep != instance.vteps.end() && vtep->second.state == Fabric::State::withdrawn) whole.insert(remote);
  }
  if (whole.empty()) return whole;
  for (const auto& [address, mac] : instance.macs) {
    if (mac.state == Fabric::State::said) whole.erase(mac.vtep);
  }
  return whole;
}

// Of what was withdrawn all that is theirs.
Names take_withdrawn_of(Instance& instance, const std::set<IpAddress>& vteps) {
  Names theirs;
  Names rest = take_withdrawn(instance);
  const auto is_theirs = [&](const MacAddress& address) {
    const auto mac = instance.macs.find(address);
    return mac != instance.macs.end() && mac->second.state != Fabric::State::said && vteps.contains(mac->second.vtep);
  };
  const auto split = [](auto& from, auto& to, const auto& is_one) {
    const auto first = std::stable_partition(from.begin(), from.end(), [&](const auto& name) { return !is_one(name); });
    to.assign(first, from.end());
    from.erase(first, from.end());
  };
  split(rest.vteps, theirs.vteps, [&](const IpAddress& remote) { return vteps.contains(remote); });
  split(rest.macs, theirs.macs, is_theirs);
  split(rest.hosts, theirs.hosts, [&](const IpAddress& ip) {
    const auto host = instance.hosts.find(ip);
    return host != instance.hosts.end() && is_theirs(host->second.mac);
  });
  put_back(instance, std::move(rest));
  return theirs;
}

}  // namespace

Fabric::Fabric(Tunnels& tunnels, Bridges& bridges, Fdb& fdb, Hooks hooks)
    : tunnels_(tunnels), bridges_(bridges), fdb_(fdb), hooks_(std::move(hooks)) {}

Fabric::Instance* Fabric::find(uint32_t vni) {
  const auto found = instances_.find(vni);
  return found != instances_.end() ? &found->second : nullptr;
}

Error Fabric::add(const std::string& tunnel, BridgeIndex bridge) {
  const config::Tunnel& settings = tunnels_.find(tunnel)->settings;
  const uint32_t vni = settings.id.value_or(0);
  if (Error error = hooks_.join(vni, settings.local)) return error;
  Instance& instance = instances_[vni];
  instance.tunnel = tunnel;
  instance.bridge = bridge;
  instance.vlan = settings.vlan.tag;
  instance.local = settings.local;
  vni_at_[{bridge, instance.vlan}] = vni;
  fdb_.watch(bridge, true);
  new_bridges_.insert(bridge);
  advertise_hosts(vni, instance);
  return {};
}

void Fabric::remove(const std::string& tunnel) {
  const Tunnels::Tunnel* const known = tunnels_.find(tunnel);
  if (known == nullptr || !known->settings.evpn) return;
  const auto found = instances_.find(known->settings.id.value_or(0));
  if (found == instances_.end()) return;
  const uint32_t vni = found->first;
  Instance& instance = found->second;
  std::vector<MacVlan> keys;
  for (const auto& [mac, said] : instance.macs) keys.push_back(mac_vlan(mac, instance.vlan));
  fdb_.remove_placed(instance.bridge, keys);
  for (const auto& [remote, vtep] : instance.vteps) tunnels_.release_vtep(tunnel, remote);
  // Some may be here by then: local_host().
  for (const auto& [ip, host] : std::exchange(instance.hosts, {})) {
    hooks_.host_gone(instance.bridge, instance.vlan, ip);
  }
  hooks_.leave(vni);
  const BridgeIndex bridge = instance.bridge;
  vni_at_.erase({bridge, instance.vlan});
  floods_changed_.erase(vni);
  unsettled_.erase(vni);
  instances_.erase(found);
  const auto other = vni_at_.lower_bound({bridge, 0});
  if (other != vni_at_.end() && other->first.first == bridge) return;
  fdb_.watch(bridge, false);
  new_bridges_.erase(bridge);
}

// What was withdrawn while nobody heard it, nobody will tell: all is, until it is told anew.
void Fabric::join_again() {
  constexpr std::chrono::seconds kToldWithin{5};
  for (auto& [vni, instance] : instances_) {
    withdraw_all(instance);
    note_withdrawal(vni, instance);
    instance.first_withdrawn = instance.last_withdrawn = Clock::now() + kToldWithin;
    if (const Error error = hooks_.join(vni, instance.local)) {
      spdlog::error("{}: {}", instance.tunnel, error.text());
      continue;
    }
    for (const auto& [mac, sticky] : instance.advertised) hooks_.advertise(vni, mac, sticky);
    advertise_hosts(vni, instance);
  }
}

Fabric::Vtep* Fabric::name_vtep(Instance& instance, const IpAddress& remote) {
  if (const auto known = instance.vteps.find(remote); known != instance.vteps.end()) return &known->second;
  const AdjacencyIndex end = tunnels_.name_vtep(instance.tunnel, remote);
  if (end == kNoAdjacency) return nullptr;
  vteps_changed_ = true;
  Vtep& vtep = instance.vteps[remote];
  vtep.end = end;
  return &vtep;
}

void Fabric::leave_vtep(uint32_t vni, Instance& instance, const IpAddress& remote) {
  if (--instance.vteps.at(remote).macs == 0) unused_.emplace(vni, remote);
}

void Fabric::set_floods(uint32_t vni, Instance& instance, const IpAddress& remote, bool floods) {
  instance.vteps.at(remote).floods = floods;
  tunnels_.set_floods(instance.tunnel, remote, floods);
  floods_changed_.insert(vni);
}

void Fabric::note_withdrawal(uint32_t vni, Instance& instance) {
  const size_t others =
      instance.withdrawn_vteps.size() + instance.withdrawn_macs.size() + instance.withdrawn_hosts.size();
  instance.last_withdrawn = Clock::now();
  if (others == 1 || !instance.unjudged) instance.first_withdrawn = instance.last_withdrawn;
  instance.unjudged = true;
  unsettled_.insert(vni);
}

void Fabric::remote_mac(uint32_t vni, MacAddress mac, IpAddress vtep, bool sticky) {
  Instance* const instance = find(vni);
  if (instance == nullptr || mac.is_multicast() || mac.is_zero()) return;
  Vtep* const to = name_vtep(*instance, vtep);
  if (to == nullptr) return remote_mac_gone(vni, mac);
  const auto [known, is_new] = instance->macs.try_emplace(mac);
  ++to->macs;
  const Mac before = std::exchange(known->second, {vtep, sticky, State::said});
  fdb_.place(instance->bridge, mac_vlan(mac, instance->vlan), to->end, sticky);
  // Behind the entry, which was there.
  if (!is_new) leave_vtep(vni, *instance, before.vtep);
}

void Fabric::remote_mac_gone(uint32_t vni, MacAddress mac) {
  Instance* const instance = find(vni);
  if (instance == nullptr) return;
  const auto known = instance->macs.find(mac);
  if (known == instance->macs.end() || known->second.state != State::said) return;
  known->second.state = State::withdrawn;
  instance->withdrawn_macs.push_back(mac);
  note_withdrawal(vni, *instance);
}

void Fabric::remote_host(uint32_t vni, IpAddress ip, MacAddress mac) {
  Instance* const instance = find(vni);
  if (instance == nullptr) return;
  instance->hosts[ip] = {mac, State::said};
  hooks_.host(instance->bridge, instance->vlan, ip, mac);
}

void Fabric::remote_host_gone(uint32_t vni, IpAddress ip) {
  Instance* const instance = find(vni);
  if (instance == nullptr) return;
  const auto known = instance->hosts.find(ip);
  if (known == instance->hosts.end() || known->second.state != State::said) return;
  known->second.state = State::withdrawn;
  instance->withdrawn_hosts.push_back(ip);
  note_withdrawal(vni, *instance);
}

void Fabric::vtep(uint32_t vni, IpAddress vtep) {
  Instance* const instance = find(vni);
  Vtep* const named = instance != nullptr ? name_vtep(*instance, vtep) : nullptr;
  if (named == nullptr) return;
  if (std::exchange(named->state, State::said) == State::held) {
    // Questions for its hosts go there again: where it doesn't know them any more, their answers tell it of them.
    for (const IpAddress& ip : take_held_hosts(*instance, vtep)) {
      hooks_.host_gone(instance->bridge, instance->vlan, ip);
    }
  }
  if (!named->floods) set_floods(vni, *instance, vtep, true);
}

void Fabric::vtep_gone(uint32_t vni, IpAddress vtep) {
  Instance* const instance = find(vni);
  if (instance == nullptr) return;
  const auto known = instance->vteps.find(vtep);
  if (known == instance->vteps.end() || !known->second.floods || known->second.state != State::said) return;
  known->second.state = State::withdrawn;
  instance->withdrawn_vteps.push_back(vtep);
  note_withdrawal(vni, *instance);
}

void Fabric::local_host(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip, const MacAddress& mac, bool gone) {
  auto& here = local_hosts_[{bridge, vlan}];
  if (gone) {
    here.erase(ip);
  } else {
    here[ip] = mac;
  }
  if (here.empty()) local_hosts_.erase({bridge, vlan});
  const auto found = vni_at_.find({bridge, vlan});
  if (found == vni_at_.end()) return;
  if (gone) return hooks_.withdraw_host(found->second, ip);
  // It has moved here: what BGP withdraws of it from now on is old news.
  instances_.at(found->second).hosts.erase(ip);
  hooks_.advertise_host(found->second, ip, mac);
}

void Fabric::advertise_hosts(uint32_t vni, const Instance& instance) const {
  const auto here = local_hosts_.find({instance.bridge, instance.vlan});
  if (here == local_hosts_.end()) return;
  for (const auto& [ip, mac] : here->second) hooks_.advertise_host(vni, ip, mac);
}

size_t Fabric::serve(Clock::time_point until) {
  constexpr size_t kBetweenLooks = 64;
  read_new_bridges();
  const size_t first = next_changed_;
  while (next_changed_ < changed_.size()) {
    const auto [bridge, key] = changed_[next_changed_++];
    reconcile(bridge, key);
    if (next_changed_ % kBetweenLooks == 0 && Clock::now() >= until) break;
  }
  const size_t served = next_changed_ - first;
  if (next_changed_ == changed_.size()) {
    changed_.clear();
    next_changed_ = 0;
  }
  if (!unsettled_.empty() && Clock::now() >= next_judgement_) judge(Clock::now());
  publish_flood_lists();
  release_vteps();
  if (std::exchange(vteps_changed_, false)) hooks_.vteps_changed();
  return served;
}

// Of several that are new at once the table is read once.
void Fabric::read_new_bridges() {
  if (new_bridges_.empty()) return;
  fdb_.for_each(0, [this](const Fdb::Entry& entry) {
    if (new_bridges_.contains(entry.bridge)) mac_changed(entry.bridge, entry.key);
  });
  new_bridges_.clear();
}

// Asked again, it changes nothing.
void Fabric::reconcile(BridgeIndex bridge, MacVlan key) {
  const auto found = vni_at_.find({bridge, vlan_of(key)});
  if (found == vni_at_.end()) return;
  const uint32_t vni = found->second;
  Instance& instance = instances_.at(vni);
  const MacAddress mac = mac_of(key);
  const auto entry = fdb_.find(bridge, key);
  const auto said = instance.macs.find(mac);
  if (entry && !entry->of_fabric) {
    if (said != instance.macs.end() && !entry->is_static) {
      const IpAddress vtep = said->second.vtep;
      instance.macs.erase(said);
      leave_vtep(vni, instance, vtep);
    }
    const auto [known, is_new] = instance.advertised.try_emplace(mac, entry->is_static);
    const bool was_sticky = std::exchange(known->second, entry->is_static);
    if (is_new || was_sticky != entry->is_static) hooks_.advertise(vni, mac, entry->is_static);
    return;
  }
  if (instance.advertised.erase(mac) != 0) hooks_.withdraw(vni, mac);
  // A static entry stood in front of it.
  if (!entry && said != instance.macs.end()) {
    fdb_.place(bridge, key, instance.vteps.at(said->second.vtep).end, said->second.sticky);
  }
}

void Fabric::publish_flood_lists() {
  if (floods_changed_.empty()) return;
  for (const uint32_t vni : floods_changed_) {
    const Instance& instance = instances_.at(vni);
    bridges_.set_members(bridges_.name_of(instance.bridge), instance.tunnel, tunnels_.flooded(instance.tunnel));
  }
  floods_changed_.clear();
  bridges_.commit();
}

// Behind the flood lists, which name them no longer.
void Fabric::release_vteps() {
  for (const auto& [vni, remote] : std::exchange(unused_, {})) {
    Instance* const instance = find(vni);
    if (instance == nullptr) continue;
    const auto vtep = instance->vteps.find(remote);
    if (vtep == instance->vteps.end() || vtep->second.floods || vtep->second.macs != 0) continue;
    tunnels_.release_vtep(instance->tunnel, remote);
    instance->vteps.erase(vtep);
    vteps_changed_ = true;
  }
}

std::chrono::seconds Fabric::hold_of(const Instance& instance) const {
  const auto& evpn = tunnels_.find(instance.tunnel)->settings.evpn;
  return std::chrono::seconds(evpn ? evpn->hold_s : 0);
}

void Fabric::judge(Clock::time_point now) {
  constexpr auto kEvery = std::chrono::milliseconds(20);  // of hundreds of VNIs that are held each look costs
  next_judgement_ = now + kEvery;
  size_t held = 0;
  size_t over = 0;
  for (auto item = unsettled_.begin(); item != unsettled_.end();) {
    const uint32_t vni = *item;
    Instance& instance = instances_.at(vni);
    const bool quiet = now - instance.last_withdrawn >= kQuiet || now - instance.first_withdrawn >= kPatience;
    if (instance.unjudged && quiet) {
      instance.unjudged = false;
      Names whole;
      if (hold_of(instance).count() != 0) whole = take_withdrawn_of(instance, withdrawn_whole(instance));
      forget(vni, instance, State::withdrawn);
      held += whole.vteps.empty() ? 0 : 1;
      put_back(instance, std::move(whole));
    }
    if (instance.held_until && now >= *instance.held_until) {
      over += has_held(instance) ? 1 : 0;
      forget_held(vni, instance);
    }
    // Those of which more is held wait, and then have their whole time.
    if (!instance.unjudged && !instance.held_until && has_withdrawn(instance)) hold(instance, now);
    item = has_withdrawn(instance) || instance.held_until ? std::next(item) : unsettled_.erase(item);
  }
  if (held != 0) spdlog::warn("evpn: VTEPs of {} VNIs were withdrawn whole: they are kept for a while", held);
  if (over != 0) spdlog::warn("evpn: of {} VNIs what was withdrawn and has not come again is given up", over);
}

void Fabric::hold(Instance& instance, Clock::time_point now) {
  const auto keep = [](auto& table, auto& withdrawn) {
    for (const auto& name : withdrawn) {
      const auto found = table.find(name);
      if (found != table.end() && found->second.state == State::withdrawn) found->second.state = State::held;
    }
    withdrawn.clear();
  };
  keep(instance.vteps, instance.withdrawn_vteps);
  keep(instance.macs, instance.withdrawn_macs);
  keep(instance.hosts, instance.withdrawn_hosts);
  instance.held_until = now + hold_of(instance);
}

void Fabric::forget(uint32_t vni, Instance& instance, State state) {
  const auto gone = [&](const auto& table, const auto& name) {
    const auto found = table.find(name);
    return found != table.end() && found->second.state == state;
  };
  std::vector<MacVlan> keys;
  std::vector<IpAddress> left;  // VTEPs, one a MAC
  for (const MacAddress& mac : std::exchange(instance.withdrawn_macs, {})) {
    if (!gone(instance.macs, mac)) continue;
    keys.push_back(mac_vlan(mac, instance.vlan));
    left.push_back(instance.macs.at(mac).vtep);
    instance.macs.erase(mac);
  }
  fdb_.remove_placed(instance.bridge, keys);
  for (const IpAddress& vtep : left) leave_vtep(vni, instance, vtep);
  for (const IpAddress& ip : std::exchange(instance.withdrawn_hosts, {})) {
    if (!gone(instance.hosts, ip)) continue;
    instance.hosts.erase(ip);
    hooks_.host_gone(instance.bridge, instance.vlan, ip);
  }
  for (const IpAddress& remote : std::exchange(instance.withdrawn_vteps, {})) {
    if (!gone(instance.vteps, remote)) continue;
    set_floods(vni, instance, remote, false);
    instance.vteps.at(remote).state = State::said;
    unused_.emplace(vni, remote);
  }
}

void Fabric::forget_held(uint32_t vni, Instance& instance) {
  const auto all_held = [](const auto& table, auto& names) {
    for (const auto& [name, said] : table) {
      if (said.state == State::held) names.push_back(name);
    }
  };
  Names waiting = take_withdrawn(instance);
  all_held(instance.vteps, instance.withdrawn_vteps);
  all_held(instance.macs, instance.withdrawn_macs);
  all_held(instance.hosts, instance.withdrawn_hosts);
  forget(vni, instance, State::held);
  put_back(instance, std::move(waiting));
  instance.held_until.reset();
}

Fabric::Held Fabric::held(const Instance& instance, Clock::time_point now) const {
  if (!instance.held_until) return {};
  const auto count = [](const auto& table) {
    return static_cast<size_t>(
        std::ranges::count_if(table, [](const auto& item) { return item.second.state != State::said; }));
  };
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(*instance.held_until - now);
  return {count(instance.vteps), count(instance.macs), std::max(left, std::chrono::seconds(0))};
}

}  // namespace causeway
