// tnl/neigh/show and ovs/route/show: where tunnels' packets go. An underlay stands where OVS has the bridge that holds
// the tunnels' address.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>

#include "control/config/address_text.h"
#include "control/unixctl/commands.h"
#include "control/view/values.h"

namespace causeway::unixctl {
namespace {

// One bit each: there may be thousands. Of those that are known.
Answer show_neighbors(const Context& context, const Arguments&) {
  const Gateway& gateway = context.gateway;
  Answer answer = Answer::in_bits([&gateway, last = NextHop()](std::string& text) mutable {
    const auto& neighbors = gateway.neighbors().all();
    const auto next = neighbors.upper_bound(last);
    if (next == neighbors.end()) return false;
    const auto& [hop, neighbor] = *next;
    last = hop;
    if (!neighbor.usable()) return true;
    text += fmt::format("{:<46}{}   {}{}\n", to_string(hop.address), to_string(neighbor.mac),
                        underlay_name(gateway, hop.port), neighbor.state == Neighbors::State::probing ? " STALE" : "");
    return true;
  });
  answer.text =
      "IP                                            MAC                 Bridge\n"
      "==========================================================================\n";
  return answer;
}

// " SRC ADDRESS"; "": there is none.
std::string source_text(const std::optional<IpAddress>& source) {
  return source && !source->is_unspecified() ? " SRC " + to_string(*source) : "";
}

// Of the host's, as OVS has them.
std::string host_routes_of(const Gateway& gateway, const HostRoutes::Key& key,
                           const std::vector<HostRoutes::Route>& routes) {
  std::string text;
  for (const HostRoutes::Route& route : routes) {
    for (const NextHop& hop : gateway.underlay().followed(key.table, route)) {
      const std::string router = hop.address.is_unspecified() ? "" : " GW " + to_string(hop.address);
      text += fmt::format("Cached: {} dev {}{}{}\n", to_string(key.to), underlay_name(gateway, hop.port), router,
                          source_text(route.source));
    }
  }
  return text;
}

// As OVS sorts them: what follows of addresses is "Cached", what somebody has given is "User".
std::string routes_of(PortIndex index, const Underlay::Port& port, const Underlay& underlay) {
  std::string text;
  for (const IpPrefix& own : port.addresses) {
    const std::string address = to_string(own.address);
    text +=
        fmt::format("Cached: {}/{} dev {} SRC {} local\n", address, own.address.is_v4() ? 32 : 128, port.name, address);
    if (!port.link_up || port.host) continue;
    text += fmt::format("Cached: {} dev {} SRC {}\n", to_string(network_of(own)), port.name, address);
  }
  for (const config::Route& route : port.routes) {
    if (!port.link_up) break;
    text += fmt::format("User: {} dev {} GW {}{}\n", to_string(network_of(route.to)), port.name, to_string(route.via),
                        source_text(underlay.source_for(index, route.via)));
  }
  return text;
}

Answer show_routes(const Context& context, const Arguments&) {
  const Gateway& gateway = context.gateway;
  const Underlay& underlay = gateway.underlay();
  Answer answer = Answer::in_bits([&gateway, last = HostRoutes::Key()](std::string& text) mutable {
    const auto& routes = gateway.host_routes().all();
    const auto next = routes.upper_bound(last);
    if (next == routes.end()) return false;
    last = next->first;
    text += host_routes_of(gateway, next->first, next->second);
    return true;
  });
  answer.text = "Route Table:\n";
  for (const auto& [index, port] : underlay.all()) answer.text += routes_of(index, port, underlay);
  return answer;
}

constexpr Command kCommands[] = {
    {"ovs/route/show", "", 0, 0, show_routes},
    {"tnl/neigh/show", "", 0, 0, show_neighbors},
};

}  // namespace

std::span<const Command> underlay_commands() { return kCommands; }

}  // namespace causeway::unixctl
