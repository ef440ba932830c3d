#include <fmt/format.h>

#include <algorithm>

#include "control/config/address_text.h"
#include "control/config/vlan_rules.h"
#include "control/doctor/families.h"
#include "control/doctor/recent_drops.h"
#include "control/doctor/section.h"
#include "control/trace/cure.h"
#include "control/view/traffic.h"
#include "dataplane/wire/ethernet.h"

namespace causeway {
namespace {

using Named = std::pair<const std::string, Tunnels::Tunnel>;

const char* word_for_id(const config::Tunnel& tunnel) { return over_udp(tunnel.mode) ? "VNI" : "key"; }

std::string remote_text(const Tunnels::Tunnel& tunnel) { return to_string(tunnel.endpoints.front().remote); }

// The tunnel to whoever sent the frame: of several to him one that hears nothing. Null: there is none.
const Named* tunnel_to_sender(const Gateway& gateway, const RecentDrop& drop, bool of_this_port) {
  const std::string sender = drop.text("source");
  const std::string udp_port = drop.text("udp_port");
  const Named* best = nullptr;
  for (const Named& named : gateway.tunnels().all()) {
    const config::Tunnel& settings = named.second.settings;
    const bool udp = over_udp(settings.mode);
    if (udp == udp_port.empty() || (of_this_port && udp && std::to_string(settings.port) != udp_port)) continue;
    const bool to_him =
        std::ranges::any_of(named.second.endpoints, [&](const auto& end) { return to_string(end.remote) == sender; });
    if (!to_him) continue;
    if (best == nullptr || tunnel_totals(gateway, named.second).rx_packets == 0) best = &named;
  }
  return best;
}

// The tunnel that has the frame's VNI or key.
const Named* tunnel_with_id(const Gateway& gateway, const RecentDrop& drop) {
  const bool udp = drop.example.contains("udp_port");
  const std::string id = drop.text(udp ? "vni" : "key");
  for (const Named& named : gateway.tunnels().all()) {
    const config::Tunnel& settings = named.second.settings;
    if (over_udp(settings.mode) != udp || !settings.id || std::to_string(*settings.id) != id) continue;
    if (!udp || std::to_string(settings.port) == drop.text("udp_port")) return &named;
  }
  return nullptr;
}

void find_unknown_vni(const Gateway& gateway, const RecentDrops& drops, Findings& findings) {
  const RecentDrop* const drop = drops.of(DropReason::unknown_vni);
  if (drop == nullptr) return;
  const std::string sender = drop->text("source");
  const char* const word = drop->example.contains("udp_port") ? "VNI" : "key";
  const std::string id = drop->text(drop->example.contains("udp_port") ? "vni" : "key");
  const std::string sent = id.empty() ? std::string("no key") : fmt::format("{} {}", word, id);
  const Named* const tunnel = tunnel_to_sender(gateway, *drop, true);
  if (tunnel == nullptr) {
    findings.push_back(
        {Severity::wrong, "unknown-vni", drop->text("port"),
         fmt::format("{} sends {}, which no tunnel here has", sender, sent), drop->seen(),
         fmt::format("a tunnel with `id: {}` and `remote: {}`; or nothing, where it isn't meant for us", id, sender)});
    return;
  }
  const auto& [name, its] = *tunnel;
  const std::string own = its.settings.id ? std::to_string(*its.settings.id) : "none";
  findings.push_back({Severity::wrong, "unknown-vni", name,
                      fmt::format("{} sends {}, but {} has {} {}", sender, sent, name, word_for_id(its.settings), own),
                      drop->seen(), fmt::format("`tunnels.{}.id: {}` here, or {} at the peer", name, id, own)});
}

void find_unknown_remote(const Gateway& gateway, const RecentDrops& drops, Findings& findings) {
  const RecentDrop* const drop = drops.of(DropReason::unknown_remote);
  if (drop == nullptr) return;
  const std::string sender = drop->text("source");
  const Named* const tunnel = tunnel_with_id(gateway, *drop);
  const std::string name = tunnel != nullptr ? tunnel->first : drop->text("port");
  const std::string remote = tunnel != nullptr ? remote_text(tunnel->second) : "?";
  findings.push_back(
      {Severity::wrong, "unknown-source", name,
       fmt::format("{} sends into {}, whose remote is {}", sender, name, remote), drop->seen(),
       fmt::format("`tunnels.{}.remote: {}`, or the peer's source address (its `local`): {}", name, sender, remote)});
}

// Of what nobody listens on only what looks like a tunnel's is of interest.
void find_other_port(const Gateway& gateway, const RecentDrops& drops, Findings& findings) {
  const RecentDrop* const drop = drops.of(DropReason::unknown_protocol);
  if (drop == nullptr || !drop->example.contains("vni")) return;
  const std::string sender = drop->text("source");
  const std::string udp_port = drop->text("udp_port");
  const Named* const tunnel = tunnel_to_sender(gateway, *drop, false);
  if (tunnel == nullptr) {
    findings.push_back({Severity::wrong, "udp-port", drop->text("port"),
                        fmt::format("{} sends to UDP port {}, where no tunnel listens", sender, udp_port), drop->seen(),
                        std::string(cure_of(DropReason::unknown_protocol))});
    return;
  }
  const auto& [name, its] = *tunnel;
  findings.push_back({Severity::wrong, "udp-port", name,
                      fmt::format("{} sends to UDP port {}, but {} has {}", sender, udp_port, name, its.settings.port),
                      drop->seen(),
                      fmt::format("`tunnels.{}.port: {}` here, or {} at the peer", name, udp_port, its.settings.port)});
}

void find_not_allowed(const Gateway& gateway, const RecentDrops& drops, Findings& findings) {
  const RecentDrop* const drop = drops.of(DropReason::source_not_allowed);
  if (drop == nullptr) return;
  const std::string port = drop->text("port");
  const auto sender = parse_ip(drop->text("source"));
  const Ports::Record* const record = gateway.ports().find(port);
  const bool of_port = record != nullptr && sender && !record->settings.allow_from.empty() &&
                       std::ranges::none_of(record->settings.allow_from,
                                            [&](const IpPrefix& prefix) { return prefix.contains(*sender); });
  const Named* const tunnel = of_port ? nullptr : tunnel_with_id(gateway, *drop);
  const std::string name = tunnel != nullptr ? tunnel->first : port;
  const bool fabric = tunnel != nullptr && tunnel->second.settings.evpn;
  findings.push_back({Severity::wrong, "source-not-allowed", name,
                      fmt::format("{} sends to {}, whose {} doesn't name it", drop->text("source"), name,
                                  fabric ? "fabric" : "`allow-from`"),
                      drop->seen(),
                      fabric ? "let it advertise the VNI (a route of type 3), if it is one of its VTEPs"
                             : fmt::format("add {} to `{}.allow-from`, if it may send", drop->text("source"),
                                           section_of(gateway, name))});
}

void find_not_bound(const Gateway& gateway, const RecentDrops& drops, Findings& findings) {
  for (const auto& [reason, name, field] : {std::tuple{DropReason::mac_not_bound, "mac-not-bound", "mac"},
                                            std::tuple{DropReason::address_not_bound, "address-not-bound", "source"}}) {
    const RecentDrop* const drop = drops.of(reason);
    if (drop == nullptr) continue;
    const std::string port = drop->text("port");
    const std::string who = drop->text(drop->example.contains(field) ? field : "mac");
    const std::string missing =
        reason == DropReason::mac_not_bound ? "name it" : fmt::format("give it to {}", drop->text("mac"));
    findings.push_back({Severity::wrong, name, port,
                        fmt::format("{} speaks at {}, whose `bindings` don't {}", who, port, missing), drop->seen(),
                        fmt::format("add {} to `{}.bindings`, if it may speak there", who, section_of(gateway, port))});
  }
}

// Where the frame came in: a port, or the tunnel.
std::string way_in(const RecentDrop& drop) {
  const std::string tunnel = drop.text("tunnel");
  return tunnel.empty() ? drop.text("port") : tunnel;
}

void find_vlan_drops(const Gateway& gateway, const RecentDrops& drops, Findings& findings) {
  for (const DropReason reason : {DropReason::vlan_not_member, DropReason::vlan_not_carried}) {
    const RecentDrop* const drop = drops.of(reason);
    if (drop == nullptr) continue;
    const std::string name = way_in(*drop);
    const Tunnels::Tunnel* const tunnel = gateway.tunnels().find(name);
    const Ports::Record* const record = gateway.ports().find(name);
    if (tunnel == nullptr && record == nullptr) continue;  // it is gone
    const config::PortVlan& vlan = tunnel != nullptr ? tunnel->settings.vlan : record->settings.vlan;
    const std::string frames = drop->example.contains("vlan") ? "VLAN " + drop->text("vlan") : "no VLAN tag";
    if (reason == DropReason::vlan_not_member) {
      findings.push_back({Severity::wrong, "vlan-not-member", name,
                          fmt::format("{} sends frames of {} to {}, which carries {}", drop->text("mac"), frames, name,
                                      to_string(vlan)),
                          drop->seen(), fmt::format("`{}.vlan`, or the sender's VLAN", section_of(gateway, name))});
    } else {
      findings.push_back(
          {Severity::wrong, "vlan-not-carried", name,
           fmt::format("frames of {} from {} go where their VLAN isn't carried", drop->text("mac"), name), drop->seen(),
           std::string(cure_of(reason))});
    }
  }
}

// Those whose meaning says it all.
void find_others(const RecentDrops& drops, Findings& findings) {
  for (const DropReason reason :
       {DropReason::geneve_mismatch, DropReason::udp_zero_checksum, DropReason::ip_fragment, DropReason::ecn,
        DropReason::mbuf_alloc, DropReason::held_limit, DropReason::tunnel_unassigned, DropReason::flood_limit}) {
    const RecentDrop* const drop = drops.of(reason);
    if (drop == nullptr) continue;
    const DropReasonText& text = kDropReasonText.at(static_cast<size_t>(reason));
    findings.push_back({Severity::wrong, text.name, way_in(*drop), std::string(text.meaning), drop->seen(),
                        std::string(cure_of(reason))});
  }
}

}  // namespace

void examine_drops(const Gateway& gateway, const RecentDrops& drops, Findings& findings) {
  find_unknown_vni(gateway, drops, findings);
  find_unknown_remote(gateway, drops, findings);
  find_other_port(gateway, drops, findings);
  find_not_allowed(gateway, drops, findings);
  find_not_bound(gateway, drops, findings);
  find_vlan_drops(gateway, drops, findings);
  find_others(drops, findings);
}

}  // namespace causeway
