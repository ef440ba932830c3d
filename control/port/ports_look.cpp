// Devices that come, go or change while we run.
#include <fmt/format.h>

#include <algorithm>

#include "control/config/address_text.h"
#include "control/port/ports.h"
#include "control/process/state_changes.h"
#include "pmd/ethdev/devargs.h"

namespace causeway {
namespace {

using Level = spdlog::level::level_enum;

constexpr const char* kWent = "gone";
constexpr Ports::Clock::duration kFirstPause = std::chrono::seconds(1);
constexpr Ports::Clock::duration kLongestPause = std::chrono::seconds(60);

std::vector<Ports::Record*> vlans_and(Ports::Record& link, std::vector<Ports::Record*> vlans) {
  vlans.push_back(&link);
  return vlans;
}

// Tells who follows; the line for the log.
std::string told(std::string_view kind, const std::string& name, std::string_view state, std::string text) {
  state_changes().tell([&] { return StateChange{kind, name, state, "", text}; });
  return text;
}

}  // namespace

// No device: nothing is received, and what should leave by it dies as port_down.
void Ports::await(Record& record, const OpenError& why) {
  const bool again = record.missing.why.text == why.text;
  record.missing.why = why;
  record.missing.pause = again ? std::min(record.missing.pause * 2, kLongestPause) : kFirstPause;
  record.missing.try_at = Clock::now() + record.missing.pause;
  record.link_up = false;
  record.verdicts.clear();
  underlay_.remove(record.index);
  publish_adjacency(record);
}

void Ports::tell(const Record& record, Changes& changes) const {
  (record.settings.is_underlay() ? changes.underlays : changes.bridge_ports).push_back(record.index);
}

Ports::Changes Ports::look() {
  Changes changes;
  lines_.tick();
  for (auto& [name, record] : ports_) {
    if (record.port != nullptr) record.port->look();
  }
  for (auto& [name, record] : ports_) {
    if (record.port != nullptr && record.port->gone()) lose(name, record, changes);
  }
  for (auto& [name, record] : ports_) {
    if (record.port != nullptr) look_at(name, record, changes);
  }
  settle_hosts(Clock::now());
  if (std::exchange(host_networks_changed_, false)) follow_host_networks(changes);
  if (!changes.underlays.empty()) publish_all();  // each accepts what is sent to any other's addresses
  return changes;
}

void Ports::follow_host_networks(Changes& changes) {
  for (auto& [name, record] : ports_) {
    // Who sets an interface down takes its IPv6 addresses off.
    if (const Record* const underlay = record.settings.host_device() != nullptr ? other_end(record) : nullptr) {
      show_host(*underlay);
    }
    HostNetwork before = record.host;
    read_host_network(record);
    if (record.host == before) continue;
    log(kAddresses, record, Level::info,
        told("addresses", name, "changed", name + ": the host has other addresses or neighbors there now"));
    set_underlay(name, record);
    tell(record, changes);
    changes.host_networks.emplace_back(record.index, std::move(before));
  }
}

void Ports::look_at(const std::string& name, Record& record, Changes& changes) {
  const bool was_up = record.link_up;
  const uint16_t old_mtu = record.mtu;
  const MacAddress old_mac = record.mac;
  note(record);
  const bool moved = record.mac != old_mac;
  if (record.link_up == was_up && record.mtu == old_mtu && !moved) return;
  if (record.link_up != was_up) {
    const char* const state = record.link_up ? "up" : "down";
    log(kLink, record, record.link_up ? Level::info : Level::warn,
        told("link", name, state, fmt::format("{}: link {}", name, state)));
  }
  if (record.mtu != old_mtu) {
    log(kMtu, record, Level::info,
        told("mtu", name, "changed", fmt::format("{}: MTU {}, was {}", name, record.mtu, old_mtu)));
  }
  if (moved) {
    log(kMac, record, Level::info,
        told("port-mac", name, "changed",
             fmt::format("{}: MAC {}, was {}", name, to_string(record.mac), to_string(old_mac))));
  }
  tell(record, changes);
  if (!record.settings.is_underlay()) return publish(record, vlans_of(name));
  if (moved) changes.readdressed.emplace_back(record.index, underlay_.find(record.index)->addresses);
  set_underlay(name, record);
  if (record.link_up && (moved || !was_up)) changes.to_announce.push_back(record.index);
}

void Ports::lose(const std::string& name, Record& record, Changes& changes) {
  const Vlans vlans = vlans_of(name);
  close(record);
  log(kPresence, record, Level::warn, told("device", name, "gone", name + ": gone"));
  await(record, {kWent, OpenError::Kind::failed});
  record.missing.try_at = {};  // one that was made anew is there to be opened at once
  for (Record* const vlan : vlans) {
    await(*vlan, {"there is no " + name + " now", OpenError::Kind::absent});
  }
  for (const Record* const lost : vlans_and(record, vlans)) {
    show_host(*lost);
    tell(*lost, changes);
    changes.gone.push_back(lost->index);
  }
}

Ports::Changes Ports::open_missing(bool interfaces_changed, Clock::time_point now) {
  Changes changes;
  look_at_trials();
  for (auto& [name, record] : ports_) {
    if (record.port != nullptr || record.settings.vlan_device() != nullptr) continue;  // a VLAN comes with its link
    const bool absent = record.missing.why.kind == OpenError::Kind::absent;
    if (absent ? !interfaces_changed : now < record.missing.try_at) continue;
    if (!awaits_trial(record)) open_again(name, record, changes);
  }
  return changes;
}

bool Ports::has_device(std::string_view devargs) const {
  const std::string device = device_name(devargs).name;
  return std::ranges::any_of(ports_, [&](const auto& item) {
    return item.second.port != nullptr && device_name(item.second.settings.devargs()).name == device;
  });
}

bool Ports::awaits_trial(const Record& record) {
  const std::string devargs(record.settings.devargs());
  if (trials_ == nullptr || !DeviceTrials::needed(devargs)) return false;
  trials_->start(devargs);
  return !trials_->is_done(devargs);
}

// A device of ours is never tried: it is in use, and was opened once.
void Ports::start_trials(const std::map<std::string, config::Ethernet>& wanted) {
  if (trials_ == nullptr) return;
  for (const auto& [name, ethernet] : wanted) {
    const Record* const record = find(name);
    const bool stays = record != nullptr && record->settings == ethernet;
    if (stays || !DeviceTrials::needed(ethernet.devargs()) || has_device(ethernet.devargs())) continue;
    trials_->start(std::string(ethernet.devargs()));
  }
}

void Ports::end_trials() {
  if (trials_ != nullptr) trials_->forget_done();
}

void Ports::open_again(const std::string& name, Record& record, Changes& changes) {
  OpenError why;
  record.port = open(name, record.settings, why);
  if (record.port == nullptr) {
    const std::string& known = record.missing.why.text;
    // That what has just gone isn't there goes without saying.
    if (why.text != known && known != kWent)
      log(kPresence, record, Level::warn,
          told("device", name, "missing", fmt::format("{}: missing: {}", name, why.text)));
    return await(record, why);
  }
  log(kPresence, record, Level::info, told("device", name, "back", name + ": back"));
  Record* const underlay = record.settings.host_device() != nullptr ? other_end(record) : nullptr;
  Record& there = underlay != nullptr ? *underlay : record;
  HostNetwork host_before = there.host;
  for (const Record* const opened : vlans_and(record, start(name, record))) {
    tell(*opened, changes);
    if (!opened->settings.is_underlay()) continue;
    changes.readdressed.emplace_back(opened->index, std::vector<IpPrefix>{});
    if (opened->link_up) changes.to_announce.push_back(opened->index);
  }
  if (there.host == host_before) return;
  changes.host_networks.emplace_back(there.index, std::move(host_before));
  if (underlay != nullptr) tell(*underlay, changes);
}

}  // namespace causeway
