#include "control/gateway/event_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "control/config/address_text.h"
#include "dataplane/wire/ethernet.h"

namespace causeway {
namespace {

using Level = spdlog::level::level_enum;

uint64_t object_of(const std::string& name, const IpAddress& address) {
  return std::hash<std::string>()(name) * 31 + std::hash<IpAddress>()(address);
}

}  // namespace

std::string EventLog::name_of(AdjacencyIndex end) const {
  const Adjacencies::Owner& owner = adjacencies_.owner(end);
  if (owner.interface.empty()) return "an interface that is gone";
  return owner.remote ? fmt::format("{} ({})", owner.interface, to_string(*owner.remote)) : owner.interface;
}

std::string EventLog::name_of(const NextHop& hop) const {
  const Underlay::Port* const port = underlay_.find(hop.port);
  return fmt::format("{}: neighbor {}", port != nullptr ? port->name : "?", to_string(hop.address));
}

void EventLog::neighbor(const NextHop& hop, const std::optional<MacAddress>& before,
                        const std::optional<MacAddress>& now) {
  const auto text = [&] {
    const std::string name = name_of(hop);
    if (before && now)
      return fmt::format("{} has another MAC: {}, before {}", name, to_string(*now), to_string(*before));
    if (now) return fmt::format("{} found: {}", name, to_string(*now));
    return name + (before ? " lost: it doesn't answer any more" : " doesn't answer");
  };
  limit_.state(now ? Level::info : Level::warn, kNeighbor, std::hash<IpAddress>()(hop.address) + hop.port, text);
}

void EventLog::tunnel(AdjacencyIndex end, DropReason blocked) {
  const Adjacencies::Owner& owner = adjacencies_.owner(end);
  const IpAddress remote = owner.remote.value_or(IpAddress{});
  const auto [known, is_new] = ends_.try_emplace(end, End{remote, DropReason::neighbor_unresolved});
  // A new end is about to ask for its neighbor: that is no news yet.
  if (is_new || known->second.remote != remote) known->second = {remote, DropReason::neighbor_unresolved};
  if (known->second.blocked == blocked) return;
  known->second.blocked = blocked;
  const auto text = [&] {
    if (blocked == DropReason::none) return fmt::format("{}: up, to {}", owner.interface, to_string(remote));
    return fmt::format("{}: down, to {}: {}", owner.interface, to_string(remote),
                       blocked == DropReason::no_route ? "no route" : "its next hop doesn't answer");
  };
  limit_.state(blocked == DropReason::none ? Level::info : Level::warn, kTunnel, end, text);
}

void EventLog::refused(AdjacencyIndex end, const TunnelError& error) {
  const auto text = [&] {
    std::string what = to_string(error.kind);
    if (error.kind == TunnelError::Kind::no_port && error.tunnel.udp_port != 0) {
      what += fmt::format(", nobody listens on UDP port {} there", error.tunnel.udp_port);
    }
    return fmt::format("{}: {} refuses its packets to {}: {}", adjacencies_.owner(end).interface, to_string(error.from),
                       to_string(error.tunnel.remote), what);
  };
  limit_.event(Level::warn, kRefused, end, text);
}

void EventLog::path_mtu(AdjacencyIndex end, const TunnelError& error) {
  const auto text = [&] {
    const auto* const adjacency = adjacencies_.get(end);
    const int left = adjacency != nullptr ? adjacency->max_frame_bytes - static_cast<int>(sizeof(EthernetHeader)) : 0;
    return fmt::format("{}: {} says that {} bytes are too many for the way to {}, {} would pass: {} bytes fit inside",
                       adjacencies_.owner(end).interface, to_string(error.from), error.packet_bytes,
                       to_string(error.tunnel.remote), error.mtu, std::max(left, 0));
  };
  limit_.event(Level::warn, kPathMtu, end, text);
}

void EventLog::vtep_learnt(const std::string& tunnel, const IpAddress& vtep) {
  limit_.state(Level::info, kVtep, object_of(tunnel, vtep),
               [&] { return fmt::format("{}: VTEP {} learnt", tunnel, to_string(vtep)); });
}

void EventLog::vtep_gone(const std::string& tunnel, const IpAddress& vtep) {
  limit_.state(Level::info, kVtep, object_of(tunnel, vtep),
               [&] { return fmt::format("{}: VTEP {} forgotten, it is silent", tunnel, to_string(vtep)); });
}

void EventLog::vteps_full(const std::string& tunnel, size_t most) {
  limit_.event(Level::warn, kVtepsFull, std::hash<std::string>()(tunnel), [&] {
    return fmt::format(
        "{}: {} VTEPs learnt, as many as it may: what others send is received, what is for them goes to the group",
        tunnel, most);
  });
}

void EventLog::macs_full(BridgeIndex bridge, AdjacencyIndex end, uint32_t most) {
  const auto text = [&] {
    const std::string& name = bridges_.name_of(bridge);
    if (end == kNoAdjacency) return fmt::format("{}: max-macs: no more than {} MACs are learnt", name, most);
    return fmt::format("{}: max-macs: no more than {} MACs are learnt behind it", adjacencies_.owner(end).interface,
                       most);
  };
  const uint64_t object = end == kNoAdjacency ? bridge : std::hash<std::string>()(adjacencies_.owner(end).interface);
  limit_.event(Level::warn, kMacsFull, object, text);
}

void EventLog::flood_limited(uint64_t frames) {
  const uint64_t more = frames - std::exchange(flood_limited_, frames);
  if (more == 0) return;
  limit_.event(Level::warn, kFloods, 0,
               [&] { return fmt::format("flood-rate: {} frames over a port's or tunnel's limit dropped", more); });
}

void EventLog::tick(LogLimit::Clock::time_point now) {
  const auto say = [&](const MacMoves::Moves& moves) {
    const auto text = [&] {
      const uint16_t vlan = vlan_of(moves.key);
      return fmt::format("{}: {}{} moves to and fro between {} and {}: {} times in {} s",
                         bridges_.name_of(moves.bridge), to_string(mac_of(moves.key)),
                         vlan != 0 ? fmt::format(" (VLAN {})", vlan) : "", name_of(moves.from), name_of(moves.to),
                         moves.count, MacMoves::kWindow.count());
    };
    limit_.event(Level::warn, kMoves, moves.key ^ static_cast<uint64_t>(moves.bridge) << 32, text, now);
  };
  moves_.tick(say, now);
  limit_.tick(now);
}

}  // namespace causeway
