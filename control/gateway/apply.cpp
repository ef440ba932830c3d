#include "control/gateway/apply.h"

#include <set>
#include <string>
#include <tuple>

namespace causeway {
namespace {

using config::Operation;
using config::Thing;
using config::Verb;

Error run_on_ethernet(Gateway& gateway, const Operation& op) {
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
Error run(Gateway& gateway, const Operation& op) {
  const bool adds = op.kind.verb == Verb::add;
  const bool removes = op.kind.verb == Verb::remove;
  switch (op.kind.thing) {
    case Thing::system:
      return config::needs_restart(op.name) ? Error("needs a restart of causewayd") : Error();
    case Thing::ethernet:
    case Thing::vlan:
    case Thing::host_path:
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
      std::ignore = gateway.remove_static_mac(op.bridge, *op.static_mac.before);  // it may have gone by hand
      return {};
    case Thing::sflow:
      gateway.set_sflow(op.sflow.after);
      return {};
    case Thing::mirror:
      removes ? gateway.remove_mirror(op.name) : gateway.set_mirror(op.name, *op.mirror.after);
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
    const Error error = run(gateway, op);
    if (!error) continue;
    errors.push_back({key_of(op), error.text()});
    break;
  }
  if (!errors.empty()) {
    while (done-- > 0) {
      const Operation undo = opposite(operations[done]);
      const Error error = run(gateway, undo);
      if (error) errors.push_back({key_of(undo), "could not be undone: " + error.text()});
    }
  }
  gateway.commit();
  return errors;
}

std::vector<FailedOperation> apply_each(Gateway& gateway, const std::vector<Operation>& operations) {
  std::vector<FailedOperation> failed;
  std::set<std::string> lost;  // interfaces and bridges that aren't there
  for (size_t i = 0; i < operations.size(); ++i) {
    const Operation& op = operations[i];
    const bool contents = op.kind.thing == Thing::member || op.kind.thing == Thing::static_mac;
    if (contents && (lost.contains(op.name) || lost.contains(op.bridge))) continue;
    const Error error = run(gateway, op);
    if (!error) continue;
    failed.push_back({i, error.text()});
    if (op.kind.verb == Verb::add && !contents) lost.insert(op.name);
  }
  gateway.commit();
  return failed;
}

config::Config without_failed(const config::Config& after, const std::vector<Operation>& operations,
                              const std::vector<FailedOperation>& failed) {
  config::Config config = after;
  const auto leave_others = [&](const std::string& interface) {
    for (auto& [name, bridge] : config.bridges) {
      std::erase(bridge.interfaces, interface);
      std::erase_if(bridge.static_macs, [&](const config::StaticMac& mac) { return mac.port == interface; });
    }
    for (auto& [name, mirror] : config.mirrors) {
      std::erase(mirror.select_src_port, interface);
      std::erase(mirror.select_dst_port, interface);
    }
    std::erase_if(config.mirrors, [&](const auto& item) {
      const config::Mirror& mirror = item.second;
      return mirror.output_port == interface ||
             (!mirror.select_all && mirror.select_src_port.empty() && mirror.select_dst_port.empty());
    });
  };
  // As it was, or gone.
  const auto undo = [&](auto& section, const std::string& name, const auto* before) {
    section.erase(name);
    if (before != nullptr) section.emplace(name, *before);
  };
  for (const FailedOperation& failure : failed) {
    const Operation& op = operations[failure.number];
    switch (op.kind.thing) {
      case Thing::system:  // the same in both
      case Thing::sflow:   // never fails
        break;
      case Thing::ethernet:
      case Thing::vlan:
      case Thing::host_path:
        undo(config.ethernets, op.name, op.ethernet.before);
        if (op.ethernet.before == nullptr) leave_others(op.name);
        break;
      case Thing::tunnel:
        undo(config.tunnels, op.name, op.tunnel.before);
        if (op.tunnel.before == nullptr) leave_others(op.name);
        break;
      case Thing::bridge:
        undo(config.bridges, op.name, op.bridge_parameters.before);
        break;
      case Thing::member:
        if (const auto bridge = config.bridges.find(op.bridge); bridge != config.bridges.end()) {
          std::erase(bridge->second.interfaces, op.name);
        }
        break;
      case Thing::static_mac:
        if (const auto bridge = config.bridges.find(op.bridge); bridge != config.bridges.end()) {
          if (op.static_mac.after != nullptr) std::erase(bridge->second.static_macs, *op.static_mac.after);
        }
        break;
      case Thing::mirror:  // nothing in it fails
        break;
    }
  }
  return config;
}

std::vector<config::ApplyError> apply_config(Gateway& gateway, const config::Config& before,
                                             const config::Config& after) {
  return apply_operations(gateway, config::diff_config(before, after));
}

}  // namespace causeway
