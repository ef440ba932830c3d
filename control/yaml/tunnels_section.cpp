// The tunnels section.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

#include "control/config/address_text.h"
#include "control/config/conflicts.h"
#include "control/config/keys.h"
#include "control/yaml/read_keys.h"
#include "control/yaml/section_readers.h"
#include "dataplane/wire/host_address.h"
#include "dataplane/wire/link_local.h"

namespace causeway::config {
namespace {

// What an OuterTemplate has room for behind Ethernet, IPv6, UDP and GENEVE.
constexpr size_t kMaxOptionsBytes = 56;

// RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3.
bool is_loopback(const IpAddress& ip) {
  return ip.is_v4() ? ip.bytes[12] == 127 : ip == IpAddress{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
}

std::string_view name_of(TunnelType type) { return row_of(type).name; }

void read_tunnel_id(const Fields& fields, Tunnel& tunnel) {
  const auto id = fields.find("id");
  const auto key = fields.find("key");
  const auto keys = fields.find("keys");
  if (id && key) return key->key_error("'id' and 'key' are the same: give one of them");
  if (keys && (id || key)) return keys->key_error("'keys' stands for 'id' and 'key': give one of them");
  const TunnelTypeRow& type = row_of(tunnel.mode);
  if (!id && !key && !keys && !type.id_optional) fields.require({"id"});
  if (tunnel.mode == TunnelType::erspan && keys) return;  // read_erspan says so
  if (!keys) return fields.number(id ? "id" : "key", tunnel.id, type.lowest_id, type.highest_id);
  const Fields directions(*keys, kKeyNames<kIdDirectionKeys>);
  directions.require({"input", "output"});
  directions.number("input", tunnel.id, type.lowest_id, type.highest_id);
  directions.number("output", tunnel.sent_id, type.lowest_id, type.highest_id);
  if (tunnel.sent_id == tunnel.id) tunnel.sent_id.reset();
}

// A UDP port tells what stands behind it, so it is of one mode on all tunnels.
void read_tunnel_port(Reading& reading, std::string_view name, const Fields& fields, Tunnel& tunnel) {
  const auto port = fields.find("port");
  if (!over_udp(tunnel.mode)) {
    if (port) port->key_error(fmt::format("{} has no port", name_of(tunnel.mode)));
    return;
  }
  tunnel.port = row_of(tunnel.mode).udp_port;
  fields.number("port", tunnel.port, 1, 65535);
  const Value& place = port ? *port : fields.mapping();
  const auto [first, is_new] =
      reading.claims.udp_ports.try_emplace(tunnel.port, tunnel.mode, Claims::Owner{name, place.place().line});
  const auto& [mode, owner] = first->second;
  if (!is_new && mode != tunnel.mode) {
    place.key_error(fmt::format("UDP port {} is {} on tunnels.{}, line {}: it cannot be {} too", tunnel.port,
                                name_of(mode), owner.name, owner.line, name_of(tunnel.mode)));
  }
}

void read_options(const Value& value, Tunnel& tunnel) {
  size_t bytes = 0;
  value.for_each_item([&](const Value& item) {
    const Fields fields(item, kKeyNames<kOptionKeys>);
    fields.require({"class", "type"});
    config::GeneveOption option;
    read_keys(fields, kOptionKeys, option);
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
void read_group(Reading& reading, const Fields& fields, Tunnel& tunnel) {
  if (tunnel.remotes.empty()) return;
  if (!tunnel.group()) {
    for (const char* key : {"link", "allow-from"}) {
      if (const auto value = fields.find(key))
        value->key_error("only a tunnel whose remote is a multicast group has this key");
    }
    return;
  }
  if (!fields.find("local")) fields.require({"local"});
  if (const auto isolated = fields.find("isolated"); isolated && !tunnel.isolated) {
    isolated->error("the members of a multicast group hear each other: nothing may be forwarded between them");
  }
  if (const auto link = fields.find("link")) {
    const auto name = link->text("the name of an ethernet");
    const auto& ethernets = reading.config.ethernets;
    const auto found = name ? ethernets.find(std::string(*name)) : ethernets.end();
    if (name && (found == ethernets.end() || !found->second.is_underlay())) {
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

// It carries mirrors' copies alone, one way, to hosts.
void read_erspan(const Fields& fields, Tunnel& tunnel) {
  static constexpr const char* kOfOthers[] = {"keys", "mss-clamp", "max-macs", "flood-rate", "vlan", "isolated"};
  for (const char* const key : kOfOthers) {
    if (const auto value = fields.find(key))
      value->key_error("an erspan tunnel, which takes nothing in, has no such key");
  }
  if (const auto remote = fields.find("remote"); remote && tunnel.group()) {
    remote->error("a multicast group: copies go to hosts");
  }
  if (tunnel.erspan_type == 2) {
    tunnel.id = tunnel.id.value_or(0);
    return;
  }
  for (const char* const key : {"id", "key", "erspan-index"}) {
    if (const auto value = fields.find(key)) value->key_error("ERSPAN type I has no header for it");
  }
}

void read_local(Reading& reading, const Value& value, Tunnel& tunnel) {
  const auto ip = value.address();
  if (!ip) return;
  tunnel.local = *ip;
  if (ip->is_unspecified()) return value.error(fmt::format("{} is no address of a host", to_string(*ip)));
  if (!reading.claims.own_addresses_complete) return;
  const auto [first, last] = reading.claims.own_addresses.equal_range(*ip);
  if (first == last) return value.error(fmt::format("{} is no address of any ethernet", to_string(*ip)));
  if (const auto second = std::next(first); second != last) {
    // Of an own address nothing says which link a packet came in by.
    value.error(fmt::format("{} is an address of both {} and {}: a tunnel needs one that no other ethernet has",
                            to_string(*ip), std::min(first->second.name, second->second.name),
                            std::max(first->second.name, second->second.name)));
  }
}

// Why nobody can be reached at `remote`, or "".
std::string remote_error(const Reading& reading, const IpAddress& remote, const IpAddress& local) {
  const std::string text = to_string(remote);
  if (remote.is_unspecified()) return fmt::format("{} is no address of a host", text);
  if (remote == local) return fmt::format("{} is the tunnel's own local address", text);
  if (remote.is_v4() != local.is_v4() && !local.is_unspecified()) {
    return fmt::format("{} and local {} are of different IP versions", text, to_string(local));
  }
  if (is_loopback(remote)) return fmt::format("{} is a loopback address: no other host has it", text);
  if (remote == IpAddress::v4(255, 255, 255, 255)) return fmt::format("{} is the broadcast address", text);
  if (is_of_no_host(remote) && !remote.is_multicast()) return fmt::format("{} is no address of a host", text);
  if (const auto end = reading.claims.network_ends.find(remote); end != reading.claims.network_ends.end()) {
    const IpPrefix& network = end->second;
    return fmt::format("{} is the {} address of {}, no host's", text,
                       remote == network.address ? "network" : "broadcast", to_string(network));
  }
  const auto [first, last] = reading.claims.own_addresses.equal_range(remote);
  const auto own = reading.claims.own_addresses.find(local);
  const auto ours = std::find_if(first, last, [&](const auto& known) {
    // On another link the same link-local address is another host's.
    return !is_link_local(remote) || local.is_unspecified() || own == reading.claims.own_addresses.end() ||
           own->second.name == known.second.name;
  });
  if (ours == last) return "";
  return fmt::format("{} is an address of {}, on line {}: a tunnel leads to another host", text, ours->second.name,
                     ours->second.line);
}

void read_remotes(Reading& reading, const Value& value, Tunnel& tunnel) {
  const auto read_one = [&](const Value& item) {
    const auto ip = item.address();
    if (!ip) return;
    if (ip->is_multicast() && value.is_list()) {
      return item.error(fmt::format("{} is a multicast group: it can't stand in a list", to_string(*ip)));
    }
    if (ip->is_multicast() && IpPrefix{IpAddress::v4(224, 0, 0, 0), 24}.contains(*ip)) {
      return item.error(fmt::format("{} is reserved for protocols of the link (RFC 5771 section 4)", to_string(*ip)));
    }
    if (const std::string error = remote_error(reading, *ip, tunnel.local); !error.empty()) return item.error(error);
    if (!tunnel.remotes.empty() && tunnel.remotes.front().is_v4() != ip->is_v4()) {
      return item.error(fmt::format("{} and remote {} are of different IP versions", to_string(*ip),
                                    to_string(tunnel.remotes.front())));
    }
    tunnel.remotes.push_back(*ip);
  };
  if (!value.is_list()) return read_one(value);
  const size_t errors = reading.diagnostics.count();
  value.for_each_item(read_one);
  if (tunnel.remotes.empty() && reading.diagnostics.count() == errors) value.error("the list is empty");
}

void read_tunnel(Reading& reading, std::string_view name, const Value& value, Tunnel& tunnel) {
  const Fields fields(value, kKeyNames<kTunnelKeys>);
  fields.require({"mode", "remote"});
  const auto mode = fields.find("mode");
  static constexpr auto kTypes = every_tunnel_type();
  const auto type = mode ? mode->tunnel_type(kTypes) : std::nullopt;
  if (type) {
    tunnel.mode = *type;
    read_tunnel_id(fields, tunnel);
    read_tunnel_port(reading, name, fields, tunnel);
  }
  const auto local = fields.find("local");
  if (local) read_local(reading, *local, tunnel);
  // Without the local address that is meant there is nothing to compare remotes with.
  const auto remote = fields.find("remote");
  if (remote && !(local && tunnel.local.is_unspecified())) read_remotes(reading, *remote, tunnel);
  read_keys(fields, kTunnelKeys, tunnel);
  read_group(reading, fields, tunnel);
  if (const auto tos = fields.find("tos")) {
    tunnel.tos_inherit = tos->is_text() && tos->text("") == "inherit";
    if (!tunnel.tos_inherit) fields.number("tos", tunnel.tos, 0, 255);
  }
  if (type) {
    const auto only = [&](const char* key, TunnelType mode) {
      const auto value = tunnel.mode != mode ? fields.find(key) : std::nullopt;
      if (value) value->key_error(fmt::format("only {} has this key, not {}", name_of(mode), name_of(tunnel.mode)));
    };
    only("udp6-zero-checksum-rx", TunnelType::geneve);
    only("options", TunnelType::geneve);
    only("sequence", TunnelType::gretap);
    only("erspan-type", TunnelType::erspan);
    only("erspan-index", TunnelType::erspan);
    if (tunnel.mode == TunnelType::erspan) read_erspan(fields, tunnel);
  }
  if (const auto options = fields.find("options"); options && type && tunnel.mode == TunnelType::geneve) {
    read_options(*options, tunnel);
  }
  if (const auto match = fields.find("match-options"); match && tunnel.match_options && tunnel.options.empty()) {
    match->error("the tunnel has no options to match");
  }
  if (const auto checksum = fields.find("checksum"); checksum && type && !row_of(tunnel.mode).checksum_optional) {
    checksum->key_error(tunnel.mode == TunnelType::nvgre ? "NVGRE has no checksum (RFC 7637 section 3.2)"
                                                         : "ERSPAN has no checksum");
  }
  read_port_vlan(fields, tunnel.vlan);
}

void check_remotes(const Value& value, const Tunnel& tunnel) {
  std::set<IpAddress> seen;
  for (const IpAddress& remote : tunnel.remotes) {
    if (!seen.insert(remote).second) return value.key_error(fmt::format("remote {} stands twice", to_string(remote)));
  }
}

// A tunnel that was read without an error.
struct ReadTunnel {
  std::string_view name;
  Value value;
  const Tunnel* tunnel;
};

std::string conflict_text(TunnelConflict::Kind kind, const Tunnel& tunnel, const ReadTunnel& other) {
  const std::string owner = fmt::format("tunnels.{}", other.name);
  const int line = other.value.key_place().line;
  if (kind == TunnelConflict::Kind::gre_key && tunnel.mode == TunnelType::nvgre) {
    return fmt::format("VSID {} has flows with key {}, which is {}'s on line {}, between the same ends",
                       tunnel.id.value_or(0), other.tunnel->id.value_or(0), owner, line);
  }
  if (kind == TunnelConflict::Kind::gre_key) {
    return fmt::format("key {} is one of a flow of {} on line {}, nvgre between the same ends (VSID {})",
                       tunnel.id.value_or(0), owner, line, other.tunnel->id.value_or(0));
  }
  if (tunnel.group()) {
    return fmt::format("same mode, id, local and port as {} on line {}, a multicast group's, too", owner, line);
  }
  const auto same = std::ranges::find_first_of(tunnel.remotes, other.tunnel->remotes);
  return fmt::format("same mode, id, local, port and remote {} as {} on line {}",
                     same != tunnel.remotes.end() ? to_string(*same) : "", owner, line);
}

void check_conflicts(const std::vector<ReadTunnel>& read) {
  std::vector<const Tunnel*> tunnels;
  for (const ReadTunnel& each : read) tunnels.push_back(each.tunnel);
  for (const TunnelConflict& conflict : conflicts(tunnels)) {
    const ReadTunnel& each = read[conflict.tunnel];
    each.value.key_error(conflict_text(conflict.kind, *each.tunnel, read[conflict.with]));
  }
}

}  // namespace

void read_tunnels(const Value& section, Reading& reading) {
  std::vector<ReadTunnel> read;
  section.for_each_entry([&](std::string_view name, const Value& value) {
    if (!add_interface(reading, "tunnels", name, value, kLongestName)) return;
    Tunnel tunnel;
    const size_t errors = reading.diagnostics.count();
    read_tunnel(reading, name, value, tunnel);
    if (reading.diagnostics.count() == errors) check_remotes(value, tunnel);
    const bool good = reading.diagnostics.count() == errors;
    const auto [place, is_new] = reading.config.tunnels.emplace(name, std::move(tunnel));
    if (good && is_new) read.push_back({name, value, &place->second});
  });
  check_conflicts(read);
}

}  // namespace causeway::config
