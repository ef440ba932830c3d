// What is written of a configuration: every file of the tests is written and read again (loaded.h); here is how it
// looks, and what nobody would call a thing.
#include "control/yaml/write.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/catch.h"
#include "tests/unit/config/loaded.h"

using namespace causeway;
using namespace causeway::config;
using causeway::config::test::loaded;

namespace {

// As people write it, names in order.
constexpr const char* kFile = R"(version: 1
system: {name: gw1, workers: [2, 3], control-core: 0, idle: busy, hugepages: off, memory: 2048M, flow-cache: 1048576}
ethernets:
  d0: {dpdk: {devargs: "0000:18:00.0", rx-queues: 2}, offloads: {tso: off, flow: on}}
  gen0: {generator: {flows: 1000, rate: 5, destination-mac: {first: 02:02:00:00:00:00, count: 7}}}
  lan0: {tap: {}, rx-workers: [0, 1], mtu: 1400, vlan: {mode: trunk, trunks: [0, 7, 20-22]}}
  nic0: {nic-model: {over: tap, without: [tso-ipv4, lro]}, group: edge}
  up0:
    addresses: [172.31.0.1/24, "fd00:31::1/64"]
    routes:
      - {to: default, via: 172.31.0.254}
      - {to: 10.9.0.0/16, via: 172.31.0.253}
      - {to: "fd00:32::/32", via: "fd00:31::fe", metric: 5, on-link: true}
    neighbors: [{to: 172.31.0.9, macaddress: 02:00:00:00:00:09}]
    allow-from: [10.0.0.0/8]
  up1: {addresses: [172.31.1.1/32], routes: host}
  up2: {addresses: [172.31.2.1/24], routes: [{table: main}, {table: 10}, {to: default, via: 172.31.2.2}]}
  up3: {addresses: host, routes: [{table: 10}]}
  veth1: {mss-clamp: auto, bindings: [{mac: 02:00:00:00:00:05, addresses: [10.0.0.5/32]}], isolated: true}
vlans:
  up0.5: {id: 5, link: up0, vlan: {mode: native, tag: 10}}
bridges:
  br-int:
    interfaces: [gen0, veth1, gnv0, gre0]
    parameters: {ageing-time: 0, max-macs: 9}
    static-macs: [{mac: 02:00:00:00:02:01, port: gnv0}]
  empty: {}
  fab: {evpn: [{vni: 100, local: 172.31.0.1}, {vni: 101, local: "fd00:31::1", mode: geneve, vlan: 7, hold: 0}]}
  fab1: {interfaces: [d0], evpn: {vni: 102, local: 172.31.0.1}}
tunnels:
  er0: {mode: erspan, id: 9, local: 172.31.0.1, remote: 172.31.0.2, erspan-index: 5}
  er1: {mode: erspan, local: 172.31.0.1, remote: 172.31.0.2, erspan-type: 1}
  gnv0:
    mode: geneve
    id: 0
    local: "fd00:31::1"
    remote: ["fd00:31::2", "fd00:31::3"]
    port: 99
    tos: inherit
    options: [{class: 258, type: 128, data: "0a0b0c0d"}, {class: 1, type: 0}]
    udp6-zero-checksum-rx: true
  gre0: {mode: gretap, keys: {input: 5, output: 0}, local: 172.31.0.1, remote: 172.31.0.2, group: fabric}
  vx0: {mode: vxlan, id: 7, local: 172.31.0.1, remote: 239.1.1.1, link: up0, ttl: 5, path-mtu: off}
sflow: {targets: ["192.0.2.1:6343", "[2001:db8::1]:99"], sampling: 256, agent: 192.0.2.9}
mirrors:
  m0: {select-src-port: [gen0, gnv0], select-vlan: [0, 10], output-port: lan0}
  m1: {select-all: true, output-vlan: 99}
  m2: {select-all: true, output-port: er0}
)";

std::string with_comments(const Comments& comments) {
  return write_config(loaded("version: 1\nethernets: {veth1: {}, a.b: {}}\nbridges: {br0: {interfaces: [veth1]}}\n"),
                      comments);
}

}  // namespace

TEST_CASE("what is written looks as people write it") {
  CHECK(write_config(loaded(kFile)) == kFile);
  CHECK(write_config(loaded("version: 1\n")) == "version: 1\n");
}

TEST_CASE("an example written anew is the example") {
  for (const std::filesystem::path& path : test::examples()) {
    std::ifstream file(path);
    loaded(std::string(std::istreambuf_iterator<char>(file), {}), path);
  }
}

TEST_CASE("names and device strings that YAML would take for something else") {
  for (const char* name :
       {"true", "No", "null", "~", "1", "0x10", "1e3", "-",   "?", "#a", "*a", "&a",  "!a",  "%a",
        "@a",   "`a", "'a'",  "|", ">", "a,b",  "[a]", "{a}", "=", "<<", ".5", "a#b", "---", "..."}) {
    const std::string quoted = std::string("\"") + name + "\"";
    loaded("version: 1\nethernets: {" + quoted + ": {}}\nbridges: {" + quoted + ": {interfaces: [" + quoted + "]}}\n");
  }
  loaded("version: 1\nethernets: {\"\\\"\": {}, \"a\\\\b\": {}, \xc3\xa4: {}, \xf0\x9f\x98\x80: {}}\n");
  const auto device = [](const char* devargs) {
    return loaded(std::string("version: 1\nethernets: {d0: {dpdk: {devargs: \"") + devargs + "\"}}}\n");
  };
  CHECK(device("net_tap0,iface=a b: c").ethernets.at("d0").devargs() == "net_tap0,iface=a b: c");
  CHECK(device("net_tap0,iface=\\\"x\\\\").ethernets.at("d0").devargs() == "net_tap0,iface=\"x\\");
}

TEST_CASE("comments stand above what they are about") {
  CHECK(with_comments({{"", {"of all"}},
                       {"ethernets", {"one", "two"}},
                       {"ethernets.a.b", {"of a.b"}},
                       {"bridges.br0", {"of br0"}},
                       {"tunnels", {"there are none"}}}) == R"(# of all
version: 1
ethernets:
  # one
  # two
  # of a.b
  a.b: {}
  veth1: {}
bridges:
  # of br0
  br0: {interfaces: [veth1]}
tunnels:
  # there are none
)");
}

TEST_CASE("a comment stays one, whatever stands in it") {
  const std::string hostile = "a\nethernets: {veth9: {}}\r\n\x1b[31m \xe2\x80\xa8 \xc2\x85 {[";
  const std::string text = with_comments({{"", {hostile}}, {"ethernets.veth1", {hostile}}, {"tunnels", {hostile, ""}}});
  INFO(text);
  const Config config = loaded(text);
  CHECK(config.ethernets.size() == 2);
  CHECK(config.tunnels.empty());
}
