#include "control/bridge/bridges.h"

#include <algorithm>
#include <limits>

namespace causeway {
namespace {

// Which VLANs need a flood list of their own: those that somebody names. The others go to whoever carries all.
VlanSet told_apart(const std::vector<VlanRules>& rules) {
  VlanSet apart;
  apart.set(0);  // frames without a tag
  for (const VlanRules& member : rules) {
    if (member.mode == VlanMode::none) continue;
    apart.set(member.tag);
    if (member.trunks != nullptr) apart |= *member.trunks;
  }
  return apart;
}

}  // namespace

Bridges::~Bridges() {
  for (const auto& [name, bridge] : bridges_) publisher_.publish<BridgeEntry>(tables_.bridges[bridge.index], nullptr);
}

Error Bridges::add(const std::string& name, const config::Bridge& settings) {
  constexpr BridgeIndex kLast = std::numeric_limits<BridgeIndex>::max();
  if (names_.size() == kLast) return "no more than 65535 bridges";
  BridgeIndex index = 1;
  if (!names_.empty() && names_.rbegin()->first != kLast) {
    index = static_cast<BridgeIndex>(names_.rbegin()->first + 1);
  } else {
    while (names_.contains(index)) ++index;
  }
  Bridge& bridge = bridges_[name];
  bridge.index = index;
  names_[index] = name;
  change(name, settings);
  changed_.insert(name);
  return {};
}

void Bridges::change(const std::string& name, const config::Bridge& settings) {
  Bridge& bridge = bridges_.at(name);
  if (bridge.settings.suppresses() != settings.suppresses()) changed_.insert(name);
  bridge.settings = settings;
  fdb_.set_bridge(bridge.index, settings.ageing_time_s, settings.max_macs);
}

void Bridges::remove(const std::string& name) {
  const Bridge& bridge = bridges_.at(name);
  publisher_.publish<BridgeEntry>(tables_.bridges[bridge.index], nullptr);
  fdb_.forget_bridge(bridge.index);
  for (const auto& [interface, adjacencies] : bridge.members) bridge_of_.erase(interface);
  names_.erase(bridge.index);
  changed_.erase(name);
  bridges_.erase(name);
}

void Bridges::set_members(const std::string& bridge, const std::string& interface,
                          std::vector<AdjacencyIndex> adjacencies) {
  bridges_.at(bridge).members[interface] = std::move(adjacencies);
  bridge_of_[interface] = bridge;
  changed_.insert(bridge);
}

void Bridges::remove_member(const std::string& bridge, const std::string& interface) {
  bridges_.at(bridge).members.erase(interface);
  bridge_of_.erase(interface);
  changed_.insert(bridge);
}

const Bridges::Bridge* Bridges::find(const std::string& name) const {
  const auto found = bridges_.find(name);
  return found == bridges_.end() ? nullptr : &found->second;
}

const Bridges::Bridge* Bridges::bridge_of(const std::string& interface) const {
  const auto found = bridge_of_.find(interface);
  return found == bridge_of_.end() ? nullptr : find(found->second);
}

const std::string& Bridges::name_of(BridgeIndex index) const {
  static const std::string kNone;
  const auto found = names_.find(index);
  return found == names_.end() ? kNone : found->second;
}

// Leaves it as it is where everybody carries everything.
void Bridges::list_by_vlan(BridgeEntry& entry) const {
  std::vector<VlanRules> rules;
  for (const AdjacencyIndex member : entry.members) {
    const Adjacency* const adjacency = tables_.adjacency(member);
    rules.push_back(adjacency != nullptr ? adjacency->vlan : VlanRules{});
  }
  if (std::ranges::all_of(rules, [](const VlanRules& member) { return member.mode == VlanMode::none; })) return;
  const auto members_if = [&](auto&& carries) {
    BridgeEntry::Members members;
    for (size_t i = 0; i < rules.size(); ++i) {
      if (carries(rules[i])) members.push_back(entry.members[i]);
    }
    return members;
  };
  entry.lists.push_back(
      members_if([](const VlanRules& member) { return member.mode != VlanMode::access && member.trunks == nullptr; }));
  entry.list_of_vlan.assign(kVlans, 0);
  const VlanSet apart = told_apart(rules);
  for (uint16_t vlan = 0; vlan < kVlans; ++vlan) {
    if (!apart.test(vlan)) continue;
    BridgeEntry::Members members = members_if([&](const VlanRules& member) { return member.carries(vlan); });
    if (members == entry.lists[entry.list_of_vlan[vlan != 0 ? vlan - 1 : 0]]) {
      entry.list_of_vlan[vlan] = entry.list_of_vlan[vlan != 0 ? vlan - 1 : 0];
      continue;
    }
    entry.list_of_vlan[vlan] = static_cast<uint16_t>(entry.lists.size());
    entry.lists.push_back(std::move(members));
  }
}

void Bridges::commit() {
  for (const std::string& name : changed_) {
    const Bridge& bridge = bridges_.at(name);
    auto entry = std::make_unique<BridgeEntry>();
    for (const auto& [interface, adjacencies] : bridge.members) {
      entry->members.insert(entry->members.end(), adjacencies.begin(), adjacencies.end());
    }
    list_by_vlan(*entry);
    entry->suppresses = bridge.settings.suppresses();
    publisher_.publish<BridgeEntry>(tables_.bridges[bridge.index], std::move(entry));
  }
  changed_.clear();
}

}  // namespace causeway
