#include "control/gateway/apply.h"

namespace causeway {
namespace {

using config::Operation;
using config::Thing;
using config::Verb;

std::string run_on_ethernet(Gateway& gateway, const Operation& op) {
  switch (op.kind.verb) {
    case Verb::remove:
      return gateway.remove_ethernet(op.name);
    case Verb::close:
      gateway.close_ethernet(op.name);
      return {};
    case Verb::open:
    case Verb::reopen:
      return gateway.change_ethernet(op.name, *op.ethernet.after, true);
    case Verb::change:
      return gateway.change_ethernet(op.name, *op.ethernet.after, false);
    case Verb::add:
      return gateway.add_ethernet(op.name, *op.ethernet.after);
  }
  return "unknown operation";
}

// Of a thing that is added, removed or changed.
std::string run(Gateway& gateway, const Operation& op) {
  const bool adds = op.kind.verb == Verb::add;
  const bool removes = op.kind.verb == Verb::remove;
  switch (op.kind.thing) {
    case Thing::system:
      return "needs a restart of causewayd";
    case Thing::ethernet:
    case Thing::vlan:
      return run_on_ethernet(gateway, op);
    case Thing::bridge:
      if (removes) return gateway.remove_bridge(op.name);
      return adds ? gateway.add_bridge(op.name, *op.bridge_parameters.after)
                  : gateway.change_bridge(op.name, *op.bridge_parameters.after);
    case Thing::tunnel:
      if (removes) return gateway.remove_tunnel(op.name);
      return adds ? gateway.add_tunnel(op.name, *op.tunnel.after) : gateway.change_tunnel(op.name, *op.tunnel.after);
    case Thing::member:
      return adds ? gateway.add_member(op.bridge, op.name) : gateway.remove_member(op.bridge, op.name);
    case Thing::static_mac:
      if (adds) return gateway.add_static_mac(op.bridge, *op.static_mac.after);
      gateway.remove_static_mac(op.bridge, *op.static_mac.before);  // somebody may have removed it by hand
      return {};
  }
  return "unknown operation";
}

}  // namespace

std::vector<config::ApplyError> apply_operations(Gateway& gateway, const std::vector<Operation>& operations) {
  std::vector<config::ApplyError> errors;
  size_t done = 0;
  for (; done < operations.size(); ++done) {
    const Operation& op = operations[done];
    const std::string error = run(gateway, op);
    if (error.empty()) continue;
    errors.push_back({key_of(op), error});
    break;
  }
  if (!errors.empty()) {
    while (done-- > 0) {
      const Operation undo = opposite(operations[done]);
      const std::string error = run(gateway, undo);
      if (!error.empty()) errors.push_back({key_of(undo), "could not be undone: " + error});
    }
  }
  gateway.commit();
  return errors;
}

std::vector<config::ApplyError> apply_config(Gateway& gateway, const config::Config& before,
                                             const config::Config& after) {
  return apply_operations(gateway, config::diff_config(before, after));
}

}  // namespace causeway
