#include <fmt/format.h>

#include <array>
#include <memory>

#include "control/config/vlan_rules.h"
#include "control/doctor/families.h"
#include "control/doctor/section.h"

namespace causeway {
namespace {

// Which of a bridge's interfaces carry a VLAN: how many, and whether they are all of one split-horizon group, who don't
// talk to each other.
struct Carriers {
  struct Count {
    unsigned all = 0;
    SplitGroup group = kNoSplitGroup;  // of the first
    bool several_groups = false;       // or one, and interfaces without a group
    void add(SplitGroup its) {
      if (all == 0) group = its;
      several_groups = several_groups || its != group;
      ++all;
    }
    // Besides the asker, which is one of them, and whom the asker may talk to.
    bool any_for(SplitGroup askers) const { return askers == kNoSplitGroup ? all > 1 : several_groups; }
  };
  std::array<Count, kVlans> of_vlan;

  void add(const Adjacency& end) {
    for (uint16_t vlan = 0; vlan < kVlans; ++vlan) {
      if (end.vlan.carries(vlan)) of_vlan[vlan].add(end.split_group);
    }
  }
  bool anybody_for(const Adjacency& end) const {
    for (uint16_t vlan = 0; vlan < kVlans; ++vlan) {
      if (end.vlan.carries(vlan) && of_vlan[vlan].any_for(end.split_group)) return true;
    }
    return false;
  }
};

const Adjacency* end_of(const Gateway& gateway, const std::vector<AdjacencyIndex>& ends) {
  return ends.empty() ? nullptr : gateway.adjacencies().get(ends.front());
}

void examine_bridge(const Gateway& gateway, const std::string& bridge, const Bridges::Bridge& its, size_t& looks_left,
                    Findings& findings) {
  bool any_rules = false;
  for (const auto& [name, ends] : its.members) {
    const Adjacency* const end = end_of(gateway, ends);
    any_rules = any_rules || (end != nullptr && end->vlan.mode != VlanMode::none);
  }
  if (!any_rules || its.members.size() < 2 || its.members.size() > looks_left) return;
  looks_left -= its.members.size();
  const auto carriers = std::make_unique<Carriers>();
  for (const auto& [name, ends] : its.members) {
    if (const Adjacency* const end = end_of(gateway, ends)) carriers->add(*end);
  }
  for (const auto& [name, ends] : its.members) {
    const Adjacency* const end = end_of(gateway, ends);
    if (end == nullptr || end->vlan.mode == VlanMode::none || carriers->anybody_for(*end)) continue;
    const Tunnels::Tunnel* const tunnel = gateway.tunnels().find(name);
    const config::PortVlan& vlan =
        tunnel != nullptr ? tunnel->settings.vlan : gateway.ports().find(name)->settings.vlan;
    findings.push_back(
        {Severity::wrong, "vlans-apart", name,
         fmt::format("{} carries {}, of which no other interface of {} carries any", name, config::to_string(vlan),
                     bridge),
         fmt::format("the VLANs of the interfaces of {} in `causewayctl show`", bridge),
         fmt::format("`{}.vlan`, or the `vlan` of those that it is to talk to", section_of(gateway, name))});
  }
}

}  // namespace

void examine_vlans(const Gateway& gateway, Findings& findings) {
  size_t looks_left = 1000;  // at members, of all bridges together: more would hold up others
  for (const auto& [name, bridge] : gateway.bridges().all()) {
    examine_bridge(gateway, name, bridge, looks_left, findings);
  }
}

}  // namespace causeway
