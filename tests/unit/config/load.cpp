// Files that must load, and what they mean.
#include <chrono>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "control/config/address_text.h"
#include "control/config/split_group.h"
#include "control/yaml/load.h"
#include "tests/catch.h"
#include "tests/unit/config/loaded.h"

using namespace causeway;
using namespace causeway::config;
using causeway::config::test::loaded;

namespace {

MacAddress mac(std::string_view text) { return parse_mac(text).value(); }
IpAddress ip(std::string_view text) { return parse_ip(text).value(); }
IpPrefix prefix(std::string_view text) { return parse_prefix(text).value(); }

}  // namespace

TEST_CASE("every example loads") {
  for (const std::filesystem::path& path : test::examples()) {
    std::vector<ConfigError> errors;
    std::string text;
    const auto config = load_config_file(path, text, errors);
    for (const ConfigError& error : errors) UNSCOPED_INFO(error.to_string());
    CHECK(config);
    if (config) CHECK_FALSE(config->tunnels.empty());
  }
}

TEST_CASE("the least file means the defaults") {
  Config expected;
  expected.system.name = "gw";
  CHECK(loaded("version: 1\n") == expected);
  CHECK(loaded("version: 1\nsystem:\nethernets:\nbridges:\ntunnels:\n") == expected);
}

TEST_CASE("the name comes from the file's") {
  CHECK(loaded("version: 1", "/etc/causeway/edge 7.v2.yaml").system.name == "edge-7.v2");
  CHECK(loaded("version: 1", "gw").system.name == "gw");
  CHECK(loaded("version: 1", ".yaml").system.name == ".yaml");
  CHECK(loaded("version: 1", "").system.name == "causeway");
}

