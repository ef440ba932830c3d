// `show fdb`: which MAC lives where.
#include "control/config/address_text.h"
#include "control/view/tables.h"
#include "control/view/values.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct MacView {
  const Gateway& gateway;
  const Fdb::Entry& entry;
  const Adjacencies::Owner& owner;  // of the place where it lives
};

RecordStream<MacView> mac_views(const Running& running) {
  static constexpr uint32_t kSlots = 64;  // at a time
  const Gateway& gateway = running.gateway;
  return [&gateway, cursor = gateway.fdb().begin()](const auto& add) mutable {
    return gateway.fdb().visit_next(cursor, kSlots, gateway.now_s(), [&](const Fdb::Entry& entry) {
      add({gateway, entry, gateway.adjacencies().owner(entry.exit)});
    });
  };
}

constexpr Column<MacView> kColumns[] = {
    {{"bridge", "BRIDGE", text, "", "The bridge that it is known in."},
     [](const MacView& view) -> json { return view.gateway.bridges().name_of(view.entry.bridge); }},
    {{"vlan", "VLAN", text, "", "The VLAN that it is known in; 0: untagged."},
     [](const MacView& view) -> json { return vlan_of(view.entry.key); }},
    {{"mac", "MAC", text, "", "The MAC address."},
     [](const MacView& view) -> json { return to_string(mac_of(view.entry.key)); }},
    {{"port", "PORT", text, "", "The port or tunnel that it lives behind."},
     [](const MacView& view) -> json { return view.owner.interface; }},
    {{"remote", "REMOTE", text, "", "The remote of the tunnel that it lives behind."},
     [](const MacView& view) { return remote_json(view.owner); }},
    {{"type", "TYPE", text, "", "`static`, `evpn`: named by a fabric, or `dynamic`: learnt."},
     [](const MacView& view) -> json {
       return view.entry.of_fabric ? "evpn" : view.entry.is_static ? "static" : "dynamic";
     }},
    {{"age_s", "AGE S", gauge, "seconds", "How long it has been silent; 0 of what doesn't age."},
     [](const MacView& view) -> json { return view.entry.age_s; }},
};

}  // namespace

Table fdb_table() { return table_of(kColumns, mac_views); }

}  // namespace causeway
