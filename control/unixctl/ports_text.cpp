#include "control/unixctl/ports_text.h"

#include <fmt/format.h>

#include <map>

#include "control/config/address_text.h"

namespace causeway::unixctl {
namespace {

std::string_view type_of(const config::Tunnel& settings) {
  if (over_udp(settings.mode) || settings.mode == TunnelType::nvgre) return row_of(settings.mode).name;
  if (settings.mode == TunnelType::erspan) return settings.local.is_v4() ? "erspan" : "ip6erspan";
  return settings.local.is_v4() ? "gre" : "ip6gre";
}

// As options of the Interface's row (ovs-vswitchd.conf.db(5)).
std::map<std::string_view, std::string> options_of(const config::Tunnel& settings) {
  std::map<std::string_view, std::string> options{{"local_ip", to_string(settings.local)}};
  if (settings.id && settings.sent_id) {
    options["in_key"] = std::to_string(*settings.id);
    options["out_key"] = std::to_string(*settings.sent_id);
  } else if (settings.id) {
    options["key"] = std::to_string(*settings.id);
  }
  for (const IpAddress& remote : settings.remotes) {
    std::string& remotes = options["remote_ip"];
    remotes += (remotes.empty() ? "" : "+") + to_string(remote);
  }
  if (settings.port != row_of(settings.mode).udp_port) options["dst_port"] = std::to_string(settings.port);
  if (settings.checksum) options["csum"] = *settings.checksum ? "true" : "false";
  if (settings.sequence) options["seq"] = "true";
  if (settings.is_erspan(2)) {
    options["erspan_ver"] = "1";  // the header's
    options["erspan_idx"] = fmt::format("{:#x}", settings.erspan_index);
  }
  if (settings.ttl != config::Tunnel().ttl) options["ttl"] = std::to_string(settings.ttl);
  if (settings.tos_inherit) {
    options["tos"] = "inherit";
  } else if (settings.tos != 0) {
    options["tos"] = fmt::format("{:#x}", settings.tos);
  }
  return options;
}

}  // namespace

std::string port_text(std::string_view bridge, const std::string& interface, const PortNumbers& numbers) {
  if (interface == bridge) return "LOCAL";
  const auto known = numbers.find(interface);
  return known != numbers.end() ? std::to_string(known->second) : interface;
}

std::string type_text(const Gateway& gateway, const std::string& interface) {
  if (const Ports::Record* const port = gateway.ports().find(interface)) {
    if (port->port == nullptr) return {};
    const std::string_view kind = port->port->kind();
    return std::string(kind == "packet" ? "system" : kind);
  }
  const Tunnels::Tunnel* const tunnel = gateway.tunnels().find(interface);
  if (tunnel == nullptr) return {};
  std::string text(type_of(tunnel->settings));
  char before = ':';
  for (const auto& [option, value] : options_of(tunnel->settings)) {
    text += fmt::format("{} {}={}", before, option, value);
    before = ',';
  }
  return text;
}

}  // namespace causeway::unixctl
