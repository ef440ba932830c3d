// Random rows that nobody would write, and what they are translated beside.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/address_text.h"
#include "control/config/config.h"
#include "control/ovsdb/rows.h"
#include "control/yaml/load.h"
#include "tests/catch.h"

namespace causeway::ovsdb::test {

using nlohmann::json;

// The file beside which the cases' rows stand.
inline constexpr std::string_view kFile = R"(
version: 1
ethernets:
  up0:
    addresses: [172.31.0.1/24]
    routes: [{to: 172.30.0.0/16, via: 172.31.0.254}]
  taken0: {}
  dpdk0: {dpdk: {devargs: "0000:af:00.0"}}
tunnels:
  ytun: {mode: geneve, id: 999, local: 172.31.0.1, remote: 172.31.0.9}
  ynv: {mode: nvgre, id: 0x1000, local: 172.31.0.1, remote: 172.31.0.8}
bridges:
  ybr: {interfaces: [ytun, ynv]}
)";

inline config::Config config_of(std::string_view text) {
  std::vector<config::ConfigError> errors;
  const auto config = config::load_config("gateway.yaml", text, errors);
  for (const config::ConfigError& error : errors) UNSCOPED_INFO(error.to_string());
  REQUIRE(config);
  return *config;
}

// 10.0.0.0/8 and fc00::/7 have routes; 10.0.0.1 is the host's.
inline std::optional<std::string> kernel_interface(const IpAddress& remote) {
  if (remote == parse_ip("10.0.0.1")) return "lo";
  if (remote.is_v4() && remote.bytes[12] == 10) return "eth4";
  if (remote.is_v6() && remote.bytes[0] == 0xfc) return "eth6";
  return std::nullopt;
}

// Values of every type, mostly of the right one.
class RandomRows {
 public:
  explicit RandomRows(uint32_t seed) : random_(seed) {}

  Database make() {
    Database rows;
    const unsigned bridges = 1 + below(3);
    const unsigned ports = 2 + below(8);
    for (unsigned i = 0; i < bridges; ++i) rows["Bridge"][fmt::format("b{}", i)] = bridge();
    for (unsigned i = 0; i < ports; ++i) rows["Port"][fmt::format("p{}", i)] = port(i);
    for (unsigned i = 0; i < ports + below(3); ++i) rows["Interface"][fmt::format("i{}", i)] = interface();
    const unsigned mirrors = below(3);
    rows["Mirror"];
    for (unsigned i = 0; i < mirrors; ++i) rows["Mirror"][fmt::format("m{}", i)] = mirror();
    return rows;
  }

  unsigned below(unsigned limit) { return std::uniform_int_distribution<unsigned>(0, limit - 1)(random_); }

  Row bridge() {
    static constexpr const char* kModes[] = {"standalone", "secure", "", "x"};
    Row row;
    put(row, "name", name());
    put(row, "ports", references('p', 6));
    if (below(8) == 0) put(row, "fail_mode", one_of(kModes));
    if (below(3) == 0)
      put(row, "other_config", {{"mac-aging-time", number()}, {"mac-table-size", number()}, {"hwaddr", mac()}});
    if (below(5) == 0) put(row, "mirrors", references('m', 2));
    return row;
  }
  Row port(unsigned place) {
    static constexpr const char* kModes[] = {"access",        "trunk",        "native-untagged",
                                             "native-tagged", "dot1q-tunnel", "x"};
    Row row;
    put(row, "name", name());
    put(row, "interfaces", below(8) == 0 ? references('i', 3) : json::array({fmt::format("i{}", place)}));
    if (below(3) == 0) put(row, "tag", static_cast<int>(below(5000)) - 100);
    if (below(3) == 0) put(row, "trunks", json::array({below(4097), below(20)}));
    if (below(3) == 0) put(row, "vlan_mode", one_of(kModes));
    if (below(3) == 0) put(row, "protected", below(2) == 0);
    if (below(4) == 0) put(row, "other_config", {{"split-horizon-group", below(3) == 0 ? "a b" : "edge"}});
    return row;
  }
  Row interface() {
    static constexpr const char* kTypes[] = {"",       "system", "internal",  "tap",      "dpdk",  "patch",
                                             "geneve", "geneve", "vxlan",     "vxlan",    "gre",   "gre",
                                             "ip6gre", "stt",    "ipsec_gre", "nonsense", "erspan"};
    Row row;
    put(row, "name", name());
    put(row, "type", one_of(kTypes));
    put(row, "options", options());
    if (below(4) == 0) put(row, "mac", mac());
    if (below(4) == 0) put(row, "mtu_request", below(70000));
    if (below(8) == 0) put(row, "bfd", {{"enable", "true"}});
    return row;
  }

