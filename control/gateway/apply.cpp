#include "control/gateway/apply.h"

#include <utility>

namespace causeway {
namespace {

using config::Operation;
using config::OperationKind;

std::string run(Gateway& gateway, OperationKind kind, const Operation& op) {
  switch (kind) {
    case OperationKind::restart_needed:
      return "needs a restart of causewayd";
    case OperationKind::static_mac_remove:
      gateway.remove_static_mac(op.bridge, *op.static_mac.before);  // somebody may have removed it by hand
      return {};
    case OperationKind::member_remove:
      return gateway.remove_member(op.bridge, op.name);
    case OperationKind::tunnel_remove:
      return gateway.remove_tunnel(op.name);
    case OperationKind::bridge_remove:
      return gateway.remove_bridge(op.name);
    case OperationKind::vlan_remove:
    case OperationKind::ethernet_remove:
      return gateway.remove_ethernet(op.name);
    case OperationKind::ethernet_close:
      gateway.close_ethernet(op.name);
      return {};
    case OperationKind::ethernet_reopen:
    case OperationKind::ethernet_open:
      return gateway.change_ethernet(op.name, *op.ethernet.after, true);
    case OperationKind::ethernet_change:
    case OperationKind::vlan_change:
      return gateway.change_ethernet(op.name, *op.ethernet.after, false);
    case OperationKind::ethernet_add:
    case OperationKind::vlan_add:
      return gateway.add_ethernet(op.name, *op.ethernet.after);
    case OperationKind::bridge_add:
      return gateway.add_bridge(op.name, *op.bridge_parameters.after);
    case OperationKind::bridge_change:
      return gateway.change_bridge(op.name, *op.bridge_parameters.after);
    case OperationKind::tunnel_change:
      return gateway.change_tunnel(op.name, *op.tunnel.after);
    case OperationKind::tunnel_add:
      return gateway.add_tunnel(op.name, *op.tunnel.after);
    case OperationKind::member_add:
      return gateway.add_member(op.bridge, op.name);
    case OperationKind::static_mac_add:
      return gateway.add_static_mac(op.bridge, *op.static_mac.after);
  }
  return "unknown operation";
}

OperationKind opposite(OperationKind kind) {
  switch (kind) {
    case OperationKind::static_mac_remove:
      return OperationKind::static_mac_add;
    case OperationKind::member_remove:
      return OperationKind::member_add;
    case OperationKind::tunnel_remove:
      return OperationKind::tunnel_add;
    case OperationKind::bridge_remove:
      return OperationKind::bridge_add;
    case OperationKind::vlan_remove:
      return OperationKind::vlan_add;
    case OperationKind::ethernet_remove:
      return OperationKind::ethernet_add;
    case OperationKind::ethernet_close:
      return OperationKind::ethernet_open;
    case OperationKind::ethernet_open:
      return OperationKind::ethernet_close;
    case OperationKind::ethernet_add:
      return OperationKind::ethernet_remove;
    case OperationKind::vlan_add:
      return OperationKind::vlan_remove;
    case OperationKind::bridge_add:
      return OperationKind::bridge_remove;
    case OperationKind::tunnel_add:
      return OperationKind::tunnel_remove;
    case OperationKind::member_add:
      return OperationKind::member_remove;
    case OperationKind::static_mac_add:
      return OperationKind::static_mac_remove;
    default:
      return kind;  // changes are their own opposite
  }
}

Operation reversed(Operation op) {
  op.kind = opposite(op.kind);
  std::swap(op.ethernet.before, op.ethernet.after);
  std::swap(op.tunnel.before, op.tunnel.after);
  std::swap(op.bridge_parameters.before, op.bridge_parameters.after);
  std::swap(op.static_mac.before, op.static_mac.after);
  return op;
}

// The key an operation is about.
std::string key_of(const Operation& op) {
  switch (op.kind) {
    case OperationKind::restart_needed:
      return op.name;
    case OperationKind::static_mac_remove:
    case OperationKind::static_mac_add:
    case OperationKind::member_remove:
    case OperationKind::member_add:
      return "bridges." + op.bridge;
    case OperationKind::tunnel_remove:
    case OperationKind::tunnel_change:
    case OperationKind::tunnel_add:
      return "tunnels." + op.name;
    case OperationKind::vlan_remove:
    case OperationKind::vlan_change:
    case OperationKind::vlan_add:
      return "vlans." + op.name;
    case OperationKind::bridge_remove:
    case OperationKind::bridge_change:
    case OperationKind::bridge_add:
      return "bridges." + op.name;
    default:
      return "ethernets." + op.name;
  }
}

}  // namespace

std::vector<config::ApplyError> apply_config(Gateway& gateway, const config::Config& before,
                                             const config::Config& after) {
  return apply_operations(gateway, config::diff_config(before, after));
}

std::vector<config::ApplyError> apply_operations(Gateway& gateway, const std::vector<Operation>& operations) {
  std::vector<config::ApplyError> errors;
  size_t done = 0;
  for (; done < operations.size(); ++done) {
    const Operation& op = operations[done];
    const std::string error = run(gateway, op.kind, op);
    if (error.empty()) continue;
    errors.push_back({key_of(op), error});
    break;
  }
  if (!errors.empty()) {
    while (done-- > 0) {
      const Operation undo = reversed(operations[done]);
      const std::string error = run(gateway, undo.kind, undo);
      if (!error.empty()) errors.push_back({key_of(undo), "could not be undone: " + error});
    }
  }
  gateway.commit();
  return errors;
}

}  // namespace causeway
