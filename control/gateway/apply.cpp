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

void Apply::step() {
  if (!undoing_) {
    const std::string error = run(gateway_, operations_[done_]);
    if (error.empty()) {
      ++done_;
    } else {
      errors_.push_back({key_of(operations_[done_]), error});
      undoing_ = true;
    }
    return;
  }
  const Operation undo = opposite(operations_[--done_]);
  const std::string error = run(gateway_, undo);
  if (!error.empty()) errors_.push_back({key_of(undo), "could not be undone: " + error});
}

bool Apply::run_for(std::chrono::nanoseconds budget) {
  const auto is_done = [&] { return done_ == (undoing_ ? 0 : operations_.size()); };
  const auto end = std::chrono::steady_clock::now() + budget;
  while (!is_done()) {
    step();
    if (std::chrono::steady_clock::now() >= end) break;
  }
  gateway_.commit();
  return is_done();
}

std::vector<config::ApplyError> apply_config(Gateway& gateway, const config::Config& before,
                                             const config::Config& after) {
  const std::vector<Operation> operations = config::diff_config(before, after);
  Apply apply(gateway, operations);
  while (!apply.run_for(std::chrono::hours(1))) {
  }
  return apply.errors();
}

}  // namespace causeway
