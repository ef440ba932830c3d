#include "control/config/patch.h"

#include <algorithm>

namespace causeway::config {
namespace {

void replace(const auto& before, const auto& after, auto& whole) {
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) whole.erase(name);
  }
  for (const auto& [name, value] : after) {
    const auto old = before.find(name);
    if (old == before.end() || old->second != value) whole.insert_or_assign(name, value);
  }
}

void replace_interfaces(const std::vector<std::string>& before, const std::vector<std::string>& after,
                        std::vector<std::string>& whole) {
  for (const std::string& name : before) {
    const auto place = std::ranges::lower_bound(whole, name);
    if (place != whole.end() && *place == name) whole.erase(place);
  }
  for (const std::string& name : after) whole.insert(std::ranges::lower_bound(whole, name), name);
}

void replace_bridges(const Config& before, const Config& after, Config& whole) {
  for (const auto& [name, bridge] : before.bridges) {
    if (!after.bridges.contains(name)) whole.bridges.erase(name);
  }
  for (const auto& [name, bridge] : after.bridges) {
    const auto old = before.bridges.find(name);
    if (old == before.bridges.end()) {
      whole.bridges.insert_or_assign(name, bridge);
    } else if (old->second != bridge) {
      Bridge& changed = whole.bridges.at(name);
      replace_interfaces(old->second.interfaces, bridge.interfaces, changed.interfaces);
    }
  }
}

}  // namespace

void apply_patch(const Patch& patch, Config& whole) {
  replace(patch.before.ethernets, patch.after.ethernets, whole.ethernets);
  replace(patch.before.tunnels, patch.after.tunnels, whole.tunnels);
  replace_bridges(patch.before, patch.after, whole);
}

}  // namespace causeway::config
