#include "control/config/vlan_rules.h"

#include <fmt/format.h>

namespace causeway::config {

VlanRules rules_of(const PortVlan& vlan) {
  VlanRules rules{vlan.mode, vlan.tag, {}};
  if (vlan.trunks.empty()) return rules;
  auto set = std::make_shared<VlanSet>();
  for (const uint16_t trunk : vlan.trunks) set->set(trunk);
  rules.trunks = std::move(set);
  return rules;
}

std::vector<std::string> ranges_of(const std::vector<uint16_t>& vlans) {
  std::vector<std::string> ranges;
  for (size_t first = 0, last = 0; first < vlans.size(); first = last + 1) {
    last = first;
    while (last + 1 < vlans.size() && vlans[last + 1] == vlans[last] + 1) ++last;
    ranges.push_back(first == last ? std::to_string(vlans[first]) : fmt::format("{}-{}", vlans[first], vlans[last]));
  }
  return ranges;
}

std::string to_string(const PortVlan& vlan) {
  std::string trunks;
  for (const std::string& range : ranges_of(vlan.trunks)) trunks += (trunks.empty() ? "" : ",") + range;
  if (trunks.empty()) trunks = "all";
  switch (vlan.mode) {
    case VlanMode::none:
      return "none";
    case VlanMode::access:
      return fmt::format("access {}", vlan.tag);
    case VlanMode::trunk:
      return fmt::format("trunk {}", trunks);
    case VlanMode::native:
      return fmt::format("native {}, trunk {}", vlan.tag, trunks);
  }
  return {};
}

}  // namespace causeway::config
