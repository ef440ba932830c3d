#include "control/view/drop_examples.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <set>
#include <string>
#include <utility>

#include "control/config/address_text.h"
#include "control/view/frame_fields.h"
#include "dataplane/wire/geneve.h"
#include "dataplane/wire/vxlan.h"

namespace causeway {
namespace {

using nlohmann::json;

constexpr uint16_t kLinuxVxlanPort = 8472;  // of Linux before IANA had given one: peers use it still

std::set<uint16_t> tunnel_ports(const Gateway& gateway) {
  std::set<uint16_t> ports{kVxlanPort, kGenevePort, kLinuxVxlanPort};
  for (const auto& [name, tunnel] : gateway.tunnels().all()) ports.insert(tunnel.settings.port);
  return ports;
}

json example_json(const Gateway& gateway, const LastDrops::Drop& drop, const std::set<uint16_t>& ports) {
  const DropExample& example = drop.example;
  json fields = frame_fields({example.bytes.data(), example.kept_bytes}, ports);
  fields["time"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(LastDrops::Clock::to_time_t(drop.time)));
  fields["bytes"] = example.frame_bytes;
  for (const auto& [name, record] : gateway.ports().all()) {
    if (record.index == example.place.port) fields["port"] = name;
  }
  if (example.place.tunnel == kNoAdjacency) return fields;
  const Adjacencies::Owner& owner = gateway.adjacencies().owner(example.place.tunnel);
  if (!owner.remote) return fields;
  fields["tunnel"] = owner.interface;
  fields["vtep"] = to_string(*owner.remote);
  return fields;
}

}  // namespace

json drop_examples(const Gateway& gateway) {
  const std::set<uint16_t> ports = tunnel_ports(gateway);
  json all = json::object();
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    const LastDrops::Drop* const drop = gateway.last_drops().of(static_cast<DropReason>(reason));
    if (drop != nullptr) all[std::string(kDropReasonText.at(reason).name)] = example_json(gateway, *drop, ports);
  }
  return all;
}

}  // namespace causeway
