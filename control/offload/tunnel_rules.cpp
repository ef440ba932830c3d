#include "control/offload/tunnel_rules.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstring>

#include "control/config/address_text.h"
#include "control/process/state_changes.h"

namespace causeway {

size_t TunnelKeyHash::operator()(const TunnelKey& key) const noexcept {
  std::array<uint64_t, 5> words{};
  static_assert(sizeof(words) == sizeof(key));
  std::memcpy(words.data(), &key, sizeof(key));
  uint64_t hash = 0;
  for (const uint64_t word : words) hash = hash_words(hash, word, 0);
  return hash;
}

FlowRules* OffloadSync::rules_of(PortIndex port) const {
  const Ports::Record* const record = ports_.find(port);
  return record != nullptr && record->port != nullptr ? record->flow_rules() : nullptr;
}

void OffloadSync::step(Clock::time_point now) {
  if (now - asked_ >= limits_.ask_again) {
    asked_ = now;
    for (auto& [index, device] : devices_) ask_again(device);
    unfinished_ = true;
  }
  if (changed_) want();
  const bool look = now - looked_ >= limits_.look;
  if (look) looked_ = now;
  if (!changed_ && !unfinished_ && !look) return;
  unfinished_ = false;
  size_t budget = limits_.changes;
  for (auto& [index, device] : devices_) {
    FlowRules* const rules = rules_of(index);
    if (rules == nullptr) continue;
    if (look && device.installed < device.rules.size()) make_room(device, *rules);
    // Stale rules first: they take the room of others.
    const bool done = remove_stale(device, *rules, budget) && install_missing(device, *rules, budget);
    unfinished_ |= !done;
  }
  changed_ = false;
}

void OffloadSync::ask_again(Device& device) {
  for (auto& [kind, state] : device.kinds) state.refusals = 0;
  for (auto& [key, rule] : device.rules) rule.refused.clear();
}

void OffloadSync::want() {
  for (auto& [index, device] : devices_) {
    for (auto& [key, rule] : device.rules) rule.wanted = false;
  }
  for (const auto& [name, tunnel] : tunnels_.all()) {
    // A mark is held against the headers that we send, so these have to carry the key that is received.
    const bool possible = row_of(tunnel.settings.mode).nic_rules && !tunnel.settings.sent_id;
    if (tunnel.bridge == kNoBridge || !possible) continue;
    for (const Tunnels::Endpoint& end : tunnel.endpoints) want_rules(tunnel, end);
    for (const auto& [address, vtep] : tunnel.vteps) want_rules(tunnel, vtep);
  }
  for (auto& [index, device] : devices_) {
    std::erase_if(device.rules, [](const auto& item) { return !item.second.wanted && item.second.handle == nullptr; });
  }
}

void OffloadSync::want_rules(const Tunnels::Tunnel& tunnel, const Tunnels::Endpoint& end) {
  if (end.remote.is_multicast() || end.is_fabric()) return;
  FlowRule rule;
  rule.tunnel = TunnelKeys::key_of(tunnel.settings, end.remote);
  rule.mark = end.adjacency;
  for (const NextHop& hop : end.next_hops) {
    if (rules_of(hop.port) != nullptr) want_rule(*ports_.find(hop.port), rule);
  }
}

void OffloadSync::want_rule(const Ports::Record& port, const FlowRule& wanted) {
  FlowRule rule = wanted;
  rule.queues = port.port->rx_queues();
  Rule& entry = devices_[port.index].rules[rule.tunnel];
  entry.wanted = true;
  if (entry.handle == nullptr) {
    entry.rule = rule;
  } else {
    // What was installed may count, or not, as the device liked it.
    rule.count = entry.rule.count;
    if (entry.rule == rule) return;
    FlowRules& rules = *port.flow_rules();
    rules.remove(std::exchange(entry.handle, nullptr));
    --devices_[port.index].installed;
    rule.count = true;
    entry.rule = rule;
  }
}

// True: nothing is left to do. The same for install_missing.
bool OffloadSync::remove_stale(Device& device, FlowRules& rules, size_t& budget) {
  bool room = false;
  for (auto item = device.rules.begin(); item != device.rules.end();) {
    if (item->second.wanted) {
      ++item;
      continue;
    }
    if (budget == 0) return false;
    --budget;
    if (item->second.handle != nullptr) {
      rules.remove(item->second.handle);
      --device.installed;
      room = true;
    }
    item = device.rules.erase(item);
  }
  if (room) ask_again(device);
  return true;
}

bool OffloadSync::install_missing(Device& device, FlowRules& rules, size_t& budget) {
  for (auto& [key, rule] : device.rules) {
    if (rule.handle != nullptr || !rule.refused.empty()) continue;
    if (device.installed >= limits_.rules) return true;
    if (budget == 0) return false;
    if (install(device, rules, rule)) --budget;
  }
  return true;
}

// Whether the device was asked.
bool OffloadSync::install(Device& device, FlowRules& rules, Rule& rule) {
  Kind& kind = device.kinds[{rule.rule.tunnel.kind, rule.rule.tunnel.remote.is_v6()}];
  if (kind.refusals >= limits_.refusals) {
    rule.refused = kind.reason;
    return false;
  }
  std::string error;
  rule.handle = rules.install(rule.rule, error);
  if (rule.handle == nullptr && rule.rule.count) {
    // Counters are scarcer than rules, and nothing depends on them.
    rule.rule.count = false;
    std::string same;
    rule.handle = rules.install(rule.rule, same);
    rule.rule.count = rule.handle == nullptr;
  }
  if (rule.handle != nullptr) {
    ++device.installed;
    kind.refusals = 0;
    kind.accepted = true;
    return true;
  }
  rule.refused = error.empty() ? "refused without a reason" : error;
  if (kind.reason != rule.refused) {
    const auto owner = std::ranges::find_if(devices_, [&](const auto& item) { return &item.second == &device; });
    const std::string port = ports_.find(owner->first)->port->name();
    const std::string text = fmt::format("{}: the device refuses a rule: {}", port, rule.refused);
    state_changes().tell([&] {
      return StateChange{"offload", port, "refused", to_string(rule.rule.tunnel.remote), text};
    });
    spdlog::warn("{}", text);
  }
  ++kind.refusals;
  kind.reason = rule.refused;
  return true;
}

// Where the table is full, a rule without traffic since the last look gives its place to one with some.
void OffloadSync::make_room(Device& device, FlowRules& rules) {
  std::vector<Rule*> idle;
  std::vector<Rule*> waiting;
  for (auto& [key, rule] : device.rules) {
    const uint64_t traffic = traffic_(rule.rule.mark);
    rule.busy = traffic != rule.traffic;
    rule.traffic = traffic;
    if (rule.handle != nullptr && !rule.busy) idle.push_back(&rule);
    const bool welcome =
        rule.refused.empty() || device.kinds[{rule.rule.tunnel.kind, rule.rule.tunnel.remote.is_v6()}].accepted;
    if (rule.handle == nullptr && rule.busy && welcome) waiting.push_back(&rule);
  }
  for (size_t i = 0; i < std::min(idle.size(), waiting.size()); ++i) {
    rules.remove(std::exchange(idle[i]->handle, nullptr));
    --device.installed;
    device.kinds[{waiting[i]->rule.tunnel.kind, waiting[i]->rule.tunnel.remote.is_v6()}].refusals = 0;
    waiting[i]->refused.clear();
    install(device, rules, *waiting[i]);
  }
}

void OffloadSync::forget(PortIndex port) {
  const auto device = devices_.find(port);
  if (device == devices_.end()) return;
  if (FlowRules* const rules = rules_of(port); rules != nullptr) {
    for (auto& [key, rule] : device->second.rules) {
      if (rule.handle != nullptr) rules->remove(rule.handle);
    }
  }
  devices_.erase(device);
  changed_ = true;
}

OffloadSync::Summary OffloadSync::summary(PortIndex port) const {
  Summary summary;
  const auto device = devices_.find(port);
  if (device == devices_.end()) return summary;
  FlowRules* const rules = rules_of(port);
  for (const auto& [key, rule] : device->second.rules) {
    summary.wanted += rule.wanted ? 1 : 0;
    summary.installed += rule.wanted && rule.handle != nullptr ? 1 : 0;
    summary.removing += !rule.wanted && rule.handle != nullptr ? 1 : 0;
    FlowCount count;
    const bool asked = rules != nullptr && rule.handle != nullptr && rule.rule.count;
    if (asked && device->second.installed <= limits_.asked_for_counts && rules->count(rule.handle, count)) {
      summary.frames = summary.frames.value_or(0) + count.packets;
    }
    if (rule.refused.empty()) continue;
    ++summary.refused;
    ++summary.reasons[rule.refused];
  }
  return summary;
}

bool OffloadSync::count(PortIndex port, const TunnelKey& tunnel, FlowCount& count) const {
  const auto device = devices_.find(port);
  if (device == devices_.end()) return false;
  const auto rule = device->second.rules.find(tunnel);
  FlowRules* const rules = rules_of(port);
  if (rule == device->second.rules.end() || rule->second.handle == nullptr || rules == nullptr) return false;
  return rules->count(rule->second.handle, count);
}

}  // namespace causeway
