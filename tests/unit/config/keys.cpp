// One row for each key of the JSON Schema: two files that differ in it alone, and what the plan says of it.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "control/config/plan.h"
#include "tests/catch.h"
#include "tests/unit/config/loaded.h"

using namespace causeway::config;
using causeway::config::test::loaded;

namespace {

struct Row {
  std::string key;     // its path in the file, without the interface's name
  std::string before;  // what the interface's or the section's braces hold
  std::string after;
  std::string plan;  // lines of the plan
};

const std::string kGeneve = "mode: geneve, id: 1, local: 10.0.0.1, remote: 10.0.0.2";
const std::string kGeneve6 = "mode: geneve, id: 1, local: \"fd00::1\", remote: \"fd00::2\"";
const std::string kGre = "mode: gretap, local: 10.0.0.1, remote: 10.0.0.2";
const std::string kErspan = "mode: erspan, local: 10.0.0.1, remote: 10.0.0.2";
const std::string kGroup = "mode: vxlan, id: 1, local: 10.0.0.1, remote: 239.1.1.1";
const std::string kOption = "options: [{class: 0x0102, type: 3, data: \"00000001\"}]";
const std::string kTunnelGenerator =
    "tunnel: {mode: vxlan, id: 1, source-mac: 02:00:00:00:00:01, source-address: 10.0.0.1, destination-address: "
    "10.0.0.9";

const std::vector<Row> kSystem = {
    {"name", "", "name: x", "! system.name: gw -> x needs a restart"},
    {"workers", "workers: 1", "workers: 2", "! system.workers: 1 -> 2 needs a restart"},
    {"control-core", "", "control-core: 0", "! system.control-core: default -> 0 needs a restart"},
    {"idle", "", "idle: busy", "! system.idle: adaptive -> busy needs a restart"},
    {"rebalance", "", "rebalance: auto", "! system.rebalance: off -> auto needs a restart"},
    {"hugepages", "", "hugepages: off", "! system.hugepages: auto -> off needs a restart"},
    {"memory", "", "memory: 1G", "! system.memory: 512M -> 1024M needs a restart"},
    {"metrics", "", "metrics: \"0.0.0.0:9111\"", "! system.metrics: default -> 0.0.0.0:9111 needs a restart"},
    {"admins", "", "admins: [bob, eve]", "~ system.admins: [] -> [bob, eve]"},
    {"flow-cache", "", "flow-cache: 1024", "! system.flow-cache: 262144 -> 1024 needs a restart"},
    {"ovsdb", "", "ovsdb: /run/db.sock", "! system.ovsdb: none -> /run/db.sock needs a restart"},
    {"held-buffers", "", "held-buffers: 99", "! system.held-buffers: 0 -> 99 needs a restart"},
};

// Of bridge ports, underlays and VLANs alike.
const std::vector<Row> kPort = {
    {"mtu", "", "mtu: 1400", "mtu default -> 1400"},
    {"max-macs", "", "max-macs: 5", "max-macs 0 -> 5"},
    {"flood-rate", "", "flood-rate: 6", "flood-rate 0 -> 6"},
    {"mss-clamp", "", "mss-clamp: 1300", "mss-clamp off -> 1300"},
    {"isolated", "", "isolated: true", "isolated false -> true"},
    {"group", "", "group: edge", "group none -> edge"},
    {"vlan.mode", "vlan: {mode: access, tag: 5}", "vlan: {mode: native, tag: 5}",
     "vlan access 5 -> native 5, trunk all"},
    {"vlan.tag", "vlan: {mode: access, tag: 5}", "vlan: {mode: access, tag: 6}", "vlan access 5 -> access 6"},
    {"vlan.trunks", "vlan: {mode: trunk}", "vlan: {mode: trunk, trunks: [7]}", "vlan trunk all -> trunk 7"},
    {"bindings.mac", "bindings: [{mac: 02:00:00:00:00:05}]", "bindings: [{mac: 02:00:00:00:00:06}]",
     "bindings +02:00:00:00:00:06 -02:00:00:00:00:05"},
    {"bindings.addresses", "bindings: [{mac: 02:00:00:00:00:05}]",
     "bindings: [{mac: 02:00:00:00:00:05, addresses: [10.5.0.1]}]",
     "bindings +02:00:00:00:00:05 with 10.5.0.1/32 -02:00:00:00:00:05"},
    {"addresses", "addresses: [10.7.0.1/24]", "addresses: [10.7.0.2/24]", "addresses +10.7.0.2/24 -10.7.0.1/24"},
    {"host.interface", "addresses: [10.7.0.1/24]", "addresses: [10.7.0.1/24], host: {interface: mine}",
     "host none -> mine\n+ host-path mine of x"},
    {"allow-from", "addresses: [10.7.0.1/24]", "addresses: [10.7.0.1/24], allow-from: [10.8.0.0/16]",
     "allow-from +10.8.0.0/16"},
    {"routes.to", "addresses: [10.7.0.1/24], routes: [{to: 10.9.0.0/16, via: 10.7.0.2}]",
     "addresses: [10.7.0.1/24], routes: [{to: default, via: 10.7.0.2}]",
     "routes +default via 10.7.0.2 -10.9.0.0/16 via 10.7.0.2"},
    {"routes.via", "addresses: [10.7.0.1/24], routes: [{to: default, via: 10.7.0.2}]",
     "addresses: [10.7.0.1/24], routes: [{to: default, via: 10.7.0.3}]",
     "routes +default via 10.7.0.3 -default via 10.7.0.2"},
    {"routes.metric", "addresses: [10.7.0.1/24], routes: [{to: default, via: 10.7.0.2}]",
     "addresses: [10.7.0.1/24], routes: [{to: default, via: 10.7.0.2, metric: 5}]",
     "routes +default via 10.7.0.2 metric 5 -default via 10.7.0.2"},
    {"routes.on-link", "addresses: [10.7.0.1/24], routes: [{to: default, via: 10.7.0.2}]",
     "addresses: [10.7.0.1/24], routes: [{to: default, via: 10.7.0.2, on-link: true}]",
     "routes +default via 10.7.0.2 on-link -default via 10.7.0.2"},
    {"routes.table", "addresses: [10.7.0.1/24], routes: host", "addresses: [10.7.0.1/24], routes: [{table: 10}]",
     "routes of table main -> 10"},
    {"neighbors.to", "addresses: [10.7.0.1/24], neighbors: [{to: 10.7.0.2, macaddress: 02:00:00:00:00:09}]",
     "addresses: [10.7.0.1/24], neighbors: [{to: 10.7.0.3, macaddress: 02:00:00:00:00:09}]",
     "neighbors +10.7.0.3 at 02:00:00:00:00:09 -10.7.0.2 at 02:00:00:00:00:09"},
    {"neighbors.macaddress", "addresses: [10.7.0.1/24], neighbors: [{to: 10.7.0.2, macaddress: 02:00:00:00:00:09}]",
     "addresses: [10.7.0.1/24], neighbors: [{to: 10.7.0.2, macaddress: 02:00:00:00:00:0a}]",
     "neighbors +10.7.0.2 at 02:00:00:00:00:0a -10.7.0.2 at 02:00:00:00:00:09"},
};

const std::vector<Row> kEthernets = {
    {"addresses", "addresses: [10.7.0.1/24]", "addresses: host",
     "addresses -10.7.0.1/24, addresses +host (reopens the device)"},
    {"macaddress", "", "macaddress: 02:00:00:00:00:01", "macaddress default -> 02:00:00:00:00:01"},
    {"rx-workers", "tap: {rx-queues: 2}", "tap: {rx-queues: 2}, rx-workers: [0, 0]", "rx-workers default -> [0, 0]"},
    {"spread", "", "spread: software", "spread device -> software (reopens the device)"},
    {"packet.rx-queues", "packet: {rx-queues: 1}", "packet: {rx-queues: 2}", "rx-queues 1 -> 2 (reopens the device)"},
    {"tap.rx-queues", "tap: {rx-queues: 1}", "tap: {rx-queues: 2}", "rx-queues 1 -> 2 (reopens the device)"},
    {"dpdk.devargs", "dpdk: {devargs: net_null0}", "dpdk: {devargs: net_null1}",
     "device dpdk net_null0 -> dpdk net_null1 (reopens the device)"},
    {"dpdk.rx-queues", "dpdk: {devargs: net_null0, rx-queues: 1}", "dpdk: {devargs: net_null0, rx-queues: 2}",
     "rx-queues 1 -> 2 (reopens the device)"},
    {"offloads.checksum", "", "offloads: {checksum: off}", "offloads.checksum auto -> off"},
    {"offloads.tso", "", "offloads: {tso: off}", "offloads.tso auto -> off"},
    {"offloads.tunnel-tso", "", "offloads: {tunnel-tso: off}", "offloads.tunnel-tso auto -> off"},
    {"offloads.flow", "", "offloads: {flow: off}", "offloads.flow auto -> off"},
    {"offloads.gro", "", "offloads: {gro: off}", "offloads.gro auto -> off"},
    {"offloads.lro", "", "offloads: {lro: off}", "offloads.lro auto -> off"},
    {"offloads.elephants", "", "offloads: {elephants: off}", "offloads.elephants auto -> off"},
    {"nic-model.over", "nic-model: {}", "nic-model: {over: tap}",
     "device nic-model over interface flow-rules 4096 -> nic-model over tap flow-rules 4096 (reopens the device)"},
    {"nic-model.rx-queues", "nic-model: {rx-queues: 1}", "nic-model: {rx-queues: 2}",
     "rx-queues 1 -> 2 (reopens the device)"},
    {"nic-model.switch", "nic-model: {}", "nic-model: {switch: sw0}",
     "device nic-model over interface flow-rules 4096 -> nic-model over interface flow-rules 4096 switch sw0 (reopens "
     "the device)"},
    {"nic-model.flow-rules", "nic-model: {}", "nic-model: {flow-rules: 9}",
     "device nic-model over interface flow-rules 4096 -> nic-model over interface flow-rules 9 (reopens the device)"},
    {"nic-model.without", "nic-model: {}", "nic-model: {without: [checksum]}",
     "device nic-model over interface flow-rules 4096 -> nic-model over interface flow-rules 4096 without [checksum] "
     "(reopens the device)"},
    {"nic-model.misreport", "nic-model: {}", "nic-model: {misreport: [tso-ipv4]}",
     "device nic-model over interface flow-rules 4096 -> nic-model over interface flow-rules 4096 misreport [tso-ipv4] "
     "(reopens the device)"},
};

// How the plan says a device that has other frames.
std::string generators(const std::string& before, const std::string& after) {
  return "device generator " + before + " -> generator " + after;
}

const std::vector<Row> kGenerator = {
    {"frame-bytes", "", "frame-bytes: 99", generators("flows 1 frame-bytes 60", "flows 1 frame-bytes 99")},
    {"rate", "", "rate: 9", generators("flows 1 frame-bytes 60", "flows 1 frame-bytes 60 rate 9")},
    {"flows", "", "flows: 9", generators("flows 1 frame-bytes 60", "flows 9 frame-bytes 60")},
    {"limit", "", "limit: 9", "generator.limit 0 -> 9"},
    {"distribution", "", "distribution: zipf", "generator.distribution sequential -> zipf"},
    {"source-mac.first", "source-mac: 02:00:00:00:00:08", "source-mac: 02:00:00:00:00:09",
     "generator.source-mac 02:00:00:00:00:08 -> 02:00:00:00:00:09"},
    {"source-mac.count", "source-mac: {first: 02:00:00:00:00:09, count: 1}",
     "source-mac: {first: 02:00:00:00:00:09, count: 2}",
     "generator.source-mac 02:00:00:00:00:09 -> 2 from 02:00:00:00:00:09"},
    {"destination-mac.first", "destination-mac: 02:00:00:00:00:08", "destination-mac: 02:00:00:00:00:09",
     "generator.destination-mac 02:00:00:00:00:08 -> 02:00:00:00:00:09"},
    {"destination-mac.count", "destination-mac: {first: 02:00:00:00:00:09, count: 1}",
     "destination-mac: {first: 02:00:00:00:00:09, count: 2}",
     "generator.destination-mac 02:00:00:00:00:09 -> 2 from 02:00:00:00:00:09"},
    {"source-address.first", "source-address: 10.9.0.1", "source-address: 10.9.0.2",
     "generator.source-address 10.9.0.1 -> 10.9.0.2"},
    {"source-address.count", "source-address: 10.9.0.1", "source-address: {first: 10.9.0.1, count: 2}",
     "generator.source-address 10.9.0.1 -> 2 from 10.9.0.1"},
    {"destination-address.first", "destination-address: 10.9.0.1", "destination-address: 10.9.0.2",
     "generator.destination-address 10.9.0.1 -> 10.9.0.2"},
    {"destination-address.count", "destination-address: 10.9.0.1", "destination-address: {first: 10.9.0.1, count: 2}",
     "generator.destination-address 10.9.0.1 -> 2 from 10.9.0.1"},
    {"source-port.first", "source-port: 98", "source-port: 99", "generator.source-port 98 -> 99"},
    {"source-port.count", "source-port: 99", "source-port: {first: 99, count: 2}",
     "generator.source-port 99 -> 2 from 99"},
    {"destination-port.first", "destination-port: 98", "destination-port: 99", "generator.destination-port 98 -> 99"},
    {"destination-port.count", "destination-port: 99", "destination-port: {first: 99, count: 2}",
     "generator.destination-port 99 -> 2 from 99"},
    {"tunnel.mode", kTunnelGenerator + "}", kTunnelGenerator + ", mode: geneve}",
     "generator.tunnel.mode vxlan -> geneve, generator.tunnel.port 4789 -> 6081"},
    {"tunnel.id.first", kTunnelGenerator + "}", kTunnelGenerator + ", id: 2}", "generator.tunnel.id 1 -> 2"},
    {"tunnel.id.count", kTunnelGenerator + "}", kTunnelGenerator + ", id: {first: 1, count: 2}}",
     "generator.tunnel.id 1 -> 2 from 1"},
    {"tunnel.source-mac", kTunnelGenerator + "}", kTunnelGenerator + ", source-mac: 02:00:00:00:00:02}",
     "generator.tunnel.source-mac 02:00:00:00:00:01 -> 02:00:00:00:00:02"},
    {"tunnel.source-address.first", kTunnelGenerator + "}", kTunnelGenerator + ", source-address: 10.0.0.2}",
     "generator.tunnel.source-address 10.0.0.1 -> 10.0.0.2"},
    {"tunnel.source-address.count", kTunnelGenerator + "}",
     kTunnelGenerator + ", source-address: {first: 10.0.0.1, count: 2}}",
     "generator.tunnel.source-address 10.0.0.1 -> 2 from 10.0.0.1"},
    {"tunnel.destination-address", kTunnelGenerator + "}", kTunnelGenerator + ", destination-address: 10.0.0.8}",
     "generator.tunnel.destination-address 10.0.0.9 -> 10.0.0.8"},
    {"tunnel.port", kTunnelGenerator + "}", kTunnelGenerator + ", port: 99}", "generator.tunnel.port 4789 -> 99"},
    {"tunnel.checksum", kTunnelGenerator + "}", kTunnelGenerator + ", checksum: verified}",
     "generator.tunnel.checksum none -> verified"},
};

const std::vector<Row> kVlans = {
    {"id", "id: 5, link: up0", "id: 6, link: up0", "- vlan x\n+ vlan x id 6 link up0"},
    {"link", "id: 5, link: up0", "id: 5, link: up1",
     "- vlan x\n~ ethernet up0: bridged-vlans true -> false (reopens the device)\n"
     "~ ethernet up1: bridged-vlans false -> true (reopens the device)\n+ vlan x id 5 link up1"},
};

const std::vector<Row> kBridges = {
    {"interfaces", "interfaces: [a]", "interfaces: [a, b]", "+ bridge x interface b"},
    {"parameters.ageing-time", "", "parameters: {ageing-time: 9}", "~ bridge x: ageing-time 300 -> 9"},
    {"parameters.max-macs", "", "parameters: {max-macs: 9}", "~ bridge x: max-macs 65536 -> 9"},
    {"parameters.arp-nd-suppress", "", "parameters: {arp-nd-suppress: true}",
     "~ bridge x: arp-nd-suppress default -> true"},
    {"static-macs.mac", "interfaces: [a], static-macs: [{mac: 02:00:00:00:00:05, port: a}]",
     "interfaces: [a], static-macs: [{mac: 02:00:00:00:00:06, port: a}]",
     "- bridge x static-mac 02:00:00:00:00:05 port a\n+ bridge x static-mac 02:00:00:00:00:06 port a"},
    {"static-macs.port", "interfaces: [a, b], static-macs: [{mac: 02:00:00:00:00:05, port: a}]",
     "interfaces: [a, b], static-macs: [{mac: 02:00:00:00:00:05, port: b}]",
     "- bridge x static-mac 02:00:00:00:00:05 port a\n+ bridge x static-mac 02:00:00:00:00:05 port b"},
    {"static-macs.vlan", "interfaces: [a], static-macs: [{mac: 02:00:00:00:00:05, port: a}]",
     "interfaces: [a], static-macs: [{mac: 02:00:00:00:00:05, port: a, vlan: 7}]",
     "- bridge x static-mac 02:00:00:00:00:05 port a\n+ bridge x static-mac 02:00:00:00:00:05 vlan 7 port a"},
};

const std::string kEvpn = "evpn: {vni: 100, local: 10.0.0.1";
const std::vector<Row> kInstances = {
    {"evpn.vni", kEvpn + "}", "evpn: {vni: 200, local: 10.0.0.1}",
     "- bridge x interface evpn100\n- tunnel evpn100\n+ tunnel evpn200 evpn vxlan id 200 10.0.0.1 hold 120\n"
     "+ bridge x interface evpn200"},
    {"evpn.local", kEvpn + "}", "evpn: {vni: 100, local: 10.0.0.9}", "~ tunnel evpn100: local 10.0.0.1 -> 10.0.0.9"},
    {"evpn.mode", kEvpn + "}", kEvpn + ", mode: geneve}", "~ tunnel evpn100: mode vxlan -> geneve, port 4789 -> 6081"},
    {"evpn.vlan", kEvpn + ", vlan: 7}", kEvpn + ", vlan: 8}", "~ tunnel evpn100: vlan access 7 -> access 8"},
    {"evpn.group", kEvpn + "}", kEvpn + ", group: x}", "~ tunnel evpn100: group evpn -> x"},
    {"evpn.hold", kEvpn + "}", kEvpn + ", hold: 9}", "~ tunnel evpn100: hold 120 -> 9"},
};

const std::vector<Row> kTunnels = {
    {"mode", kGeneve, kGeneve + ", mode: vxlan", "mode geneve -> vxlan, port 6081 -> 4789"},
    {"id", kGeneve, kGeneve + ", id: 2", "id 1 -> 2"},
    {"key", kGre, kGre + ", key: 2", "id default -> 2"},
    {"keys.input", kGre + ", keys: {input: 2, output: 3}", kGre + ", keys: {input: 4, output: 3}", "id 2 -> 4"},
    {"keys.output", kGre + ", keys: {input: 2, output: 3}", kGre + ", keys: {input: 2, output: 4}",
     "keys.output 3 -> 4"},
    {"local", kGeneve, kGeneve + ", local: 10.0.0.9", "local 10.0.0.1 -> 10.0.0.9"},
    {"local", kGeneve, "mode: geneve, id: 1, remote: 10.0.0.2", "local 10.0.0.1 -> by route"},
    {"remote", kGeneve, kGeneve + ", remote: [10.0.0.2, 10.0.0.3]", "remote +10.0.0.3"},
    {"link", kGroup, kGroup + ", link: up0", "link none -> up0"},
    {"allow-from", kGroup, kGroup + ", allow-from: [10.0.0.0/25]", "allow-from +10.0.0.0/25"},
    {"port", kGeneve, kGeneve + ", port: 99", "port 6081 -> 99"},
    {"ttl", kGeneve, kGeneve + ", ttl: 9", "ttl 64 -> 9"},
    {"tos", kGeneve, kGeneve + ", tos: 8", "tos 0 -> 8"},
    {"checksum", kGeneve, kGeneve + ", checksum: true", "checksum default -> true"},
    {"sequence", kGre, kGre + ", sequence: true", "sequence false -> true"},
    {"erspan-type", kErspan, kErspan + ", erspan-type: 1", "id 0 -> default, erspan-type 2 -> 1"},
    {"erspan-index", kErspan, kErspan + ", erspan-index: 9", "erspan-index 0 -> 9"},
    {"options.class", kGeneve + ", " + kOption, kGeneve + ", options: [{class: 0x0103, type: 3, data: \"00000001\"}]",
     "options 0102/03/00000001 -> 0103/03/00000001"},
    {"options.type", kGeneve + ", " + kOption, kGeneve + ", options: [{class: 0x0102, type: 4, data: \"00000001\"}]",
     "options 0102/03/00000001 -> 0102/04/00000001"},
    {"options.data", kGeneve + ", " + kOption, kGeneve + ", options: [{class: 0x0102, type: 3}]",
     "options 0102/03/00000001 -> 0102/03"},
    {"match-options", kGeneve + ", " + kOption, kGeneve + ", " + kOption + ", match-options: true",
     "match-options false -> true"},
    {"udp6-zero-checksum-rx", kGeneve6, kGeneve6 + ", udp6-zero-checksum-rx: true",
     "udp6-zero-checksum-rx false -> true"},
    {"max-macs", kGeneve, kGeneve + ", max-macs: 5", "max-macs 0 -> 5"},
    {"flood-rate", kGeneve, kGeneve + ", flood-rate: 5", "flood-rate 0 -> 5"},
    {"mss-clamp", kGeneve, kGeneve + ", mss-clamp: auto", "mss-clamp off -> auto"},
    {"path-mtu", kGeneve, kGeneve + ", path-mtu: off", "path-mtu auto -> off"},
    {"isolated", kGeneve, kGeneve + ", isolated: false", "isolated true -> false"},
    {"group", kGeneve + ", isolated: false", kGeneve + ", group: edge", "isolated false -> true, group none -> edge"},
    {"vlan.mode", kGeneve + ", vlan: {mode: access, tag: 5}", kGeneve + ", vlan: {mode: native, tag: 5}",
     "vlan access 5 -> native 5, trunk all"},
    {"vlan.tag", kGeneve + ", vlan: {mode: access, tag: 5}", kGeneve + ", vlan: {mode: access, tag: 6}",
     "vlan access 5 -> access 6"},
    {"vlan.trunks", kGeneve + ", vlan: {mode: trunk}", kGeneve + ", vlan: {mode: trunk, trunks: [7]}",
     "vlan trunk all -> trunk 7"},
};

const std::string kFromA = "select-src-port: [a], output-port: out0";
const std::vector<Row> kMirrors = {
    {"select-src-port", kFromA, "select-src-port: [a, b], output-port: out0", "select-src-port +b"},
    {"select-dst-port", kFromA, kFromA + ", select-dst-port: [a]", "select-dst-port +a"},
    {"select-all", kFromA, kFromA + ", select-all: true", "select-all false -> true"},
    {"select-vlan", kFromA + ", select-vlan: [5]", kFromA + ", select-vlan: [6]", "select-vlan +6 -5"},
    {"output-port", kFromA, "select-src-port: [a], output-port: out1", "output-port out0 -> out1"},
    {"output-vlan", "select-src-port: [a], output-vlan: 5", "select-src-port: [a], output-vlan: 6",
     "output-vlan 5 -> 6"},
};

std::vector<Row> operator+(const std::vector<Row>& a, const std::vector<Row>& b) {
  std::vector<Row> both = a;
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

std::vector<Row> prefixed(const std::vector<Row>& rows, const std::string& key, const std::string& front,
                          const std::string& back, const std::string& plan) {
  std::vector<Row> result;
  for (const Row& row : rows) {
    result.push_back({key + row.key, front + row.before + back, front + row.after + back, plan + row.plan});
  }
  return result;
}

// A key that a row writes again stands where it stood: YAML takes no key twice.
std::string without_repetition(const std::string& braces) {
  std::vector<std::string> pairs;
  int depth = 0;
  std::string pair;
  const auto end = [&] {
    if (pair.empty()) return;
    const std::string key = pair.substr(0, pair.find(':') + 1);
    const auto same = std::find_if(pairs.begin(), pairs.end(), [&](const auto& p) { return p.starts_with(key); });
    if (same != pairs.end()) *same = pair;
    if (same == pairs.end()) pairs.push_back(pair);
    pair.clear();
  };
  for (const char c : braces) {
    depth += (c == '{' || c == '[') - (c == '}' || c == ']');
    if (c == ',' && depth == 0) {
      end();
    } else if (c != ' ' || !pair.empty()) {
      pair += c;
    }
  }
  end();
  std::string text;
  for (const std::string& p : pairs) text += (text.empty() ? "" : ", ") + p;
  return text;
}

void check_rows(const std::vector<Row>& rows, const std::string& head, const std::string& tail) {
  for (const Row& row : rows) {
    CAPTURE(row.key);
    const auto file = [&](const std::string& braces) {
      return loaded("version: 1\n" + head + "{" + without_repetition(braces) + "}" + tail + "\n");
    };
    const Config before = file(row.before);
    const Config after = file(row.after);
    std::string plan;
    for (const Operation& operation : diff_config(before, after)) plan += (plan.empty() ? "" : "\n") + operation.text;
    CHECK(plan == row.plan);
    CHECK(diff_config(after, before).size() == diff_config(before, after).size());
    CHECK(diff_config(after, after).empty());
  }
}

// The rows of a port, as a plan says them of an ethernet or a VLAN.
std::vector<Row> port_rows(const std::string& thing, const std::string& front) {
  return prefixed(kPort, "", front, "", "~ " + thing + " x: ");
}

std::vector<Row> generator_rows() {
  std::vector<Row> rows = kGenerator;
  for (Row& row : rows) {
    // Within the tunnel's braces, too, no key stands twice.
    for (std::string* braces : {&row.before, &row.after}) {
      if (!braces->starts_with("tunnel: {")) continue;
      *braces = "tunnel: {" + without_repetition(braces->substr(9, braces->size() - 10)) + "}";
    }
  }
  for (Row& row : rows) row.plan += " (reopens the device)";
  return prefixed(rows, "generator.", "generator: {", "}", "~ ethernet x: ");
}

// The keys below one of the schema: "routes.metric".
void collect_keys(const nlohmann::json& schema, const nlohmann::json& node, const std::string& path,
                  std::set<std::string>& keys) {
  if (node.contains("$ref")) {
    const auto pointer = nlohmann::json::json_pointer(node["$ref"].get<std::string>().substr(1));
    return collect_keys(schema, schema.at(pointer), path, keys);
  }
  const size_t before = keys.size();
  if (node.contains("properties")) {
    for (const auto& [name, value] : node["properties"].items()) {
      collect_keys(schema, value, path.empty() ? name : path + "." + name, keys);
    }
  }
  if (node.contains("items")) collect_keys(schema, node["items"], path, keys);
  for (const char* choice : {"oneOf", "anyOf", "allOf"}) {
    if (node.contains(choice)) {
      for (const auto& one : node[choice]) collect_keys(schema, one, path, keys);
    }
  }
  const bool is_below =
      std::any_of(keys.begin(), keys.end(), [&](const auto& key) { return key.starts_with(path + "."); });
  if (keys.size() == before && !is_below && !path.empty()) keys.insert(path);
}

std::set<std::string> keys_of_schema(const std::string& section) {
  std::ifstream file(CAUSEWAY_SCHEMA);
  const nlohmann::json schema = nlohmann::json::parse(file);
  const nlohmann::json& node = schema["properties"][section];
  std::set<std::string> keys;
  collect_keys(schema,
               node.contains("additionalProperties") && node["additionalProperties"].is_object()
                   ? node["additionalProperties"]
                   : node,
               "", keys);
  // A choice of a plain value and braces: the braces' keys are the rows.
  std::erase_if(keys, [&](const std::string& key) {
    return std::any_of(keys.begin(), keys.end(), [&](const auto& other) { return other.starts_with(key + "."); });
  });
  return keys;
}

void check_complete(const std::string& section, const std::vector<Row>& rows) {
  std::set<std::string> keys;
  for (const Row& row : rows) keys.insert(row.key);
  CHECK(keys == keys_of_schema(section));
}

}  // namespace

TEST_CASE("every key of system is in the plan") {
  check_rows(kSystem, "system: ", "");
  check_complete("system", kSystem);
}

TEST_CASE("every key of ethernets is in the plan") {
  const std::vector<Row> own = prefixed(kEthernets, "", "", "", "~ ethernet x: ");
  const std::vector<Row> port = port_rows("ethernet", "");
  check_rows(own + port, "system: {workers: 4}\nethernets: {x: ", "}");
  check_rows(generator_rows(), "ethernets: {x: ", "}");
  const std::vector<Row> queues = {{"generator.rx-queues", "generator: {flows: 2, rx-queues: 1}",
                                    "generator: {flows: 2, rx-queues: 2}",
                                    "~ ethernet x: rx-queues 1 -> 2 (reopens the device)"}};
  check_rows(queues, "ethernets: {x: ", "}");
  check_complete("ethernets", own + port + generator_rows() + queues);
}

TEST_CASE("every key of vlans is in the plan") {
  const std::vector<Row> port = port_rows("vlan", "id: 5, link: up0, ");
  check_rows(kVlans + port, "ethernets: {up0: {}, up1: {}}\nvlans: {x: ", "}");
  check_complete("vlans", kVlans + port);
}

TEST_CASE("every key of bridges is in the plan") {
  check_rows(kBridges, "ethernets: {a: {}, b: {}}\nbridges: {x: ", "}");
  check_rows(kInstances, "ethernets: {up0: {addresses: [10.0.0.1/24, 10.0.0.9/24]}}\nbridges: {x: ", "}");
  check_complete("bridges", kBridges + kInstances);
}

TEST_CASE("every key of tunnels is in the plan") {
  const std::vector<Row> rows = prefixed(kTunnels, "", "", "", "~ tunnel x: ");
  check_rows(rows, "ethernets: {up0: {addresses: [10.0.0.1/24, 10.0.0.9/24, \"fd00::1/64\"]}}\ntunnels: {x: ", "}");
  check_complete("tunnels", rows);
}

TEST_CASE("every key of sflow is in the plan") {
  const std::string target = "targets: [192.0.2.1]";
  const std::vector<Row> rows = {
      {"targets", target, "targets: [\"192.0.2.1:99\", \"2001:db8::1\"]",
       "~ sflow: targets +192.0.2.1:99 +[2001:db8::1]:6343 -192.0.2.1:6343"},
      {"sampling", target, target + ", sampling: 100", "~ sflow: sampling 400 -> 100"},
      {"polling", target, target + ", polling: 0", "~ sflow: polling 30 -> 0"},
      {"header", target, target + ", header: 64", "~ sflow: header 128 -> 64"},
      {"agent", target + ", agent: 192.0.2.2", target + ", agent: 192.0.2.3", "~ sflow: agent 192.0.2.2 -> 192.0.2.3"},
  };
  check_rows(rows, "sflow: ", "");
  check_complete("sflow", rows);
}

TEST_CASE("every key of mirrors is in the plan") {
  const std::vector<Row> rows = prefixed(kMirrors, "", "", "", "~ mirror x: ");
  check_rows(rows,
             "ethernets: {a: {}, b: {}, out0: {}, out1: {}}\nbridges: {br0: {interfaces: [a, b]}}\nmirrors: {x: ", "}");
  check_complete("mirrors", rows);
}

TEST_CASE("devices that differ are a difference, though they are described alike") {
  const std::vector<Row> rows = {
      {"nic-model.switch", "nic-model: {switch: \"s without [lro]\"}", "nic-model: {switch: s, without: [lro]}",
       "~ ethernet x: device another nic-model over interface flow-rules 4096 switch s without [lro] (reopens the "
       "device)"}};
  check_rows(rows, "ethernets: {x: ", "}");
}
