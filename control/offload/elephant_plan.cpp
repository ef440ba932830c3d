#include "control/offload/elephant_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "dataplane/egress/encap.h"

namespace causeway {
namespace {

// A device fills no checksums of these headers, nor copies fields between inner and outer ones.
std::string objection_to_headers(const Adjacency& tunnel, const config::Tunnel& settings) {
  if (row_of(tunnel.kind).entropy == TunnelEntropy::nvgre_flow_id) return "NVGRE's FlowID differs from frame to frame";
  if (!row_of(tunnel.kind).nic_rules) return fmt::format("a NIC has no rules for {}", row_of(tunnel.kind).name);
  if (tunnel.udp_checksum || settings.checksum.value_or(false)) return "the tunnel sends checksums";
  if (tunnel.kind == TunnelType::geneve && tunnel.ipv6 && !settings.allow_zero_checksum) {
    return "the tunnel wants checksums (udp6-zero-checksum-rx)";
  }
  if (settings.sequence) return "the tunnel numbers its frames";
  if (settings.tos_inherit) return "the tunnel's tos is inherited";
  if (settings.match_options) return "the tunnel's match-options";
  return {};
}

bool allowed(const Ports::Record& underlay, const IpAddress& remote) {
  const auto& from = underlay.settings.allow_from;
  return from.empty() || std::ranges::any_of(from, [&](const IpPrefix& prefix) { return prefix.contains(remote); });
}

std::vector<uint8_t> outer_of(const Adjacency& tunnel) {
  const auto end = tunnel.outer.data.end();
  return {end - tunnel.outer_bytes, end};
}

// GENEVE's options don't count: frames that have some aren't taken.
uint16_t received_outer_bytes(const Adjacency& tunnel, const TunnelKey& key) {
  const unsigned behind_ip = over_gre(tunnel.kind) ? (key.keyless != 0 ? 4 : 8) : 16;
  return static_cast<uint16_t>(tunnel.udp_offset + behind_ip);
}

// The worker's range, but one port for the whole flow.
void set_source_port(std::vector<uint8_t>& outer, const Adjacency& tunnel, const FlowKey& flow) {
  const uint64_t entropy = hash_words(flow.destination(), flow.source(), 0) >> 32;
  const auto port = static_cast<uint16_t>(kFirstSourcePort + (entropy * kSourcePorts >> 32));
  outer[tunnel.udp_offset] = static_cast<uint8_t>(port >> 8);
  outer[tunnel.udp_offset + 1U] = static_cast<uint8_t>(port);
}

}  // namespace

std::string ElephantPlanner::objection(const Adjacency& port, const Adjacency& tunnel,
                                       const config::Tunnel& settings) const {
  if (port.blocked != DropReason::none || tunnel.blocked != DropReason::none) return "port or tunnel is down";
  if (port.vlan_rules || tunnel.vlan_rules) return "its VLANs are put on or taken off";
  if (port.mss.any() || tunnel.mss.any()) return "mss-clamp";
  if (of_one_split_group(port, tunnel)) return "port and tunnel are of one split-horizon group";
  if (settings.group()) return "the tunnel is over a multicast group";
  if (tunnel.ways != nullptr) return "the tunnel has several next hops";
  return objection_to_headers(tunnel, settings);
}

ElephantPlan ElephantPlanner::plan(const FlowKey& flow) const {
  ElephantPlan plan;
  const Adjacency* const in = adjacencies.get(flow.ingress());
  if (in == nullptr || in->bridge == kNoBridge || flow.to_group()) return plan;
  const auto source = fdb.find(in->bridge, flow.source());
  const auto destination = fdb.find(in->bridge, flow.destination());
  if (!source || !destination || source->exit != in->index) return plan;
  const Adjacency* const out = adjacencies.get(destination->exit);
  if (out == nullptr || (in->kind == TunnelType::none) == (out->kind == TunnelType::none)) return plan;
  const bool decap = in->kind != TunnelType::none;
  const Adjacency& tunnel = decap ? *in : *out;
  const Adjacency& port = decap ? *out : *in;
  const Ports::Record* const bridged = ports.find(port.port);
  const Ports::Record* const underlay = ports.find(tunnel.port);
  const Adjacencies::Owner& owner = adjacencies.owner(tunnel.index);
  const Tunnels::Tunnel* const found = tunnels.find(owner.interface);
  if (bridged == nullptr || underlay == nullptr || found == nullptr || !owner.remote) return plan;
  if (bridged->port == nullptr || underlay->port == nullptr) return plan;

  plan.from = decap ? tunnel.port : port.port;
  plan.to = decap ? port.port : tunnel.port;
  plan.tunnel = tunnel.index;
  plan.bridge = in->bridge;
  const SwitchPort port_of_bridged = bridged->port->switch_port();
  const SwitchPort port_of_underlay = underlay->port->switch_port();
  const bool one_switch = !port_of_bridged.domain.empty() && port_of_bridged.domain == port_of_underlay.domain;
  const TunnelKey key = TunnelKeys::key_of(found->settings, *owner.remote);
  plan.refused = objection(port, tunnel, found->settings);
  if (vlan_of(flow.destination()) != 0) plan.refused = "its frames have a VLAN tag";
  if (!decap && bridged->port->mtu() + 14 > tunnel.max_frame_bytes) plan.refused = "the port's MTU is the larger one";
  if (!decap && port.bound) plan.refused = "the port's bindings";
  if (decap && !allowed(*underlay, *owner.remote)) plan.refused = "allow-from";
  if (!one_switch) plan.refused = "port and underlay are not in one switch";
  if (!plan.refused.empty()) return plan;

  SwitchRule& rule = plan.rule;
  rule.from = (decap ? port_of_underlay : port_of_bridged).id;
  rule.to = (decap ? port_of_bridged : port_of_underlay).id;
  rule.decap = decap;
  rule.tunnel = key;
  rule.source = mac_of(flow.source());
  rule.destination = mac_of(flow.destination());
  rule.outer = outer_of(tunnel);
  rule.outer_mac = underlay->port->mac();
  if (decap) {
    rule.outer.resize(received_outer_bytes(tunnel, rule.tunnel));
  } else if (over_udp(tunnel.kind)) {
    set_source_port(rule.outer, tunnel, flow);
  }
  plan.outer_bytes = static_cast<uint16_t>(rule.outer.size());
  return plan;
}

}  // namespace causeway
