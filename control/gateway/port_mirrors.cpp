#include "control/gateway/port_mirrors.h"

#include <utility>

namespace causeway {
namespace {

void add(std::vector<bool>& set, size_t index) {
  if (set.size() <= index) set.resize(index + 1);
  set[index] = true;
}

}  // namespace

PortMirrors::Counts PortMirrors::Record::totals() const {
  Counts totals;
  for (const MirrorCounts& worker : *counts) {
    totals.sent += worker.sent.get();
    totals.lost += worker.lost.get();
  }
  return totals;
}

void PortMirrors::set(const std::string& name, const config::Mirror& settings) {
  Record& record = all_[name];
  record.settings = settings;
  if (!record.counts) record.counts = std::make_shared<std::vector<MirrorCounts>>(workers_);
}

void PortMirrors::mark(const std::string& interface, std::vector<bool>& ports, std::vector<bool>& tunnels) const {
  if (const Ports::Record* const port = ports_.find(interface)) return add(ports, port->index);
  if (tunnels_.find(interface) == nullptr) return;
  for (const AdjacencyIndex end : tunnels_.adjacencies(interface)) add(tunnels, end);
}

MirrorChoice PortMirrors::choice_of(const config::Mirror& settings) const {
  MirrorChoice choice;
  for (const std::string& name : settings.select_src_port) mark(name, choice.ports_in, choice.tunnels_in);
  for (const std::string& name : settings.select_dst_port) mark(name, choice.ports_out, choice.tunnels_out);
  if (settings.select_all) {
    // A bridge's frames have all come in somewhere: there they are looked at, once.
    for (const auto& [name, bridge] : bridges_.all()) {
      for (const auto& [interface, ends] : bridge.members) mark(interface, choice.ports_in, choice.tunnels_in);
    }
  }
  for (const uint16_t vlan : settings.select_vlan) add(choice.vlans, vlan);
  choice.output_vlan = settings.output_vlan;
  if (const Ports::Record* const port = ports_.find(settings.output_port)) {
    if (port->adjacency != kNoAdjacency) choice.outputs = {port->adjacency};
  } else if (tunnels_.find(settings.output_port) != nullptr) {
    choice.outputs = tunnels_.flooded(settings.output_port);
  }
  return choice;
}

void PortMirrors::commit() {
  if (all_.empty() && published_.empty()) return;
  std::map<std::string, MirrorChoice> wanted;
  for (const auto& [name, record] : all_) wanted.emplace(name, choice_of(record.settings));
  if (wanted == published_) return;
  published_ = std::move(wanted);
  if (all_.empty()) return looks_.set_mirrors(nullptr);
  std::vector<Mirror> mirrors;
  for (const auto& [name, record] : all_) mirrors.push_back({published_.at(name), record.counts});
  looks_.set_mirrors(std::make_shared<Mirrors>(tables_, pool_, workers_, std::move(mirrors)));
}

}  // namespace causeway