TEST_CASE("everything given arrives") {
  const Config config = loaded(R"(version: 1
system: {name: gw1, workers: [3, 1], control-core: 0, idle: busy, hugepages: off, memory: 2G, flow-cache: 100000}
ethernets:
  veth1:
  lan1: {tap: {}, isolated: true, mss-clamp: 1400}
  lan2: {tap: {rx-queues: 2}, rx-workers: [1, 0]}
  lan3: {packet: {rx-queues: 3}}
  lan4: {packet: {}, rx-workers: [0, 1, 1, 0]}
  up0:
    dpdk: {devargs: "0000:18:00.0", rx-queues: 2}
    mtu: 9000
    macaddress: 02:00:00:00:00:0A
    addresses: [172.31.0.1/24, "fd00:31::1/64"]
    routes: [{to: default, via: 172.31.0.254}, {to: default, via: "fe80::1"}, {to: 10.0.0.0/8, via: 172.31.0.253, metric: 7}]
    neighbors: [{to: 172.31.0.9, macaddress: 02:00:00:00:00:09}]
    offloads: {checksum: on, tso: "off", tunnel-tso: false, flow: true, gro: off, lro: on, elephants: on}
bridges:
  br-int:
    interfaces: [veth1, lan1, gnv0]
    parameters: {ageing-time: 0, max-macs: 0x10}
    static-macs: [{mac: 02:00:00:00:02:01, port: gnv0}, {mac: 02:00:00:00:02:01, port: lan1, vlan: 5}]
  empty:
tunnels:
  gnv0: {mode: geneve, id: 16777215, local: "fd00:31::1", remote: ["fd00:31::2", "fd00:31::3"], ttl: 5, tos: inherit,
         checksum: false, udp6-zero-checksum-rx: true, isolated: false, mss-clamp: auto, path-mtu: off}
  vx0: {mode: vxlan, key: 0, local: 172.31.0.1, remote: 172.31.0.2, port: 8472, tos: 0xb8, mss-clamp: off, path-mtu: auto}
  gnv1: {mode: geneve, id: 5, local: 172.31.0.1, remote: 172.31.0.2,
         options: [{class: 0x0102, type: 0x80, data: "0A0b0c0d"}, {class: 1, type: 2}]}
  gre0: {mode: gretap, key: 0xffffffff, local: 172.31.0.1, remote: 172.31.0.3}
  gre1: {mode: gretap, local: 172.31.0.1, remote: 172.31.0.3}
)");
  Config expected;
  expected.system = {.name = "gw1",
                     .named = true,
                     .worker_cores = {3, 1},
                     .workers = 2,
                     .control_core = 0,
                     .idle = Idle::busy,
                     .hugepages = Toggle::off,
                     .memory_bytes = 2ULL << 30,
                     .metrics = std::nullopt,
                     .ovsdb = {},
                     .admins = {},
                     .flow_cache_entries = 131072};
  expected.ethernets["veth1"] = Ethernet{};
  expected.ethernets["lan1"].device = TapDevice{};
  expected.ethernets["lan1"].isolated = true;
  expected.ethernets["lan1"].mss_clamp = {MssClamp::Mode::fixed, 1400};
  expected.ethernets["lan2"].device = TapDevice{};
  expected.ethernets["lan2"].rx_queues = 2;
  expected.ethernets["lan2"].rx_workers = {1, 0};
  expected.ethernets["lan3"].rx_queues = 3;
  expected.ethernets["lan4"].rx_queues = 4;
  expected.ethernets["lan4"].rx_workers = {0, 1, 1, 0};
  Ethernet& up0 = expected.ethernets["up0"];
  up0.device = DpdkDevice{"0000:18:00.0"};
  up0.rx_queues = 2;
  up0.mtu = 9000;
  up0.mac = mac("02:00:00:00:00:0a");
  up0.addresses = {prefix("172.31.0.1/24"), prefix("fd00:31::1/64")};
  up0.routes = {{prefix("0.0.0.0/0"), ip("172.31.0.254")},
                {prefix("::/0"), ip("fe80::1")},
                {prefix("10.0.0.0/8"), ip("172.31.0.253"), 7}};
  up0.neighbors = {{ip("172.31.0.9"), mac("02:00:00:00:00:09")}};
  up0.offloads = {Toggle::on, Toggle::off, Toggle::off, Toggle::on, Toggle::off, Toggle::on, Toggle::on};
  expected.bridges["br-int"] = {{"veth1", "lan1", "gnv0"},
                                0,
                                16,
                                std::nullopt,
                                {{mac("02:00:00:00:02:01"), "gnv0", 0}, {mac("02:00:00:00:02:01"), "lan1", 5}}};
  expected.bridges["empty"] = Bridge{};
  Tunnel& gnv0 = expected.tunnels["gnv0"];
  gnv0.id = 16777215;
  gnv0.local = ip("fd00:31::1");
  gnv0.remotes = {ip("fd00:31::2"), ip("fd00:31::3")};
  gnv0.port = 6081;
  gnv0.ttl = 5;
  gnv0.tos_inherit = true;
  gnv0.checksum = false;
  gnv0.allow_zero_checksum = true;
  gnv0.isolated = false;
  gnv0.mss_clamp = {MssClamp::Mode::automatic, 0};
  gnv0.path_mtu = false;
  Tunnel& vx0 = expected.tunnels["vx0"];
  vx0.mode = TunnelType::vxlan;
  vx0.id = 0;
  vx0.local = ip("172.31.0.1");
  vx0.remotes = {ip("172.31.0.2")};
  vx0.port = 8472;
  vx0.tos = 0xb8;
  Tunnel& gnv1 = expected.tunnels["gnv1"];
  gnv1.id = 5;
  gnv1.local = ip("172.31.0.1");
  gnv1.remotes = {ip("172.31.0.2")};
  gnv1.port = 6081;
  gnv1.options = {{0x0102, 0x80, {0x0a, 0x0b, 0x0c, 0x0d}}, {1, 2, {}}};
  Tunnel& gre0 = expected.tunnels["gre0"];
  gre0.mode = TunnelType::gretap;
  gre0.id = 0xffffffff;
  gre0.local = ip("172.31.0.1");
  gre0.remotes = {ip("172.31.0.3")};
  expected.tunnels["gre1"] = gre0;
  expected.tunnels["gre1"].id = std::nullopt;

  CHECK(config.system == expected.system);
  for (const auto& [name, ethernet] : expected.ethernets) {
    INFO(name);
    CHECK(config.ethernets.at(name) == ethernet);
  }
  CHECK(config.bridges == expected.bridges);
  CHECK(config.tunnels.at("gnv0") == gnv0);
  CHECK(config.tunnels.at("vx0") == vx0);
  CHECK(config == expected);
}

