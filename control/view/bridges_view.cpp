// `show bridges`.
#include "control/view/tables.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct BridgeView {
  const std::string& name;
  const Bridges::Bridge& bridge;
  const Fdb::BridgeState& macs;
  const Hosts::BridgeState* hosts;
  uint64_t answered;  // by all workers

  bool suppresses() const { return hosts != nullptr && hosts->suppresses; }
};

uint64_t answered_in(const Gateway& gateway, BridgeIndex bridge) {
  uint64_t answered = 0;
  for (const auto& worker : gateway.workers()) answered += worker->counters().answered[bridge].get();
  return answered;
}

RecordStream<BridgeView> bridge_views(const Running& running) {
  const Gateway& gateway = running.gateway;
  return records_of<BridgeView>(gateway.bridges().all(),
                                [&gateway](const std::string& name, const Bridges::Bridge& bridge, const auto& add) {
                                  add({name, bridge, gateway.fdb().bridge(bridge.index),
                                       gateway.hosts().bridge(bridge.index), answered_in(gateway, bridge.index)});
                                });
}

json interfaces_json(const BridgeView& view) {
  json interfaces = json::array();
  for (const auto& [interface, adjacencies] : view.bridge.members) interfaces.push_back(interface);
  return interfaces;
}

constexpr Column<BridgeView> kColumns[] = {
    {{"name", "NAME", text, "", "The bridge's name."}, [](const BridgeView& view) -> json { return view.name; }},
    {{"interfaces", "INTERFACES", text, "", "The ports and tunnels in it."}, interfaces_json},
    {{"macs", "MACS", gauge, "MACs", "How many MACs are known in it."},
     [](const BridgeView& view) -> json { return view.macs.macs; }},
    {{"max_macs", "MAX MACS", gauge, "MACs", "How many MACs may be known in it."},
     [](const BridgeView& view) -> json { return view.macs.max_macs; }},
    {{"macs_refused", "MACS REFUSED", counter, "MACs", "How often a MAC wasn't learnt as there were too many."},
     [](const BridgeView& view) -> json { return view.macs.refused; }},
    {{"mac_moves", "MAC MOVES", counter, "moves", "How often a MAC has moved to another interface."},
     [](const BridgeView& view) -> json { return view.macs.moves; }},
    {{"hosts", "HOSTS", gauge, "hosts",
      "Of how many hosts questions are answered (`arp-nd-suppress`); null: of none, it is off."},
     [](const BridgeView& view) { return view.suppresses() ? json(view.hosts->published) : json(); }},
    {{"hosts_refused", "", counter, "hosts",
      "How often a host on a port was not taken note of as there were too many."},
     [](const BridgeView& view) { return view.suppresses() ? json(view.hosts->refused) : json(); }},
    {{"answered", "ANSWERED", counter, "requests", "ARP and ND requests that were answered and not flooded."},
     [](const BridgeView& view) { return view.suppresses() ? json(view.answered) : json(); }},
    {{"ageing_time_s", "AGEING TIME S", gauge, "seconds", "How long a silent MAC is remembered; 0: for ever."},
     [](const BridgeView& view) -> json { return view.bridge.settings.ageing_time_s; }},
};

}  // namespace

Table bridges_table() { return table_of(kColumns, bridge_views); }

}  // namespace causeway
