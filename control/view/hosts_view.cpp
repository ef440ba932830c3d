// `show hosts`: whose IP addresses are where, in bridges that suppress ARP and ND.
#include <chrono>

#include "control/config/address_text.h"
#include "control/view/tables.h"
#include "control/view/values.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct HostView {
  const Gateway& gateway;
  const HostKey& key;
  const Hosts::Host& host;
  const Adjacencies::Owner* owner;  // of the place where its MAC lives; null: nowhere
};

RecordStream<HostView> host_views(const Running& running) {
  const Gateway& gateway = running.gateway;
  return records_of<HostView>(gateway.hosts().all(),
                              [&gateway](const HostKey& key, const Hosts::Host& host, const auto& add) {
                                const auto entry = gateway.fdb().find(key.bridge, mac_vlan(host.mac(), key.vlan));
                                add({gateway, key, host, entry ? &gateway.adjacencies().owner(entry->exit) : nullptr});
                              });
}

json age_json(const HostView& view) {
  if (view.host.source() != HostSource::snooped) return 0;
  const auto age = Hosts::Clock::now() - view.host.snooped->confirmed;
  return std::chrono::duration_cast<std::chrono::seconds>(age).count();
}

constexpr Column<HostView> kColumns[] = {
    {{"bridge", "BRIDGE", text, "", "The bridge that it is in."},
     [](const HostView& view) -> json { return view.gateway.bridges().name_of(view.key.bridge); }},
    {{"vlan", "VLAN", text, "", "The VLAN that it is in; 0: untagged."},
     [](const HostView& view) -> json { return view.key.vlan; }},
    {{"ip", "IP", text, "", "Its IP address."}, [](const HostView& view) -> json { return to_string(view.key.ip); }},
    {{"mac", "MAC", text, "", "Its MAC address."},
     [](const HostView& view) -> json { return to_string(view.host.mac()); }},
    {{"port", "PORT", text, "",
      "The port or tunnel that its MAC lives behind; null: nobody knows, and it is asked for."},
     [](const HostView& view) { return view.owner != nullptr ? json(view.owner->interface) : json(); }},
    {{"remote", "REMOTE", text, "", "The remote of the tunnel that it lives behind."},
     [](const HostView& view) { return view.owner != nullptr ? remote_json(*view.owner) : json(); }},
    {{"source", "SOURCE", text, "", "Who says so: `binding`, `fabric`, or itself: `snooped`."},
     [](const HostView& view) -> json { return to_string(view.host.source()); }},
    {{"state", "STATE", text, "",
      "`known` and `probing`: who asks for it gets the answer; `verifying` and `disputed`: not."},
     [](const HostView& view) -> json { return to_string(view.host.state(Hosts::Clock::now())); }},
    {{"age_s", "AGE S", gauge, "seconds", "How long it has said nothing; 0 where others say so."}, age_json},
};

}  // namespace

Table hosts_table() { return table_of(kColumns, host_views); }

}  // namespace causeway