TEST_CASE("generators") {
  const auto generator = [](const std::string& settings) {
    const Config config = loaded("version: 1\nethernets: {gen0: {generator: " + settings + "}}\n");
    return std::get<GeneratorSettings>(config.ethernets.at("gen0").device);
  };
  GeneratorSettings expected;
  expected.source_mac = {0x0201'0000'0000, 1};
  expected.destination_mac = {0x0202'0000'0000, 1};
  expected.source_address = {0xc612'0000, 1};
  expected.destination_address = {0xc613'0000, 1};
  expected.source_port = {1024, 1};
  expected.destination_port = {1024, 1};
  CHECK(generator("{}") == expected);
  CHECK(generator("") == expected);

  expected.frame_bytes = {60, 594, 1514};
  expected.rate = 1'000'000'000;
  expected.limit = UINT64_MAX;
  expected.flows = 1'000'000;
  expected.distribution = GeneratorSettings::Distribution::zipf;
  expected.rx_queues = 2;
  expected.source_mac = {0x0200'0000'00ff, 1'000'000};
  expected.destination_mac = {0x0200'0000'0001, 1};
  expected.source_address = {0x0a00'0001, 100};
  expected.destination_address.count = 65536;
  expected.source_port = {60000, 5536};
  expected.destination_port = {0, 65536};
  expected.tunnel = {.mode = TunnelType::geneve,
                     .id = {16777000, 216},
                     .source_mac = mac("02:00:00:00:00:02"),
                     .source_address = {0xac1f'0002, 1},
                     .destination_address = 0xac1f'0001,
                     .port = 6081};
  const std::string settings = R"({frame-bytes: [60, 594, 1514], rate: 1000000000, limit: 18446744073709551615,
    flows: 1000000, distribution: zipf, rx-queues: 2, source-mac: {first: 02:00:00:00:00:ff},
    destination-mac: 02:00:00:00:00:01, source-address: {first: 10.0.0.1, count: 100}, source-port: {first: 60000},
    destination-port: {first: 0, count: 65536}, tunnel: {mode: geneve, id: {first: 16777000},
    source-mac: 02:00:00:00:00:02, source-address: 172.31.0.2, destination-address: 172.31.0.1}})";
  GeneratorSettings loaded_settings = generator(settings);
  CHECK(loaded_settings == expected);
}

TEST_CASE("modelled NICs") {
  const auto model = [](const std::string& settings) {
    const Config config = loaded("version: 1\nethernets: {up0: {nic-model: " + settings + "}}\n");
    return std::get<NicModelSettings>(config.ethernets.at("up0").device);
  };
  CHECK(model("{}") == NicModelSettings{});
  CHECK(model("") == NicModelSettings{});
  CHECK(model("{over: tap}").over == NicModelSettings::Over::tap);
  NicModelSettings expected;
  expected.over = NicModelSettings::Over::dpdk;
  expected.devargs = "net_ring0";
  expected.switch_name = "sw0";
  expected.flow_rules = 7;
  expected.without.add(NicFeature::gre_tso_ipv6);
  expected.misreport.add(NicFeature::checksum);
  expected.misreport.add(NicFeature::flow_rss);
  CHECK(
      model(
          "{over: net_ring0, switch: sw0, flow-rules: 7, without: [gre-tso-ipv6], misreport: [flow-rss, checksum]}") ==
      expected);
}

TEST_CASE("sizes") {
  CHECK(loaded("version: 1\nsystem: {memory: 64M}").system.memory_bytes == 64ULL << 20);
  CHECK(loaded("version: 1\nsystem: {memory: 65536K}").system.memory_bytes == 64ULL << 20);
  CHECK(loaded("version: 1\nsystem: {memory: 67108864}").system.memory_bytes == 64ULL << 20);
  CHECK(loaded("version: 1\nsystem: {memory: 1T}").system.memory_bytes == 1ULL << 40);
  CHECK(loaded("version: 1\nsystem: {workers: 64}").system.workers == 64);
}

TEST_CASE("Windows line ends and a byte order mark do no harm") {
  CHECK(loaded("\xef\xbb\xbfversion: 1\r\nethernets:\r\n  veth1: {}\r\n").ethernets.contains("veth1"));
}

// 10,000 tunnels and 100,000 static MACs, most of a second in yaml-cpp's scanner. The bound is wide, for
// sanitizers and busy machines; what it catches is a check that has become quadratic.
TEST_CASE("a large file loads in time") {
  std::string yaml = "version: 1\nethernets: {up0: {addresses: [172.31.0.1/16]}}\nbridges:\n  br0:\n    interfaces:\n";
  for (int i = 0; i < 10'000; ++i) yaml += "      - t" + std::to_string(i) + "\n";
  yaml += "    parameters: {max-macs: 100000}\n    static-macs:\n";
  for (uint64_t i = 0; i < 100'000; ++i) {
    yaml += "      - {mac: " + to_string(MacAddress::from_u64(0x020000000000 + i)) + ", port: t" +
            std::to_string(i % 10'000) + "}\n";
  }
  yaml += "tunnels:\n";
  for (int i = 0; i < 10'000; ++i) {
    yaml += "  t" + std::to_string(i) + ": {mode: geneve, id: " + std::to_string(i) +
            ", local: 172.31.0.1, remote: 172.31.1.1}\n";
  }
  const auto start = std::chrono::steady_clock::now();
  const Config config = test::loaded_as_it_is(yaml);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
  CHECK(config.tunnels.size() == 10'000);
  CHECK(config.bridges.at("br0").static_macs.size() == 100'000);
}

TEST_CASE("VLANs and what ports carry of them") {
  const Config config = loaded(R"(version: 1
ethernets:
  up0: {}
  up1: {mtu: 9000}
  c1: {vlan: {mode: access, tag: 10}}
  c2: {vlan: {mode: trunk, trunks: [20-22, 7, 21, 0]}}
  c3: {vlan: {mode: native, tag: 4094}}
vlans:
  z.100: {id: 100, link: up0, addresses: [192.168.0.10/24], routes: [{to: default, via: 192.168.0.1}],
          neighbors: [{to: 192.168.0.2, macaddress: 02:00:00:00:00:02}]}
  a.200: {id: 200, link: up1, mtu: 1500, isolated: true, mss-clamp: 1300, vlan: {mode: trunk}}
tunnels:
  vx0: {mode: vxlan, id: 10, local: 192.168.0.10, remote: 192.168.0.11, vlan: {mode: access, tag: 10}}
bridges:
  br0:
    interfaces: [c1, c2, a.200, vx0]
    static-macs: [{mac: 02:00:00:00:02:01, port: c1}, {mac: 02:00:00:00:02:02, port: c2, vlan: 22},
                  {mac: 02:00:00:00:02:03, port: a.200}]
)");
  CHECK(config.ethernets.at("c1").vlan == PortVlan{VlanMode::access, 10, {}});
  CHECK(config.ethernets.at("c2").vlan == PortVlan{VlanMode::trunk, 0, {0, 7, 20, 21, 22}});
  CHECK(config.ethernets.at("c3").vlan == PortVlan{VlanMode::native, 4094, {}});
  CHECK(config.tunnels.at("vx0").vlan == PortVlan{VlanMode::access, 10, {}});
  Ethernet underlay;
  underlay.device = VlanDevice{"up0", 100};
  underlay.addresses = {prefix("192.168.0.10/24")};
  underlay.routes = {{prefix("0.0.0.0/0"), ip("192.168.0.1")}};
  underlay.neighbors = {{ip("192.168.0.2"), mac("02:00:00:00:00:02")}};
  CHECK(config.ethernets.at("z.100") == underlay);
  Ethernet port;
  port.device = VlanDevice{"up1", 200};
  port.mtu = 1500;
  port.isolated = true;
  port.mss_clamp = {MssClamp::Mode::fixed, 1300};
  port.vlan.mode = VlanMode::trunk;
  CHECK(config.ethernets.at("a.200") == port);
  CHECK(config.ethernets.at("up0").underlay_vlans);
  CHECK_FALSE(config.ethernets.at("up0").bridged_vlans);
  CHECK(config.ethernets.at("up1").bridged_vlans);
  CHECK_FALSE(config.ethernets.at("up1").underlay_vlans);
  // A static MAC behind an access port is in its VLAN.
  CHECK(config.bridges.at("br0").static_macs == std::vector<StaticMac>{{mac("02:00:00:00:02:01"), "c1", 10},
                                                                       {mac("02:00:00:00:02:02"), "c2", 22},
                                                                       {mac("02:00:00:00:02:03"), "a.200", 0}});
}

TEST_CASE("split-horizon groups") {
  const Config config = loaded(R"(version: 1
ethernets:
  up0: {addresses: [172.31.0.1/24]}
  all: {}
  nameless: {isolated: true}
  edge: {group: edge}
  none: {group: edge, isolated: false}
vlans:
  all.5: {id: 5, link: all, group: edge}
tunnels:
  nameless0: {mode: vxlan, id: 1, remote: 172.31.0.2}
  fabric0: {mode: vxlan, id: 2, remote: 172.31.0.2, group: fabric}
  none0: {mode: vxlan, id: 3, remote: 172.31.0.2, group: fabric, isolated: false}
  many0: {mode: vxlan, id: 4, local: 172.31.0.1, remote: 239.1.1.1, group: fabric}
)");
  const auto of_ethernet = [&](const char* name) { return split_group_of(config.ethernets.at(name)); };
  const auto of_tunnel = [&](const char* name) { return split_group_of(config.tunnels.at(name)); };
  CHECK_FALSE(of_ethernet("all"));
  CHECK(of_ethernet("nameless") == "");
  CHECK(of_ethernet("edge") == "edge");
  CHECK_FALSE(of_ethernet("none"));
  CHECK(of_ethernet("all.5") == "edge");
  CHECK(of_tunnel("nameless0") == "");
  CHECK(of_tunnel("fabric0") == "fabric");
  CHECK_FALSE(of_tunnel("none0"));
  CHECK(of_tunnel("many0") == "fabric");
}

TEST_CASE("a next hop outside of every network, and link-local addresses on several links") {
  const Config config = loaded(R"(version: 1
ethernets:
  up0:
    addresses: [192.0.2.1/32, "fe80::1/64"]
    routes: [{to: default, via: 203.0.113.1, on-link: true}, {to: "fd00::/16", via: "fe80::2"}]
    neighbors: [{to: 203.0.113.1, macaddress: 02:00:00:00:00:09}]
  up1: {addresses: ["fe80::1/64"], routes: [{to: "fd00::/16", via: "fe80::2"}]}
vlans:
  up1.5: {id: 5, link: up1, addresses: ["fe80::1/64"]}
)");
  const Ethernet& up0 = config.ethernets.at("up0");
  CHECK(up0.routes[0] == Route{prefix("0.0.0.0/0"), ip("203.0.113.1"), 0, true});
  CHECK(up0.neighbors.front().to == ip("203.0.113.1"));
  CHECK(config.ethernets.at("up1").addresses.front() == prefix("fe80::1/64"));
  CHECK(config.ethernets.at("up1.5").addresses.front() == up0.addresses.back());
}
