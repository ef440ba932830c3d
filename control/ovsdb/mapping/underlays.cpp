#include "control/ovsdb/mapping/underlays.h"

#include <algorithm>

#include "control/config/address_text.h"
#include "dataplane/wire/link_local.h"

namespace causeway::ovsdb {

Underlays::Underlays(const config::Config& yaml, const Host& host) : host_(host) {
  for (const auto& [name, ethernet] : yaml.ethernets) {
    for (const IpPrefix& own : ethernet.addresses) {
      reached_.push_back(network_of(own));
      if (!is_link_local(own.address)) own_.insert(own.address);
    }
    for (const config::Route& route : ethernet.routes) reached_.push_back(route.to);
    if (!ethernet.route_tables.empty()) followers_.insert(ethernet.host_interface(name));
  }
}

std::optional<std::string> Underlays::find(const IpAddress& remote) const {
  const bool reached = std::ranges::any_of(reached_, [&](const IpPrefix& prefix) { return prefix.contains(remote); });
  if (reached || !host_.interface_to) return std::nullopt;
  auto interface = host_.interface_to(remote);
  return interface && followers_.contains(*interface) ? std::nullopt : interface;
}

std::optional<std::string> Underlays::interface_to(const IpAddress& remote) {
  const auto [entry, is_new] = known_.try_emplace(remote);
  if (is_new) entry->second = find(remote);
  return entry->second;
}

}  // namespace causeway::ovsdb
