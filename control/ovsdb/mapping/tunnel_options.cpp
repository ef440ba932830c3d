#include "control/ovsdb/mapping/tunnel_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/config/address_text.h"
#include "control/ovsdb/columns.h"
#include "dataplane/wire/host_address.h"
#include "dataplane/wire/ipv4.h"

namespace causeway::ovsdb {
namespace {

constexpr std::string_view kNeedsOpenFlow[] = {"key",        "in_key",     "out_key",    "remote_ip",  "local_ip",
                                               "erspan_ver", "erspan_idx", "erspan_dir", "erspan_hwid"};

// Whoever sets one of these wants what is inside to be encrypted, or at least signed.
bool asks_for_ipsec(std::string_view option) {
  static constexpr std::string_view kOptions[] = {"psk",         "remote_cert", "remote_name", "certificate",
                                                  "private_key", "ca_cert",     "peer_cert",   "use_ssl_cert"};
  return option.starts_with("ipsec") || std::ranges::find(kOptions, option) != std::end(kOptions);
}

class OptionsReader {
 public:
  OptionsReader(const Row& interface, const std::string& name, const std::string& type, Notes& notes)
      : interface_(interface), name_(name), type_(type), notes_(notes) {
    tunnel_.mode = tunnel_type_of(type).value_or(TunnelType::geneve);
    tunnel_.port = row_of(tunnel_.mode).udp_port;
    tunnel_.isolated = is_erspan();  // OVS forwards from tunnel to tunnel
    tunnel_.allow_zero_checksum = tunnel_.mode == TunnelType::geneve;
  }

  TunnelReading read() {
    check_what_is_asked_for();
    if (errors_.empty()) {
      read_addresses();
      is_erspan() ? read_session() : read_keys();
      for (const auto& [option, value] : map_of(interface_, "options").items()) {
        if (value.is_string()) read_option(option, value.get<std::string>());
      }
    }
    return {std::move(tunnel_), std::move(errors_)};
  }

 private:
  bool is_erspan() const { return tunnel_.mode == TunnelType::erspan; }
  const std::string* option(const std::string& key) const { return value_of(interface_, "options", key); }
  void error(const std::string& what) { errors_ += fmt::format("{}{}: {}", errors_.empty() ? "" : "\n", name_, what); }
  void bad(std::string_view option) { error(fmt::format("bad {} '{}'", type_, option)); }
  void note(std::string_view subject, const std::string& what) {
    notes_.add(fmt::format("{}: {}", type_, subject), fmt::format("{}: {}", name_, what));
  }
  void note_ignored(const std::string& option, const std::string& value) {
    note(option, fmt::format("{}={} has no equal and is ignored", option, shown(value)));
  }

  void check_what_is_asked_for() {
    for (const auto& [option, value] : map_of(interface_, "options").items()) {
      if (!asks_for_ipsec(option)) continue;
      return error(fmt::format("'{}' asks for IPsec, which is not supported: no tunnel without it", shown(option)));
    }
    for (const std::string_view key : kNeedsOpenFlow) {
      const std::string* const value = option(std::string(key));
      if (value != nullptr && *value == "flow") return error(fmt::format("{}=flow needs OpenFlow", key));
    }
  }

  void read_addresses() {
    std::optional<IpAddress> remote;
    if (const std::string* const text = option("remote_ip")) {
      remote = parse_ip(*text);
      if (!remote) bad("remote_ip");
    }
    if (remote && remote->is_multicast()) {
      return error(fmt::format("multicast remote_ip={} not allowed", to_string(*remote)));
    }
    if (!remote || remote->is_unspecified()) {
      return error(fmt::format("{} type requires valid 'remote_ip' argument", type_));
    }
    if (is_of_no_host(*remote)) return error(fmt::format("remote_ip={} is no address of a host", to_string(*remote)));
    tunnel_.remotes = {*remote};
    const std::string* const text = option("local_ip");
    const auto local = text != nullptr ? parse_ip(*text) : std::nullopt;
    if (text != nullptr && !local) note("local_ip", fmt::format("bad {} 'local_ip'", type_));
    if (!local || local->is_unspecified()) return;
    if (local->is_v4() != remote->is_v4()) {
      return error("'remote_ip' and 'local_ip' has to be of the same address family");
    }
    if (is_of_no_host(*local)) return error(fmt::format("local_ip={} is no address of a host", to_string(*local)));
    if (*local == *remote) return error(fmt::format("remote_ip={} is the tunnel's own local_ip", to_string(*remote)));
    tunnel_.local = *local;
  }

  // The key of one direction, or of both. OVS takes 0 for what is no number; here that is an error.
  std::optional<uint32_t> read_key(const std::string& direction) {
    std::string key = direction;
    const std::string* text = option(key);
    if (text == nullptr) text = option(key = "key");
    if (text == nullptr) return std::nullopt;
    const auto number = number_in(*text, 0);
    if (!number || *number > row_of(tunnel_.mode).highest_id) {
      bad(key);
      return std::nullopt;
    }
    return static_cast<uint32_t>(*number);
  }