  Row mirror() {
    Row row;
    put(row, "name", name());
    if (below(3) == 0) put(row, "select_all", below(2) == 0);
    put(row, "select_src_port", references('p', 3));
    put(row, "select_dst_port", references('p', 3));
    if (below(3) == 0) put(row, "select_vlan", json::array({below(4097), below(20)}));
    if (below(3) != 0) put(row, "output_port", references('p', 2));
    if (below(3) == 0) put(row, "output_vlan", below(5000));
    return row;
  }

 private:
  template <size_t N>
  std::string one_of(const char* const (&words)[N]) {
    return words[below(N)];
  }
  json any() {
    const json values[] = {nullptr,
                           true,
                           -1,
                           4096,
                           1.5,
                           UINT64_MAX,
                           "",
                           "x",
                           std::string(70000, 'a'),
                           json::array(),
                           {1, "x"},
                           {"a", "b"},
                           json::object(),
                           {{"a", 1}},
                           {{"a", {1, 2}}},
                           "\xc3\xa4\xc3\xb6 \n\x01"};
    return values[below(std::size(values))];
  }
  // Sometimes missing, sometimes of another type, sometimes a set of one.
  void put(Row& row, const char* column, json value) {
    const unsigned chance = below(100);
    if (chance < 4) return;
    row[column] = chance < 7 ? any() : chance < 15 && !value.is_array() ? json::array({value}) : value;
  }
  json references(char table, unsigned most) {
    json all = json::array();
    for (unsigned i = below(most) + (below(10) != 0 ? 1 : 0); i > 0; --i)
      all.push_back(fmt::format("{}{}", table, below(9)));
    return all;
  }
  std::string name() {
    static constexpr const char* kNames[] = {
        "br0", "br1", "ybr", "taken0",  "up0", "ytun", "g0", "g1", "v0", "veth1", "averyveryverylongname",
        "a b", ".",   "",    "\xc3\xa4"};
    return below(2) == 0 ? one_of(kNames) : fmt::format("n{}", below(20));
  }
  json options() {
    static constexpr const char* kKeys[] = {"key",  "in_key",      "out_key",      "dst_port", "csum",
                                            "tos",  "ttl",         "seq",          "local_ip", "psk",
                                            "exts", "packet_type", "dpdk-devargs", "n_rxq",    "unheard"};
    static constexpr const char* kRemotes[] = {"10.0.0.2", "10.0.0.3",  "172.31.0.9", "172.31.0.1",
                                               "fc00::2",  "192.0.2.1", "0.0.0.0",    "224.0.0.1",
                                               "flow",     "foo",       "",           "::ffff:10.0.0.2"};
    static constexpr const char* kValues[] = {"true",      "false",     "inherit",      "flow", "10.0.0.9", "fc00::9",
                                              "net_null0", "class=eth", "0000:18:00.0", "-1",   "0x10",     "010"};
    json all = json::object();
    if (below(10) != 0) all["remote_ip"] = one_of(kRemotes);
    for (unsigned i = below(4); i > 0; --i) all[one_of(kKeys)] = below(2) == 0 ? number() : one_of(kValues);
    if (below(50) == 0) all["key"] = any();
    return all;
  }
  std::string number() {
    static constexpr const char* kNumbers[] = {"0",    "1",        "5",        "64",         "4789",
                                               "6081", "16777215", "16777216", "4294967296", "99999999999999999999999",
                                               "",     " 1",       "1 ",       "0x",         "08"};
    return one_of(kNumbers);
  }
  std::string mac() {
    static constexpr const char* kMacs[] = {"02:00:00:00:00:01", "01:00:00:00:00:01", "00:00:00:00:00:00", "x", ""};
    return one_of(kMacs);
  }

  std::mt19937 random_;
};

}  // namespace causeway::ovsdb::test
