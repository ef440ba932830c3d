// `show routes`: what tunnels are routed by: networks of underlays' addresses, static routes, and those of the host's
// that count.
#include "control/config/address_text.h"
#include "control/config/value_text.h"
#include "control/view/tables.h"
#include "control/view/values.h"

namespace causeway {
namespace {

using nlohmann::json;
using enum ColumnKind;

struct RouteView {
  const Gateway& gateway;
  std::string from;
  IpPrefix to;
  uint32_t metric = 0;
  std::vector<NextHop> next_hops{};  // none: it says that nothing goes there
};

using Add = std::function<void(const RouteView& view)>;

void add_own(const Gateway& gateway, PortIndex index, const Underlay::Port& port, const Add& add) {
  if (port.host) return;
  for (const IpPrefix& own : port.addresses) {
    add({gateway, "connected", network_of(own), 0, {{index, {}}}});
  }
  for (const config::Route& route : port.routes) {
    add({gateway, "static", route.to, route.metric, {{index, route.via}}});
  }
}

void add_followed(const Gateway& gateway, const HostRoutes::Key& key, const std::vector<HostRoutes::Route>& routes,
                  const Add& add) {
  for (const HostRoutes::Route& route : routes) {
    std::vector<NextHop> hops = gateway.underlay().followed(key.table, route);
    if (hops.empty() && !gateway.host_routes().leads_nowhere(route)) continue;
    add({gateway, "table " + config::table_text(key.table), key.to, route.metric, std::move(hops)});
  }
}

RecordStream<RouteView> route_views(const Running& running) {
  const Gateway& gateway = running.gateway;
  auto own = records_of<RouteView>(
      gateway.underlay().all(),
      [&gateway](PortIndex index, const Underlay::Port& port, const Add& add) { add_own(gateway, index, port, add); });
  auto followed = records_of<RouteView>(
      gateway.host_routes().all(), [&gateway](const HostRoutes::Key& key, const std::vector<HostRoutes::Route>& routes,
                                              const Add& add) { add_followed(gateway, key, routes, add); });
  return [own = std::move(own), followed = std::move(followed)](const Add& add) { return own(add) || followed(add); };
}

json via_json(const RouteView& view) {
  json list = json::array();
  for (const NextHop& hop : view.next_hops) {
    list.push_back(hop.address.is_unspecified() ? "on the link" : to_string(hop.address));
  }
  return list.empty() ? json("nowhere") : list;
}

json ports_json(const RouteView& view) {
  json list = json::array();
  for (const NextHop& hop : view.next_hops) list.push_back(underlay_name(view.gateway, hop.port));
  return list;
}

constexpr Column<RouteView> kColumns[] = {
    {{"to", "TO", text, "", "The network that it leads to."},
     [](const RouteView& view) -> json { return to_string(view.to); }},
    {{"via", "VIA", text, "", "Its next hops; nowhere: the host's kernel throws away what goes there."}, via_json},
    {{"ports", "PORTS", text, "", "The underlay ports of these."}, ports_json},
    {{"metric", "METRIC", gauge, "", "Of routes to one network from one place the lowest counts."},
     [](const RouteView& view) -> json { return view.metric; }},
    {{"from", "FROM", text, "", "Who has it: an underlay's address, the file, or a routing table of the host's."},
     [](const RouteView& view) -> json { return view.from; }},
};

}  // namespace

Table routes_table() { return table_of(kColumns, route_views); }

}  // namespace causeway
