// `show multicast`: the groups that underlay ports are members of.
#include "control/config/address_text.h"
#include "control/view/tables.h"
#include "control/view/values.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct GroupView {
  const Gateway& gateway;
  PortIndex port;
  const IpAddress& address;
  const Memberships::Group& group;
  Memberships::Querier querier;
};

RecordStream<GroupView> group_views(const Running& running) {
  const Gateway& gateway = running.gateway;
  return records_of<GroupView>(
      gateway.memberships().all(), [&gateway](const auto& key, const Memberships::Group& group, const auto& add) {
        const auto& [port, address] = key;
        add({gateway, port, address, group, gateway.memberships().querier(port, address.is_v6())});
      });
}

json protocol_json(const GroupView& view) {
  const bool old = view.querier.old(Memberships::Clock::now());
  if (view.address.is_v4()) return old ? "IGMPv2" : "IGMPv3";
  return old ? "MLDv1" : "MLDv2";
}

constexpr Column<GroupView> kColumns[] = {
    {{"port", "PORT", text, "", "The underlay port that is a member."},
     [](const GroupView& view) -> json { return underlay_name(view.gateway, view.port); }},
    {{"group", "GROUP", text, "", "The group's address."},
     [](const GroupView& view) -> json { return to_string(view.address); }},
    {{"protocol", "PROTOCOL", text, "", "What is spoken, as the querier wants it."}, protocol_json},
    {{"state", "STATE", text, "", "`member` or `leaving`."},
     [](const GroupView& view) -> json { return view.group.users != 0 ? "member" : "leaving"; }},
    {{"tunnels", "TUNNELS", gauge, "tunnels", "How many tunnels want it."},
     [](const GroupView& view) -> json { return view.group.users; }},
    {{"querier", "QUERIER", text, "", "Who asks for members on that port."},
     [](const GroupView& view) { return view.querier.address ? json(to_string(*view.querier.address)) : json(); }},
};

}  // namespace

Table multicast_table() { return table_of(kColumns, group_views); }

}  // namespace causeway
