#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "control/config/address_text.h"
#include "control/doctor/families.h"
#include "control/doctor/recent_drops.h"
#include "control/doctor/section.h"
#include "control/trace/cure.h"
#include "dataplane/wire/ethernet.h"

namespace causeway {
namespace {

struct Narrowest {
  std::string tunnel;
  uint16_t mtu = UINT16_MAX;  // bytes of IP packet inside
};

// Of a bridge's tunnels.
std::optional<Narrowest> narrowest_tunnel(const Gateway& gateway, const Bridges::Bridge& bridge) {
  Narrowest narrowest;
  for (const auto& [name, ends] : bridge.members) {
    if (gateway.tunnels().find(name) == nullptr) continue;
    for (const AdjacencyIndex end : ends) {
      const Adjacency* const adjacency = gateway.adjacencies().get(end);
      if (adjacency == nullptr || adjacency->blocked != DropReason::none) continue;
      const auto mtu = static_cast<uint16_t>(
          std::max<int>(adjacency->max_frame_bytes - static_cast<int>(sizeof(EthernetHeader)), 0));
      if (mtu < narrowest.mtu) narrowest = {name, mtu};
    }
  }
  return narrowest.tunnel.empty() ? std::nullopt : std::optional(narrowest);
}

void find_too_big(const Gateway& gateway, const RecentDrops& drops, Findings& findings) {
  const RecentDrop* const drop = drops.of(DropReason::too_big);
  if (drop == nullptr) return;
  const std::string port = drop->text("tunnel").empty() ? drop->text("port") : drop->text("tunnel");
  const Bridges::Bridge* const bridge = gateway.bridges().bridge_of(port);
  const auto narrowest = bridge != nullptr ? narrowest_tunnel(gateway, *bridge) : std::nullopt;
  const std::string who = drop->text(drop->example.contains("source") ? "source" : "mac");
  if (!narrowest) {
    findings.push_back({Severity::wrong, "too-big", port,
                        fmt::format("{} at {} sends frames of {} bytes, which don't fit their way out", who, port,
                                    drop->text("bytes")),
                        drop->seen(), std::string(cure_of(DropReason::too_big))});
    return;
  }
  findings.push_back(
      {Severity::wrong, "too-big", narrowest->tunnel,
       fmt::format("{} at {} sends frames of {} bytes; {} carries IP packets of {}", who, port, drop->text("bytes"),
                   narrowest->tunnel, narrowest->mtu),
       drop->seen(),
       fmt::format("an MTU of {} for the sender, a larger `mtu` for the underlay, or `tunnels.{}.mss-clamp: auto`",
                   narrowest->mtu, narrowest->tunnel)});
}

// The kernel takes less than the port's MTU.
void find_refused_by_kernel(const RecentDrops& drops, Findings& findings) {
  const RecentDrop* const drop = drops.of(DropReason::tx_refused);
  if (drop == nullptr) return;
  const std::string port = drop->text("port");
  findings.push_back({Severity::wrong, "port-narrow", port,
                      fmt::format("{}: the kernel refuses to send frames of {} bytes there", port, drop->text("bytes")),
                      drop->seen(), std::string(cure_of(DropReason::tx_refused))});
}

void find_narrow_paths(const Gateway& gateway, Findings& findings) {
  for (const auto& [name, tunnel] : gateway.tunnels().all()) {
    for (const Tunnels::Endpoint& end : tunnel.endpoints) {
      const auto believed = gateway.tunnels().path_mtu(tunnel, end);
      const Underlay::Port* const port =
          end.next_hops.empty() ? nullptr : gateway.underlay().find(end.next_hops[0].port);
      if (!believed || port == nullptr || *believed >= port->mtu) continue;
      findings.push_back(
          {Severity::wrong, "path-narrow", name,
           fmt::format("{}: the way to {} carries packets of {} bytes, {} says {}", name, to_string(end.remote),
                       *believed, port->name, port->mtu),
           "a router on the way has said so (ICMP, packet too big)",
           fmt::format("`{}.mtu: {}`, or a larger MTU on the way", section_of(gateway, port->name), *believed)});
    }
  }
}

// Senders are told, so that it costs them a packet each; but what isn't IP just dies.
void find_wider_members(const Gateway& gateway, Findings& findings) {
  for (const auto& [name, bridge] : gateway.bridges().all()) {
    const auto narrowest = narrowest_tunnel(gateway, bridge);
    if (!narrowest) continue;
    std::string wider;
    uint16_t widest = 0;
    for (const auto& [member, ends] : bridge.members) {
      const Ports::Record* const record = gateway.ports().find(member);
      if (record == nullptr || record->port == nullptr || record->mtu <= narrowest->mtu) continue;
      if (record->mtu > widest) wider = member;
      widest = std::max(widest, record->mtu);
    }
    if (wider.empty()) continue;
    findings.push_back({Severity::hint, "mtu", name,
                        fmt::format("{}: {} takes packets of {} bytes, {} carries {}", name, wider, widest,
                                    narrowest->tunnel, narrowest->mtu),
                        "what is bigger dies as too_big, and IP senders are told",
                        fmt::format("`{}.mtu: {}` and the same MTU for who is behind it; or a larger `mtu` for "
                                    "the underlay",
                                    section_of(gateway, wider), narrowest->mtu)});
  }
}

}  // namespace

void examine_mtus(const Gateway& gateway, const RecentDrops& drops, Findings& findings) {
  find_too_big(gateway, drops, findings);
  find_refused_by_kernel(drops, findings);
  find_narrow_paths(gateway, findings);
  find_wider_members(gateway, findings);
}

}  // namespace causeway
