// The tunnels section.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "control/config/address_text.h"
#include "control/yaml/sections.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/host_address.h"
#include "dataplane/wire/link_local.h"

namespace causeway::config {
namespace {

constexpr size_t kLongestName = 63;
// What an OuterTemplate has room for behind Ethernet, IPv6, UDP and GENEVE.
constexpr size_t kMaxOptionsBytes = 56;

// RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3.
bool is_loopback(const IpAddress& ip) {
  return ip.is_v4() ? ip.bytes[12] == 127 : ip == IpAddress{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
}

std::string_view name_of(TunnelType type) { return row_of(type).name; }

std::vector<TunnelType> every_tunnel_type() {
  std::vector<TunnelType> types;
  for (const TunnelTypeRow& row : kTunnelTypes) {
    if (row.type != TunnelType::none) types.push_back(row.type);
  }
  return types;
}

}  // namespace

void Sections::read_tunnels(const Value& section) {
  section.for_each_entry([&](std::string_view name, const Value& value) {
    if (!add_interface("tunnels", name, value, kLongestName)) return;
    Tunnel tunnel;
    const size_t errors = diagnostics_.count();
    read_tunnel(name, value, tunnel);
    if (diagnostics_.count() == errors) check_tunnel_is_alone(name, value, tunnel);
    if (diagnostics_.count() == errors) check_gre_keys(name, value, tunnel);
    config_.tunnels.emplace(name, std::move(tunnel));
  });
}

void Sections::read_tunnel(std::string_view name, const Value& value, Tunnel& tunnel) {
  static constexpr std::string_view kKeys[] = {"mode",          "id",
                                               "key",           "local",
                                               "remote",        "port",
                                               "ttl",           "tos",
                                               "checksum",      "udp6-zero-checksum-rx",
                                               "isolated",      "link",
                                               "options",       "mss-clamp",
                                               "allow-from",    "keys",
                                               "match-options", "vlan",
                                               "max-macs",      "flood-rate",
                                               "sequence",      "path-mtu"};
  const Fields fields(value, kKeys);
  fields.require({"mode", "local", "remote"});
  const auto mode = fields.find("mode");
  static const std::vector<TunnelType> kTypes = every_tunnel_type();
  const auto type = mode ? mode->tunnel_type(kTypes) : std::nullopt;
  if (type) {
    tunnel.mode = *type;
    read_tunnel_id(fields, tunnel);
    read_tunnel_port(name, fields, tunnel);
  }
  if (const auto local = fields.find("local")) {
    read_local(*local, tunnel);
    // Without a local address there is nothing to compare remotes with.
    const auto remote = fields.find("remote");
    if (remote && !tunnel.local.is_unspecified()) read_remotes(*remote, tunnel);
  }
  read_group(fields, tunnel);
  fields.number("ttl", tunnel.ttl, 1, 255);
  if (const auto tos = fields.find("tos")) {
    tunnel.tos_inherit = tos->is_text() && tos->text("") == "inherit";
    if (!tunnel.tos_inherit) fields.number("tos", tunnel.tos, 0, 255);
  }
  fields.boolean("checksum", tunnel.checksum);
  fields.boolean("udp6-zero-checksum-rx", tunnel.allow_zero_checksum);
  fields.boolean("sequence", tunnel.sequence);
  if (type) {
    const auto only = [&](const char* key, TunnelType mode) {
      const auto value = tunnel.mode != mode ? fields.find(key) : std::nullopt;
      if (value) value->key_error(fmt::format("only {} has this key, not {}", name_of(mode), name_of(tunnel.mode)));
    };
    only("udp6-zero-checksum-rx", TunnelType::geneve);
    only("options", TunnelType::geneve);
    only("sequence", TunnelType::gretap);
  }
  if (const auto options = fields.find("options"); options && type && tunnel.mode == TunnelType::geneve) {
    read_options(*options, tunnel);
  }
  fields.boolean("match-options", tunnel.match_options);
  if (const auto match = fields.find("match-options"); match && tunnel.match_options && tunnel.options.empty()) {
    match->error("the tunnel has no options to match");
  }
  if (const auto checksum = fields.find("checksum"); checksum && type && !row_of(tunnel.mode).checksum_optional) {
    checksum->key_error("NVGRE has no checksum (RFC 7637 section 3.2)");
  }
  fields.mss_clamp(tunnel.mss_clamp);
  if (const auto value = fields.find("path-mtu")) {
    if (const auto word = value->word({"auto", "off"})) tunnel.path_mtu = *word == 0;
  }
  read_limits(fields, tunnel.limits);
  read_port_vlan(fields, tunnel.vlan);
}

void Sections::read_tunnel_id(const Fields& fields, Tunnel& tunnel) {
  const auto id = fields.find("id");
  const auto key = fields.find("key");
  const auto keys = fields.find("keys");
  if (id && key) return key->key_error("'id' and 'key' are the same: give one of them");
  if (keys && (id || key)) return keys->key_error("'keys' stands for 'id' and 'key': give one of them");
  const TunnelTypeRow& type = row_of(tunnel.mode);
  if (!id && !key && !keys && !type.id_optional) fields.require({"id"});
  if (!keys) return fields.number(id ? "id" : "key", tunnel.id, type.lowest_id, type.highest_id);
  static constexpr std::string_view kDirections[] = {"input", "output"};
  const Fields directions(*keys, kDirections);
  directions.require({"input", "output"});
  directions.number("input", tunnel.id, type.lowest_id, type.highest_id);
  directions.number("output", tunnel.sent_id, type.lowest_id, type.highest_id);
  if (tunnel.sent_id == tunnel.id) tunnel.sent_id.reset();
}

// A UDP port tells what stands behind it, so it is of one mode on all tunnels.
void Sections::read_tunnel_port(std::string_view name, const Fields& fields, Tunnel& tunnel) {
  const auto port = fields.find("port");
  if (!over_udp(tunnel.mode)) {
    if (port) port->key_error(fmt::format("{} has no port", name_of(tunnel.mode)));
    return;
  }
  tunnel.port = row_of(tunnel.mode).udp_port;
  fields.number("port", tunnel.port, 1, 65535);
  const Value& place = port ? *port : fields.mapping();
  const auto [first, is_new] = udp_ports_.try_emplace(tunnel.port, tunnel.mode, Owner{name, place.place().line});
  const auto& [mode, owner] = first->second;
  if (!is_new && mode != tunnel.mode) {
    place.key_error(fmt::format("UDP port {} is {} on tunnels.{}, line {}: it cannot be {} too", tunnel.port,
                                name_of(mode), owner.name, owner.line, name_of(tunnel.mode)));
  }
}

void Sections::read_options(const Value& value, Tunnel& tunnel) {
  static constexpr std::string_view kKeys[] = {"class", "type", "data"};
  size_t bytes = 0;
  value.for_each_item([&](const Value& item) {
    const Fields fields(item, kKeys);
    fields.require({"class", "type"});
    config::GeneveOption option;
    fields.number("class", option.option_class, 0, UINT16_MAX);
    fields.number("type", option.type, 0, UINT8_MAX);
    if (const auto data = fields.find("data")) {
      if (const auto read = data->hex()) option.data = *read;
      if (option.data.size() % 4 != 0)
        data->error(fmt::format("{} bytes: options are whole words of 4", option.data.size()));
    }
    bytes += 4 + option.data.size();
    tunnel.options.push_back(std::move(option));
  });
  if (bytes > kMaxOptionsBytes) {
    value.error(fmt::format("{} bytes of options, headers included: at most {} fit", bytes, kMaxOptionsBytes));
  }
}

// What only a multicast tunnel has, or mustn't have.
void Sections::read_group(const Fields& fields, Tunnel& tunnel) {
  fields.boolean("isolated", tunnel.isolated);
  if (tunnel.remotes.empty()) return;
  if (!tunnel.group()) {
    for (const char* key : {"link", "allow-from"}) {
      if (const auto value = fields.find(key))
        value->key_error("only a tunnel whose remote is a multicast group has this key");
    }
    return;
  }
  if (const auto isolated = fields.find("isolated"); isolated && !tunnel.isolated) {
    isolated->error("the members of a multicast group hear each other: nothing may be forwarded between them");
  }
  if (const auto link = fields.find("link")) {
    const auto name = link->text("the name of an ethernet");
    const auto found = name ? interfaces_.find(*name) : interfaces_.end();
    if (name && (found == interfaces_.end() || !found->second.underlay)) {
      link->error(fmt::format("{} is no ethernet with addresses", quote(*name)));
    } else if (name) {
      tunnel.link = *name;
    }
  }
  if (const auto prefixes = fields.find("allow-from")) {
    prefixes->for_each_item([&](const Value& item) {
      const auto prefix = item.prefix();
      if (!prefix) return;
      if (prefix->address.is_v4() != tunnel.local.is_v4()) {
        return item.error(
            fmt::format("{} and local {} are of different IP versions", to_string(*prefix), to_string(tunnel.local)));
      }
      tunnel.allow_from.push_back(network_of(*prefix));
    });
  }
}

void Sections::read_local(const Value& value, Tunnel& tunnel) {
  const auto ip = value.address();
  if (!ip) return;
  tunnel.local = *ip;
  if (!own_addresses_complete_) return;
  const auto [first, last] = own_addresses_.equal_range(*ip);
  if (first == last) return value.error(fmt::format("{} is no address of any ethernet", to_string(*ip)));
  if (const auto second = std::next(first); second != last) {
    // Of an own address nothing says which link a packet came in by.
    value.error(fmt::format("{} is an address of both {} and {}: a tunnel needs one that no other ethernet has",
                            to_string(*ip), std::min(first->second.name, second->second.name),
                            std::max(first->second.name, second->second.name)));
  }
}

std::string Sections::remote_error(const IpAddress& remote, const IpAddress& local) const {
  const std::string text = to_string(remote);
  if (remote.is_unspecified()) return fmt::format("{} is no address of a host", text);
  if (remote == local) return fmt::format("{} is the tunnel's own local address", text);
  if (remote.is_v4() != local.is_v4()) {
    return fmt::format("{} and local {} are of different IP versions", text, to_string(local));
  }
  if (is_loopback(remote)) return fmt::format("{} is a loopback address: no other host has it", text);
  if (remote == IpAddress::v4(255, 255, 255, 255)) return fmt::format("{} is the broadcast address", text);
  if (is_of_no_host(remote) && !remote.is_multicast()) return fmt::format("{} is no address of a host", text);
  if (const auto end = network_ends_.find(remote); end != network_ends_.end()) {
    const IpPrefix& network = end->second;
    return fmt::format("{} is the {} address of {}, no host's", text,
                       remote == network.address ? "network" : "broadcast", to_string(network));
  }
  const auto [first, last] = own_addresses_.equal_range(remote);
  const auto own = own_addresses_.find(local);
  const auto ours = std::find_if(first, last, [&](const auto& known) {
    // On another link the same link-local address is another host's.
    return !is_link_local(remote) || own == own_addresses_.end() || own->second.name == known.second.name;
  });
  if (ours == last) return "";
  return fmt::format("{} is an address of {}, on line {}: a tunnel leads to another host", text, ours->second.name,
                     ours->second.line);
}

void Sections::read_remotes(const Value& value, Tunnel& tunnel) {
  const auto read_one = [&](const Value& item) {
    const auto ip = item.address();
    if (!ip) return;
    if (ip->is_multicast() && value.is_list()) {
      return item.error(fmt::format("{} is a multicast group: it can't stand in a list", to_string(*ip)));
    }
    if (ip->is_multicast() && IpPrefix{IpAddress::v4(224, 0, 0, 0), 24}.contains(*ip)) {
      return item.error(fmt::format("{} is reserved for protocols of the link (RFC 5771 section 4)", to_string(*ip)));
    }
    if (const std::string error = remote_error(*ip, tunnel.local); !error.empty()) return item.error(error);
    tunnel.remotes.push_back(*ip);
  };
  if (!value.is_list()) return read_one(value);
  const size_t errors = diagnostics_.count();
  value.for_each_item(read_one);
  if (tunnel.remotes.empty() && diagnostics_.count() == errors) value.error("the list is empty");
}

void Sections::check_tunnel_is_alone(std::string_view name, const Value& value, const Tunnel& tunnel) {
  for (const IpAddress& remote : tunnel.remotes) {
    const Owner owner{name, value.key_place().line};
    // What strangers send to us is of one group's tunnel.
    const IpAddress who = remote.is_multicast() ? IpAddress{} : remote;
    const auto [first, is_new] =
        tunnel_keys_.try_emplace({tunnel.mode, tunnel.id, tunnel.port, tunnel.local, who}, owner);
    if (is_new) continue;
    if (remote.is_multicast()) {
      value.key_error(fmt::format("same mode, id, local and port as tunnels.{} on line {}, a multicast group's, too",
                                  first->second.name, first->second.line));
    } else if (first->second.name == name) {
      value.key_error(fmt::format("remote {} stands twice", to_string(remote)));
    } else {
      value.key_error(fmt::format("same mode, id, local, port and remote {} as tunnels.{} on line {}",
                                  to_string(remote), first->second.name, first->second.line));
    }
    return;
  }
}

// The last 8 bits of a key are a flow's to NVGRE (RFC 7637 section 3.2) and part of the key to gretap: some flows of
// the one tunnel would be taken for the other's frames.
void Sections::check_gre_keys(std::string_view name, const Value& value, const Tunnel& tunnel) {
  const bool nvgre = tunnel.mode == TunnelType::nvgre;
  if (!tunnel.id || over_udp(tunnel.mode)) return;
  const uint32_t vsid = nvgre ? *tunnel.id : nvgre_vsid(*tunnel.id);
  const GreEnds& others = nvgre ? gretap_ends_ : nvgre_ends_;
  GreEnds& ends = nvgre ? nvgre_ends_ : gretap_ends_;
  const auto check = [&](const IpAddress& local, const IpAddress& remote) {
    ends.try_emplace({vsid, local, remote}, Owner{name, value.key_place().line});
    auto other = others.find({vsid, local, remote});
    if (other == others.end()) other = others.find({vsid, local, IpAddress{}});
    if (other == others.end() && remote == IpAddress{}) other = others.lower_bound({vsid, local, remote});
    if (other == others.end() || std::get<0>(other->first) != vsid || std::get<1>(other->first) != local) return true;
    const auto& [other_name, line] = other->second;
    if (nvgre) {
      value.key_error(
          fmt::format("VSID {} has flows with key {}, which is tunnels.{}'s on line {}, between the same ends", vsid,
                      config_.tunnels.at(std::string(other_name)).id.value_or(0), other_name, line));
    } else {
      value.key_error(
          fmt::format("key {} is one of a flow of tunnels.{} on line {}, nvgre between the same ends (VSID {})",
                      *tunnel.id, other_name, line, vsid));
    }
    return false;
  };
  for (const IpAddress& remote : tunnel.remotes) {
    const bool group = remote.is_multicast();
    if (!check(tunnel.local, group ? IpAddress{} : remote) || (group && !check(remote, IpAddress{}))) return;
  }
}

}  // namespace causeway::config