  void read_keys() {
    const size_t before = errors_.size();
    tunnel_.id = read_key("in_key");
    if (errors_.size() == before) tunnel_.sent_id = read_key("out_key");
    if (errors_.size() != before) return;
    if (over_udp(tunnel_.mode)) {
      tunnel_.id = tunnel_.id.value_or(0);
      tunnel_.sent_id = tunnel_.sent_id.value_or(0);
    } else if (!tunnel_.sent_id && tunnel_.id == 0U) {
      tunnel_.id.reset();
    } else if (tunnel_.id.has_value() != tunnel_.sent_id.has_value()) {
      return error("a key in one direction alone is not supported");
    }
    if (tunnel_.sent_id == tunnel_.id) tunnel_.sent_id.reset();
  }

  void read_session() { tunnel_.id = read_key("out_key").value_or(0); }

  // The version in the header: 1 is type II, 2 type III.
  void read_erspan_version(const std::string& value) {
    if (value == "2") return error("erspan_ver=2, ERSPAN type III, is not supported");
    if (value != "1") error(fmt::format("invalid erspan_ver: {}", shown(value)));
  }

  void read_erspan_index(const std::string& value) {
    const auto index = number_in(value.starts_with("0x") ? value : "0x" + value, 0);
    if (!index || *index > kErspanHighestIndex) return error(fmt::format("invalid erspan_idx: {}", shown(value)));
    tunnel_.erspan_index = static_cast<uint32_t>(*index);
  }

  void read_port(const std::string& value) {
    if (!over_udp(tunnel_.mode)) return note_ignored("dst_port", value);
    const auto port = number_in(value, 10);
    if (!port || *port == 0 || *port > UINT16_MAX) return bad("dst_port");
    tunnel_.port = static_cast<uint16_t>(*port);
  }

  void read_tos(const std::string& value) {
    tunnel_.tos_inherit = value == "inherit";
    if (tunnel_.tos_inherit) return;
    const auto tos = number_in(value, 0);
    if (!tos || *tos > UINT8_MAX || (*tos & kEcnMask) != 0) return note("tos", "invalid TOS " + shown(value));
    tunnel_.tos = static_cast<uint8_t>(*tos);
  }

  void read_ttl(const std::string& value) {
    if (value == "inherit") return note_ignored("ttl", value);
    const auto ttl = number_in(value, 10);
    if (!ttl || *ttl == 0 || *ttl > UINT8_MAX) return note("ttl", "invalid TTL " + shown(value));
    tunnel_.ttl = static_cast<uint8_t>(*ttl);
  }

  void read_option(const std::string& option, const std::string& value) {
    static constexpr std::string_view kReadAlready[] = {"remote_ip", "local_ip", "key", "in_key", "out_key"};
    if (std::ranges::find(kReadAlready, option) != std::end(kReadAlready)) return;
    if (option == "dst_port") return read_port(value);
    if (option == "tos") return read_tos(value);
    if (option == "ttl") return read_ttl(value);
    if (is_erspan() && option == "erspan_ver") return read_erspan_version(value);
    if (is_erspan() && option == "erspan_idx") return read_erspan_index(value);
    if (option == "csum") {  // OVS fills UDP's in over IPv6 whatever this says
      if (value == "true" && is_erspan()) return note_ignored(option, value);
      if (value == "true") tunnel_.checksum = true;
    } else if (option == "seq") {
      if (is_erspan()) return;  // it numbers in any case
      if (value == "true" && over_udp(tunnel_.mode)) return note_ignored(option, value);
      tunnel_.sequence = value == "true";
    } else if (option == "df_default") {
      if (value == "false") note_ignored(option, value);
    } else if (option == "packet_type") {
      if (value != "legacy_l2") note_ignored(option, value);
    } else if (option == "exts" || option == "egress_pkt_mark" ||
               (is_erspan() && (option == "erspan_dir" || option == "erspan_hwid"))) {  // those two are type III's
      note_ignored(option, value);
    } else {
      note("unknown argument " + shown(option), fmt::format("unknown {} argument '{}'", type_, shown(option)));
    }
  }

  const Row& interface_;
  const std::string& name_;
  const std::string& type_;
  Notes& notes_;
  config::Tunnel tunnel_;
  std::string errors_;
};

}  // namespace

std::optional<TunnelType> tunnel_type_of(std::string_view type) {
  if (type == "geneve") return TunnelType::geneve;
  if (type == "vxlan") return TunnelType::vxlan;
  if (type == "gre" || type == "ip6gre") return TunnelType::gretap;
  if (type == "erspan" || type == "ip6erspan") return TunnelType::erspan;
  return std::nullopt;
}

TunnelReading read_tunnel_options(const Row& interface, const std::string& name, const std::string& type,
                                  Notes& notes) {
  return OptionsReader(interface, name, type, notes).read();
}

}  // namespace causeway::ovsdb
