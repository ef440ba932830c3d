#include "control/gateway/event_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "control/config/address_text.h"
#include "control/process/state_changes.h"
#include "dataplane/wire/ethernet.h"

namespace causeway {
namespace {

using Level = spdlog::level::level_enum;
using Clock = LogLimit::Clock;

uint64_t object_of(const std::string& name, const IpAddress& address) {
  return std::hash<std::string>()(name) * 31 + std::hash<IpAddress>()(address);
}

// It is in another state: who follows hears of each, the log of some.
template <class Make>
void is_now(LogLimit& limit, Level level, LogLimit::Kind kind, uint64_t object, const Make& make) {
  state_changes().tell(make);
  limit.state(level, kind, object, [&] { return make().text; });
}

// What may happen with every packet: who follows hears of it when the log does.
template <class Make>
void has_happened(LogLimit& limit, Level level, LogLimit::Kind kind, uint64_t object, const Make& make,
                  Clock::time_point now = Clock::now()) {
  const auto text = [&] {
    StateChange change = make();
    state_changes().tell([&] { return change; });
    return std::move(change.text);
  };
  limit.event(level, kind, object, text, now);
}

}  // namespace

std::string EventLog::name_of(AdjacencyIndex end) const {
  const Adjacencies::Owner& owner = adjacencies_.owner(end);
  if (owner.interface.empty()) return "an interface that is gone";
  return owner.remote ? fmt::format("{} ({})", owner.interface, to_string(*owner.remote)) : owner.interface;
}

std::string EventLog::name_of(const NextHop& hop) const {
  const Underlay::Port* const port = underlay_.find(hop.port);
  return port != nullptr ? port->name : "?";
}

void EventLog::neighbor(const NextHop& hop, const std::optional<MacAddress>& before,
                        const std::optional<MacAddress>& now) {
  const auto make = [&]() -> StateChange {
    const std::string port = name_of(hop);
    const std::string peer = to_string(hop.address);
    const std::string name = fmt::format("{}: neighbor {}", port, peer);
    if (before && now) {
      return {"neighbor", port, "changed", peer,
              fmt::format("{} has another MAC: {}, before {}", name, to_string(*now), to_string(*before))};
    }
    if (now) return {"neighbor", port, "found", peer, fmt::format("{} found: {}", name, to_string(*now))};
    if (before) return {"neighbor", port, "lost", peer, name + " lost: it doesn't answer any more"};
    return {"neighbor", port, "unresolved", peer, name + " doesn't answer"};
  };
  is_now(limit_, now ? Level::info : Level::warn, kNeighbor, std::hash<IpAddress>()(hop.address) + hop.port, make);
}

void EventLog::tunnel(AdjacencyIndex end, DropReason blocked) {
  const Adjacencies::Owner& owner = adjacencies_.owner(end);
  const IpAddress remote = owner.remote.value_or(IpAddress{});
  const auto [known, is_new] = ends_.try_emplace(end, End{remote, DropReason::neighbor_unresolved});
  // A new end is about to ask for its neighbor: that is no news yet.
  if (is_new || known->second.remote != remote) known->second = {remote, DropReason::neighbor_unresolved};
  if (known->second.blocked == blocked) return;
  known->second.blocked = blocked;
  const auto make = [&]() -> StateChange {
    const std::string& name = owner.interface;
    const std::string peer = to_string(remote);
    if (blocked == DropReason::none) return {"tunnel", name, "up", peer, fmt::format("{}: up, to {}", name, peer)};
    return {"tunnel", name, "down", peer,
            fmt::format("{}: down, to {}: {}", name, peer,
                        blocked == DropReason::no_route ? "no route" : "its next hop doesn't answer")};
  };
  is_now(limit_, blocked == DropReason::none ? Level::info : Level::warn, kTunnel, end, make);
}

void EventLog::refused(AdjacencyIndex end, const TunnelError& error) {
  const auto make = [&]() -> StateChange {
    std::string what = to_string(error.kind);
    if (error.kind == TunnelError::Kind::no_port && error.tunnel.udp_port != 0) {
      what += fmt::format(", nobody listens on UDP port {} there", error.tunnel.udp_port);
    }
    const std::string& name = adjacencies_.owner(end).interface;
    const std::string peer = to_string(error.tunnel.remote);
    return {"tunnel", name, "refused", peer,
            fmt::format("{}: {} refuses its packets to {}: {}", name, to_string(error.from), peer, what)};
  };
  has_happened(limit_, Level::warn, kRefused, end, make);
}

void EventLog::silent(AdjacencyIndex end, bool silent) {
  const Adjacencies::Owner& owner = adjacencies_.owner(end);
  const auto make = [&]() -> StateChange {
    const std::string& name = owner.interface;
    const std::string peer = to_string(owner.remote.value_or(IpAddress{}));
    if (!silent) return {"tunnel", name, "up", peer, fmt::format("{}: no longer silent, to {}", name, peer)};
    return {"tunnel", name, "silent", peer,
            fmt::format("{}: silent: it sends to {}, and hears nothing from there", name, peer)};
  };
  is_now(limit_, silent ? Level::warn : Level::info, kSilent, end, make);
}

void EventLog::path_mtu(AdjacencyIndex end, const TunnelError& error) {
  const auto make = [&]() -> StateChange {
    const auto* const adjacency = adjacencies_.get(end);
    const int left = adjacency != nullptr ? adjacency->max_frame_bytes - static_cast<int>(sizeof(EthernetHeader)) : 0;
    const std::string& name = adjacencies_.owner(end).interface;
    const std::string peer = to_string(error.tunnel.remote);
    return {"path-mtu", name, "limited", peer,
            fmt::format("{}: {} says that {} bytes are too many for the way to {}, {} would pass: {} bytes fit inside",
                        name, to_string(error.from), error.packet_bytes, peer, error.mtu, std::max(left, 0))};
  };
  has_happened(limit_, Level::warn, kPathMtu, end, make);
}

void EventLog::vtep_learnt(const std::string& tunnel, const IpAddress& vtep) {
  is_now(limit_, Level::info, kVtep, object_of(tunnel, vtep), [&]() -> StateChange {
    const std::string peer = to_string(vtep);
    return {"vtep", tunnel, "learnt", peer, fmt::format("{}: VTEP {} learnt", tunnel, peer)};
  });
}

void EventLog::vtep_gone(const std::string& tunnel, const IpAddress& vtep) {
  is_now(limit_, Level::info, kVtep, object_of(tunnel, vtep), [&]() -> StateChange {
    const std::string peer = to_string(vtep);
    return {"vtep", tunnel, "forgotten", peer, fmt::format("{}: VTEP {} forgotten, it is silent", tunnel, peer)};
  });
}

void EventLog::vteps_full(const std::string& tunnel, size_t most) {
  has_happened(limit_, Level::warn, kVtepsFull, std::hash<std::string>()(tunnel), [&]() -> StateChange {
    return {"vtep", tunnel, "limited", "",
            fmt::format("{}: {} VTEPs learnt, as many as it may: what others send is received, what is for them goes "
                        "to the group",
                        tunnel, most)};
  });
}

void EventLog::macs_full(BridgeIndex bridge, AdjacencyIndex end, uint32_t most) {
  const auto make = [&]() -> StateChange {
    const bool of_bridge = end == kNoAdjacency;
    const std::string& name = of_bridge ? bridges_.name_of(bridge) : adjacencies_.owner(end).interface;
    return {"mac", name, "limited", "",
            fmt::format("{}: max-macs: no more than {} MACs are learnt{}", name, most, of_bridge ? "" : " behind it")};
  };
  const uint64_t object = end == kNoAdjacency ? bridge : std::hash<std::string>()(adjacencies_.owner(end).interface);
  has_happened(limit_, Level::warn, kMacsFull, object, make);
}

void EventLog::flood_limited(uint64_t frames) {
  const uint64_t more = frames - std::exchange(flood_limited_, frames);
  if (more == 0) return;
  limit_.event(Level::warn, kFloods, 0,
               [&] { return fmt::format("flood-rate: {} frames over a port's or tunnel's limit dropped", more); });
}

void EventLog::tick(LogLimit::Clock::time_point now) {
  const auto say = [&](const MacMoves::Moves& moves) {
    const auto make = [&]() -> StateChange {
      const uint16_t vlan = vlan_of(moves.key);
      const std::string& name = bridges_.name_of(moves.bridge);
      const std::string mac = to_string(mac_of(moves.key));
      return {"mac", name, "moving", mac,
              fmt::format("{}: {}{} moves to and fro between {} and {}: {} times in {} s", name, mac,
                          vlan != 0 ? fmt::format(" (VLAN {})", vlan) : "", name_of(moves.from), name_of(moves.to),
                          moves.count, MacMoves::kWindow.count())};
    };
    has_happened(limit_, Level::warn, kMoves, moves.key ^ static_cast<uint64_t>(moves.bridge) << 32, make, now);
  };
  moves_.tick(say, now);
  limit_.tick(now);
}

}  // namespace causeway
