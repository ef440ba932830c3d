#include <fmt/format.h>

#include <map>
#include <set>
#include <string>

#include "control/config/address_text.h"
#include "control/config/value_text.h"
#include "control/doctor/families.h"
#include "control/doctor/recent_drops.h"
#include "control/trace/cure.h"

namespace causeway {
namespace {

std::string port_name(const Gateway& gateway, PortIndex index) {
  const Underlay::Port* const port = gateway.underlay().find(index);
  return port != nullptr ? port->name : "?";
}

// Of the host's routing tables that underlays follow.
std::string followed_text(const Gateway& gateway) {
  std::set<std::string> tables;
  for (const auto& [index, port] : gateway.underlay().all()) {
    for (const uint32_t table : port.followed_tables) {
      tables.insert(fmt::format("table {} by {}", config::table_text(table), port.interface));
    }
  }
  return tables.empty() ? "" : "; nor has the host: " + config::joined({tables.begin(), tables.end()});
}

// Underlays whose interface the host doesn't have: none of its routes counts.
void find_deaf_followers(const Gateway& gateway, Findings& findings) {
  for (const auto& [index, port] : gateway.underlay().all()) {
    if (port.followed_tables.empty() || gateway.host_routes().index_of(port.interface) != 0) continue;
    findings.push_back({Severity::wrong, "host-routes", port.name,
                        fmt::format("{} follows routes of the host's, and none of them can be by it", port.name),
                        port.interface.empty() ? std::string("the host has no interface there")
                                               : fmt::format("there is no interface {}", port.interface),
                        fmt::format("`ethernets.{}.host: true` gives the host one", port.name)});
  }
}

void find_no_way(const Gateway& gateway, const std::string& name, const Tunnels::Tunnel& tunnel,
                 const Tunnels::Endpoint& end, Findings& findings) {
  const std::string remote = to_string(end.remote);
  const std::string local = tunnel.settings.local.is_unspecified() ? "none" : to_string(tunnel.settings.local);
  if (end.next_hops.empty()) {
    findings.push_back({Severity::wrong, "no-route", name, fmt::format("{}: no route to {}", name, remote),
                        fmt::format("no underlay whose link is up has a network or a route for it (local {}){}", local,
                                    followed_text(gateway)),
                        std::string(cure_of(DropReason::no_route))});
    return;
  }
  const NextHop& hop = end.next_hops.front();
  const auto neighbor = gateway.neighbors().all().find(hop);
  // One that is asked right now may answer.
  if (neighbor == gateway.neighbors().all().end() || neighbor->second.state != Neighbors::State::failed) return;
  const std::string where = hop.address == end.remote ? "" : fmt::format(" on the way to {}", remote);
  findings.push_back(
      {Severity::wrong, "next-hop", name,
       fmt::format("{}: {}{} doesn't answer at {}", name, to_string(hop.address), where, port_name(gateway, hop.port)),
       fmt::format("{} in `causewayctl show neighbors`", to_string(neighbor->second.state)),
       std::string(cure_of(DropReason::neighbor_unresolved))});
}

void find_refused(const std::string& name, const Refusals::Refusal& refusal, Findings& findings) {
  const TunnelError& error = refusal.error;
  const std::string remote = to_string(error.tunnel.remote);
  const bool no_port = error.kind == TunnelError::Kind::no_port;
  findings.push_back(
      {Severity::wrong, "refused", name,
       fmt::format("{}: {} refuses its packets to {}", name, to_string(error.from), remote),
       no_port && error.tunnel.udp_port != 0
           ? fmt::format("ICMP: {}; nobody listens on UDP port {} there", to_string(error.kind), error.tunnel.udp_port)
           : fmt::format("ICMP: {}", to_string(error.kind)),
       no_port
           ? fmt::format("at {}: is the tunnel there, and up? On the same UDP port (`tunnels.{}.port`)?", remote, name)
           : fmt::format("at {}: a firewall, or the route to {}", to_string(error.from), remote)});
}

// What each peer sends that isn't taken, of reasons that doctor knows: by its address.
using Deaths = std::map<std::string, std::string>;

Deaths deaths_of(const RecentDrops& drops) {
  Deaths deaths;
  for (size_t i = 0; i < kDropReasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    const RecentDrop* const drop = drops.of(reason);
    if (drop == nullptr || cure_of(reason).empty()) continue;
    std::string& reasons = deaths[drop->text("source")];
    reasons += fmt::format("{}{}", reasons.empty() ? "" : ", ", kDropReasonText.at(i).name);
  }
  return deaths;
}

// Where nothing comes from there at all, nobody there may have anything to say: what is sent may be others' broadcasts.
void find_silent(const Deaths& deaths, const std::string& name, const Tunnels::Endpoint& end, Findings& findings) {
  const std::string remote = to_string(end.remote);
  const auto found = deaths.find(remote);
  const std::string reasons = found != deaths.end() ? found->second : "";
  findings.push_back({reasons.empty() ? Severity::hint : Severity::wrong, "silent", name,
                      fmt::format("{} sends to {} and hears nothing from there", name, remote),
                      reasons.empty() ? fmt::format("for {} s and longer", Silences::kPatience.count())
                                      : fmt::format("what comes from there dies here: {}", reasons),
                      reasons.empty()
                          ? fmt::format("none, where nobody there has anything to say; else at {}: its tunnel's state, "
                                        "VNI or key, and remote; a firewall between",
                                        remote)
                          : "`causewayctl stats` shows who sent it"});
}

void examine_end(const Gateway& gateway, const std::string& name, const Tunnels::Tunnel& tunnel,
                 const Tunnels::Endpoint& end, const Deaths& deaths, Findings& findings) {
  if (end.is_fabric()) return;
  if (gateway.tunnels().blocked(end) != DropReason::none) {
    find_no_way(gateway, name, tunnel, end, findings);
  } else if (const auto* const refusal = gateway.refusals().find(end.adjacency, end.remote)) {
    find_refused(name, *refusal, findings);
  } else if (gateway.silences().is_silent(end)) {
    find_silent(deaths, name, end, findings);
  }
}

}  // namespace

void examine_tunnels(const Gateway& gateway, const RecentDrops& drops, Findings& findings) {
  find_deaf_followers(gateway, findings);
  const Deaths deaths = deaths_of(drops);
  for (const auto& [name, tunnel] : gateway.tunnels().all()) {
    for (const Tunnels::Endpoint& end : tunnel.endpoints) examine_end(gateway, name, tunnel, end, deaths, findings);
    for (const auto& [remote, vtep] : tunnel.vteps) examine_end(gateway, name, tunnel, vtep, deaths, findings);
  }
}

}  // namespace causeway
