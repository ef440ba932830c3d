#include "control/bridges.h"

#include <limits>

namespace causeway {

Bridges::~Bridges() {
  for (const auto& [name, bridge] : bridges_) publisher_.publish<BridgeEntry>(tables_.bridges[bridge.index], nullptr);
}

std::string Bridges::add(const std::string& name, const config::Bridge& settings) {
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
  auto& members = bridges_.at(bridge).members;
  if (adjacencies.empty()) {
    members.erase(interface);
    bridge_of_.erase(interface);
  } else {
    members[interface] = std::move(adjacencies);
    bridge_of_[interface] = bridge;
  }
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

void Bridges::commit() {
  for (const std::string& name : changed_) {
    const Bridge& bridge = bridges_.at(name);
    auto entry = std::make_unique<BridgeEntry>();
    for (const auto& [interface, adjacencies] : bridge.members) {
      entry->members.insert(entry->members.end(), adjacencies.begin(), adjacencies.end());
    }
    publisher_.publish<BridgeEntry>(tables_.bridges[bridge.index], std::move(entry));
  }
  changed_.clear();
}

}  // namespace causeway
