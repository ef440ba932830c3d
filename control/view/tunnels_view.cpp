// `show tunnels`.
#include <algorithm>
#include <optional>

#include "control/config/address_text.h"
#include "control/config/split_group.h"
#include "control/view/tables.h"
#include "control/view/traffic.h"
#include "control/view/values.h"
#include "dataplane/drop_reason.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct TunnelView {
  const Gateway& gateway;
  const std::string& name;
  const Tunnels::Tunnel& tunnel;
  Traffic traffic;
  std::string_view state;            // of the last of its remotes that isn't up
  uint16_t mtu;                      // of the narrowest remote
  std::optional<uint16_t> path_mtu;  // what routers said, of the narrowest path; nullopt: they said nothing
};

// Frames leave, but somebody refuses them, or nothing comes back.
std::string_view state_of(const Gateway& gateway, const Tunnels::Endpoint& endpoint) {
  const DropReason blocked = gateway.tunnels().blocked(endpoint);
  const bool refused = gateway.refusals().find(endpoint.adjacency, endpoint.remote) != nullptr;
  if (blocked != DropReason::none) return kDropReasonText.at(static_cast<size_t>(blocked)).name;
  return refused ? "refused" : gateway.silences().is_silent(endpoint) ? "silent" : "up";
}

// Bytes of IP packet inside: the largest frame without its Ethernet header.
uint16_t mtu_of(const Gateway& gateway, const Tunnels::Endpoint& endpoint) {
  const uint16_t frame = gateway.adjacencies().get(endpoint.adjacency)->max_frame_bytes;
  return static_cast<uint16_t>(frame > 14 ? frame - 14 : 0);
}

TunnelView view_of(const Gateway& gateway, const std::string& name, const Tunnels::Tunnel& tunnel) {
  TunnelView view{gateway, name, tunnel, tunnel_totals(gateway, tunnel), "up", 0xffff, std::nullopt};
  const auto look_at = [&](const Tunnels::Endpoint& endpoint) {
    if (const auto believed = gateway.tunnels().path_mtu(tunnel, endpoint)) {
      view.path_mtu = std::min(view.path_mtu.value_or(UINT16_MAX), *believed);
    }
    if (const auto worse = state_of(gateway, endpoint); worse != "up") view.state = worse;
    view.mtu = std::min(view.mtu, mtu_of(gateway, endpoint));
  };
  if (!tunnel.settings.evpn) {
    for (const Tunnels::Endpoint& endpoint : tunnel.endpoints) look_at(endpoint);
  } else {
    for (const auto& [remote, vtep] : tunnel.vteps) look_at(vtep);
    if (tunnel.vteps.empty()) view.mtu = 0;
  }
  return view;
}

RecordStream<TunnelView> tunnel_views(const Running& running) {
  const Gateway& gateway = running.gateway;
  return records_of<TunnelView>(gateway.tunnels().all(),
                                [&gateway](const std::string& name, const Tunnels::Tunnel& tunnel, const auto& add) {
                                  add(view_of(gateway, name, tunnel));
                                });
}

// A list only where there are several.
json remotes_json(const TunnelView& view) {
  json remotes = json::array();
  if (view.tunnel.settings.evpn) return remotes;
  for (const Tunnels::Endpoint& endpoint : view.tunnel.endpoints) remotes.push_back(to_string(endpoint.remote));
  return remotes.size() == 1 ? remotes.front() : remotes;
}

// Who refuses what is sent, and how he puts it.
json refusals_json(const TunnelView& view) {
  json list = json::array();
  const auto add = [&](const Tunnels::Endpoint& endpoint) {
    const auto* const refusal = view.gateway.refusals().find(endpoint.adjacency, endpoint.remote);
    if (refusal == nullptr) return;
    list.push_back({{"remote", to_string(endpoint.remote)},
                    {"from", to_string(refusal->error.from)},
                    {"reason", to_string(refusal->error.kind)}});
  };
  for (const Tunnels::Endpoint& endpoint : view.tunnel.endpoints) add(endpoint);
  for (const auto& [remote, vtep] : view.tunnel.vteps) add(vtep);
  return list;
}

json next_hops_json(const TunnelView& view) {
  json next_hops = json::array();
  for (const Tunnels::Endpoint& endpoint : view.tunnel.endpoints) {
    if (endpoint.remote.is_multicast()) continue;
    for (const NextHop& hop : endpoint.next_hops) {
      next_hops.push_back({{"port", view.gateway.ports().find(hop.port)->port->name()},
                           {"address", to_string(hop.address)},
                           {"state", to_string(view.gateway.neighbors().all().at(hop).state)}});
    }
  }
  return next_hops;
}

json vteps_json(const TunnelView& view) {
  json vteps = json::array();
  for (const auto& [remote, vtep] : view.tunnel.vteps) {
    vteps.push_back(
        {{"remote", to_string(remote)}, {"state", state_of(view.gateway, vtep)}, {"mtu", mtu_of(view.gateway, vtep)}});
  }
  return vteps;
}

