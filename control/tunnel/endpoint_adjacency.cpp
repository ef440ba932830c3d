#include "control/tunnel/endpoint_adjacency.h"

#include <algorithm>

#include "control/config/vlan_rules.h"
#include "control/publish/mss_limit.h"
#include "control/publish/outer_template.h"
#include "dataplane/wire/ethernet.h"

namespace causeway {

std::unique_ptr<Adjacency> endpoint_adjacency(const EndpointFacts& facts) {
  const config::Tunnel& settings = facts.settings;
  auto adjacency = std::make_unique<Adjacency>();
  adjacency->index = facts.index;
  adjacency->bridge = facts.bridge;
  adjacency->split_group = facts.split_group;
  adjacency->vlan = rules_of(settings.vlan);
  adjacency->vlan_rules = settings.vlan.mode != VlanMode::none;
  adjacency->numbered = settings.numbers();
  adjacency->fabric = settings.evpn.has_value();
  adjacency->floods = {share_of(settings.limits.flood_rate, facts.workers), facts.limited_with};
  adjacency->blocked = facts.blocked;
  const Ways::Way& first = facts.ways.way.front();
  adjacency->port = first.port;
  build_outer(*adjacency, settings, facts.remote, first.source, first.destination);
  if (facts.ways.count > 1 && facts.blocked == DropReason::none) {
    adjacency->ways = std::make_unique<const Ways>(facts.ways);
  }
  return adjacency;
}

void set_room(Adjacency& adjacency, const config::MssClamp& clamp, uint16_t mtu) {
  constexpr int kEthernetBytes = sizeof(EthernetHeader);
  const int room = mtu + kEthernetBytes - adjacency.outer_bytes;
  adjacency.max_frame_bytes = static_cast<uint16_t>(std::max(room, 0));
  adjacency.mss = mss_limit(clamp, static_cast<uint32_t>(std::max(room - kEthernetBytes, 0)));
}

}  // namespace causeway
