#include <fmt/format.h>

#include "control/config/address_text.h"
#include "control/doctor/families.h"
#include "control/doctor/recent_drops.h"

namespace causeway {
namespace {

std::string name_of(const Gateway& gateway, AdjacencyIndex end) {
  const Adjacencies::Owner& owner = gateway.adjacencies().owner(end);
  if (owner.interface.empty()) return "?";
  return owner.remote ? fmt::format("{} ({})", owner.interface, to_string(*owner.remote)) : owner.interface;
}

void find_moving_macs(const Gateway& gateway, Findings& findings) {
  for (const MacMoves::Moves& moves : gateway.events().flapping()) {
    const std::string mac = to_string(mac_of(moves.key));
    const std::string one = name_of(gateway, moves.from);
    const std::string other = name_of(gateway, moves.to);
    findings.push_back(
        {Severity::wrong, "mac-on-both-sides", gateway.bridges().name_of(moves.bridge),
         fmt::format("{} is behind {} and behind {}", mac, one, other),
         fmt::format("it moved {} times in {} s", moves.count, MacMoves::kWindow.count()),
         "another MAC for one of the two hosts; or, where it is one, there is a loop: take one of its ways away"});
  }
}

// Somebody else speaks with an underlay's address.
void find_doubles(const Gateway& gateway, const RecentDrops& drops, Findings& findings) {
  for (const DropReason reason :
       {DropReason::control_ignored, DropReason::impossible_source, DropReason::host_traffic}) {
    const RecentDrop* const drop = drops.of(reason);
    if (drop == nullptr) continue;
    const auto source = parse_ip(drop->text("source"));
    if (!source || source->is_unspecified() || !gateway.underlay().is_own(*source)) continue;
    bool ours = false;  // come back by a loop
    for (const auto& [index, port] : gateway.underlay().all()) ours = ours || to_string(port.mac) == drop->text("mac");
    if (ours) continue;
    findings.push_back({Severity::wrong, "address-twice", drop->text("port"),
                        fmt::format("{} has {}, too, which is our own address", drop->text("mac"), to_string(*source)),
                        drop->seen(), "take the address from one of the two"});
  }
}

}  // namespace

void examine_addresses(const Gateway& gateway, const RecentDrops& drops, Findings& findings) {
  find_moving_macs(gateway, findings);
  find_doubles(gateway, drops, findings);
}

}  // namespace causeway