// Empty where there is but one, and so the tunnel's own numbers say it.
json per_remote_json(const TunnelView& view) {
  json list = json::array();
  const auto add = [&](const Tunnels::Endpoint& endpoint) {
    const Traffic traffic = remote_totals(view.gateway, endpoint.adjacency);
    list.push_back({{"remote", to_string(endpoint.remote)},
                    {"state", state_of(view.gateway, endpoint)},
                    {"rx_packets", traffic.rx_packets},
                    {"rx_bytes", traffic.rx_bytes},
                    {"tx_packets", traffic.tx_packets},
                    {"tx_bytes", traffic.tx_bytes}});
  };
  if (view.tunnel.endpoints.size() + view.tunnel.vteps.size() == 1) return list;
  for (const Tunnels::Endpoint& endpoint : view.tunnel.endpoints) {
    if (!endpoint.is_fabric()) add(endpoint);
  }
  for (const auto& [remote, vtep] : view.tunnel.vteps) add(vtep);
  return list;
}

constexpr Column<TunnelView> kColumns[] = {
    {{"name", "NAME", text, "", "The tunnel's name."}, [](const TunnelView& view) -> json { return view.name; }},
    {{"mode", "MODE", text, "", "The format of its outer headers."},
     [](const TunnelView& view) -> json { return row_of(view.tunnel.settings.mode).name; }},
    {{"id", "ID", text, "", "Its VNI, key or session."},
     [](const TunnelView& view) { return view.tunnel.settings.id ? json(*view.tunnel.settings.id) : json(); }},
    {{"local", "LOCAL", text, "", "The address that it sends from."},
     [](const TunnelView& view) -> json {
       const IpAddress& local = view.tunnel.settings.local;
       return local.is_unspecified() ? "none" : to_string(local);
     }},
    {{"remote", "REMOTE", text, "", "The addresses that it sends to; one may be a multicast group."}, remotes_json},
    {{"bridge", "BRIDGE", text, "", "The bridge that it is in."},
     [](const TunnelView& view) { return bridge_json(view.gateway, view.name); }},
    {{"vlan", "VLAN", text, "", "The VLANs that it carries."},
     [](const TunnelView& view) { return vlan_json(view.tunnel.settings.vlan); }},
    {{"group", "GROUP", text, "", "Its split-horizon group, if that has a name."},
     [](const TunnelView& view) { return group_json(config::split_group_of(view.tunnel.settings)); }},
    {{"state", "STATE", text, "", "`up`, `refused`, `silent`, or the reason that its frames die of."},
     [](const TunnelView& view) -> json { return view.state; }},
    {{"mtu", "MTU", gauge, "bytes", "The largest IP packet that it carries to every remote."},
     [](const TunnelView& view) -> json { return view.mtu; }},
    {{"path_mtu", "PATH MTU", gauge, "bytes", "What routers say the narrowest path carries."},
     [](const TunnelView& view) { return view.path_mtu ? json(*view.path_mtu) : json(); }},
    {{"rx_packets", "RX PACKETS", counter, "packets", "Packets received."},
     [](const TunnelView& view) -> json { return view.traffic.rx_packets; }},
    {{"tx_packets", "TX PACKETS", counter, "packets", "Packets sent."},
     [](const TunnelView& view) -> json { return view.traffic.tx_packets; }},
    {{"rx_bytes", "", counter, "bytes", "Bytes of the packets received."},
     [](const TunnelView& view) -> json { return view.traffic.rx_bytes; }},
    {{"tx_bytes", "", counter, "bytes", "Bytes of the packets sent."},
     [](const TunnelView& view) -> json { return view.traffic.tx_bytes; }},
    {{"isolated", "", text, "", "Whether it is in a split-horizon group, with or without a name."},
     [](const TunnelView& view) -> json { return config::split_group_of(view.tunnel.settings).has_value(); }},
    {{"sent_id", "", text, "", "The VNI or key that it sends, where that is another one."},
     [](const TunnelView& view) {
       return view.tunnel.settings.sent_id ? json(*view.tunnel.settings.sent_id) : json();
     }},
    {{"port", "", text, "", "The UDP port that it sends to."},
     [](const TunnelView& view) -> json { return view.tunnel.settings.port; }},
    {{"sequence", "", text, "", "Whether its packets are numbered."},
     [](const TunnelView& view) -> json { return view.tunnel.settings.numbers(); }},
    {{"refusals", "", text, "", "Who refuses what is sent, and why."}, refusals_json},
    {{"next_hops", "", text, "", "The neighbors that its packets go to first, each with its state."}, next_hops_json},
    {{"vteps", "", text, "",
      "The VTEPs that it has learnt from its group, or that its fabric names, each with its state."},
     vteps_json},
    {{"per_remote", "", text, "",
      "Of each of its remotes and learnt VTEPs, where there are several, what came and went."},
     per_remote_json},
    {{"max_macs", "", gauge, "MACs", "How many MACs may be learnt behind it."},
     [](const TunnelView& view) { return max_macs_json(view.gateway, view.tunnel.endpoints.front().adjacency); }},
    {{"macs_refused", "", counter, "MACs", "How often a MAC wasn't learnt as there were too many."},
     [](const TunnelView& view) { return macs_refused_json(view.gateway, view.tunnel.endpoints.front().adjacency); }},
};

}  // namespace

Table tunnels_table() { return table_of(kColumns, tunnel_views); }

}  // namespace causeway
