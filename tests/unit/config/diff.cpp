#include "control/config/plan.h"

#include <algorithm>
#include <string>
#include <vector>

#include "control/config/address_text.h"
#include "tests/catch.h"
#include "tests/unit/config/loaded.h"

using namespace causeway;
using namespace causeway::config;
using causeway::config::test::loaded;

namespace {

using Texts = std::vector<std::string>;

Texts texts_of(const Config& before, const Config& after) {
  Texts texts;
  for (const Operation& operation : diff_config(before, after)) texts.push_back(operation.text);
  return texts;
}

Texts diff(std::string_view before, std::string_view after) { return texts_of(loaded(before), loaded(after)); }

constexpr std::string_view kNothing = "version: 1\n";

constexpr std::string_view kGateway = R"(version: 1
ethernets:
  veth1: {}
  lan1: {tap: {rx-queues: 2}, mtu: 1400}
  up0: {dpdk: {devargs: "0000:18:00.0"}, addresses: [172.31.0.1/24, "fd00::1/64"]}
bridges:
  br-a:
    interfaces: [veth1, gnv0]
    static-macs: [{mac: 02:00:00:00:02:01, port: gnv0}, {mac: 02:00:00:00:02:01, port: veth1, vlan: 7}]
  br-b: {interfaces: [lan1, vx0]}
tunnels:
  gnv0: {mode: geneve, id: 123, local: 172.31.0.1, remote: 172.31.0.2}
  vx0: {mode: vxlan, id: 100, local: 172.31.0.1, remote: [172.31.0.3, 172.31.0.4]}
)";

// kGateway with one piece of its text replaced.
std::string with(std::string_view piece, std::string_view replacement) {
  std::string text(kGateway);
  const size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), replacement);
}

}  // namespace

TEST_CASE("what is the same yields nothing") {
  CHECK(diff(kGateway, kGateway).empty());
  CHECK(diff(kGateway, with("[veth1, gnv0]", "[gnv0, veth1]")).empty());
  CHECK(diff(kNothing, kNothing).empty());
}

TEST_CASE("added: what is depended on comes first") {
  CHECK(diff(kNothing, kGateway) ==
        Texts{"+ ethernet lan1 tap rx-queues 2 mtu 1400",
              "+ ethernet up0 dpdk 0000:18:00.0 [172.31.0.1/24, fd00::1/64]", "+ ethernet veth1 interface",
              "+ bridge br-a", "+ bridge br-b", "+ tunnel gnv0 geneve id 123 172.31.0.1 -> 172.31.0.2",
              "+ tunnel vx0 vxlan id 100 172.31.0.1 -> [172.31.0.3, 172.31.0.4]", "+ bridge br-a interface veth1",
              "+ bridge br-a interface gnv0", "+ bridge br-b interface lan1", "+ bridge br-b interface vx0",
              "+ bridge br-a static-mac 02:00:00:00:02:01 port gnv0",
              "+ bridge br-a static-mac 02:00:00:00:02:01 vlan 7 port veth1"});
}

TEST_CASE("removed: what depends on others goes first") {
  CHECK(diff(kGateway, kNothing) == Texts{"- bridge br-a static-mac 02:00:00:00:02:01 port gnv0",
                                          "- bridge br-a static-mac 02:00:00:00:02:01 vlan 7 port veth1",
                                          "- bridge br-a interface veth1", "- bridge br-a interface gnv0",
                                          "- bridge br-b interface lan1", "- bridge br-b interface vx0",
                                          "- tunnel gnv0", "- tunnel vx0", "- bridge br-a", "- bridge br-b",
                                          "- ethernet lan1", "- ethernet up0", "- ethernet veth1"});
}

TEST_CASE("ethernets: in place or reopened") {
  const auto change = [](std::string_view piece, std::string_view replacement) {
    const Config before = loaded(kGateway);
    const Config after = loaded(with(piece, replacement));
    const auto operations = diff_config(before, after);
    REQUIRE(operations.size() == 1);
    CHECK(operations[0].ethernet.before == &before.ethernets.at(operations[0].name));
    CHECK(operations[0].ethernet.after == &after.ethernets.at(operations[0].name));
    return to_string(operations[0].kind) + " " + operations[0].text;
  };
  CHECK(change("mtu: 1400", "mtu: 9000") == "ethernet-change ~ ethernet lan1: mtu 1400 -> 9000");
  CHECK(change(", mtu: 1400", "") == "ethernet-change ~ ethernet lan1: mtu 1400 -> default");
  CHECK(change("veth1: {}", "veth1: {isolated: true}") == "ethernet-change ~ ethernet veth1: isolated false -> true");
  CHECK(change("veth1: {}", "veth1: {group: a}") == "ethernet-change ~ ethernet veth1: group none -> a");
  CHECK(change("veth1: {}", "veth1: {mss-clamp: auto}") == "ethernet-change ~ ethernet veth1: mss-clamp off -> auto");
  CHECK(change("veth1: {}",
               "veth1: {bindings: [{mac: 02:00:00:00:00:05}, {mac: 02:00:00:00:00:06, addresses: [10.0.0.5, "
               "10.1.0.0/16]}]}") ==
        "ethernet-change ~ ethernet veth1: bindings +02:00:00:00:00:05 "
        "+02:00:00:00:00:06 with [10.0.0.5/32, 10.1.0.0/16]");
  CHECK(change("veth1: {}", "veth1: {macaddress: 02:00:00:00:00:01, offloads: {tso: off}}") ==
        "ethernet-change ~ ethernet veth1: macaddress default -> 02:00:00:00:00:01, offloads.tso auto -> off");
  CHECK(change("\"fd00::1/64\"", "172.31.5.1/24") ==
        "ethernet-change ~ ethernet up0: addresses +172.31.5.1/24 -fd00::1/64");
  CHECK(change("\"fd00::1/64\"]",
               "\"fd00::1/64\"], routes: [{to: default, via: 172.31.0.254}], "
               "neighbors: [{to: 172.31.0.9, macaddress: 02:00:00:00:00:09}]") ==
        "ethernet-change ~ ethernet up0: routes +default via 172.31.0.254, "
        "neighbors +172.31.0.9 at 02:00:00:00:00:09");
  CHECK(change("rx-queues: 2", "rx-queues: 1") ==
        "ethernet-reopen ~ ethernet lan1: rx-queues 2 -> 1 (reopens the device)");
  // Whether the device has as many queues already is known when it is done.
  CHECK(change("{rx-queues: 2}", "{}") == "ethernet-change ~ ethernet lan1: rx-queues 2 -> default");
  CHECK(change("{rx-queues: 2}", "{rx-queues: 2}, rx-workers: [0, 0]") ==
        "ethernet-change ~ ethernet lan1: rx-workers default -> [0, 0]");
  CHECK(change("veth1: {}", "veth1: {tap: {}}") ==
        "ethernet-reopen ~ ethernet veth1: device interface -> tap (reopens the device)");
  CHECK(change("18:00.0", "18:00.1") ==
        "ethernet-reopen ~ ethernet up0: device dpdk 0000:18:00.0 -> dpdk 0000:18:00.1 (reopens the device)");
}

TEST_CASE("a generator is reopened for other frames") {
  const auto change = [](std::string_view before, std::string_view after) {
    const auto file = [](std::string_view text) {
      return "version: 1\nethernets: {gen0: {" + std::string(text) + "}}\n";
    };
    const Texts texts = diff(file(before), file(after));
    return texts.empty() ? "" : texts.front();
  };
  CHECK(change("generator: {flows: 1}", "generator:").empty());
  CHECK(change("generator: {flows: 10}", "generator: {flows: 20, rate: 1000}") ==
        "~ ethernet gen0: device generator flows 10 frame-bytes 60 -> "
        "generator flows 20 frame-bytes 60 rate 1000 (reopens the device)");
  CHECK(change("generator: {}", "generator: {}, macaddress: 02:00:00:00:00:01") ==
        "~ ethernet gen0: macaddress default -> 02:00:00:00:00:01 (reopens the device)");
  CHECK(change("generator: {}", "generator: {}, mtu: 9000") == "~ ethernet gen0: mtu default -> 9000");
}

TEST_CASE("a modelled NIC is reopened with other features") {
  const Texts texts =
      diff("version: 1\nethernets: {up0: {nic-model: {}}}\n",
           "version: 1\nethernets: {up0: {nic-model: {over: tap, switch: sw0, flow-rules: 9, without: [checksum], "
           "misreport: [rx-checksum, tso-ipv4]}}}\n");
  REQUIRE(texts.size() == 1);
  CHECK(texts.front() ==
        "~ ethernet up0: device nic-model over interface flow-rules 4096 -> nic-model over tap flow-rules 9 switch sw0 "
        "without "
        "[checksum] misreport [tso-ipv4, rx-checksum] (reopens the device)");
}

TEST_CASE("an ethernet that becomes an underlay is reopened") {
  const auto operations_before = loaded("version: 1\nethernets: {a: {}}\n");
  const auto operations_after = loaded("version: 1\nethernets: {a: {addresses: [10.0.0.1/8]}}\n");
  const auto operations = diff_config(operations_before, operations_after);
  REQUIRE(operations.size() == 1);
  CHECK(operations[0].kind == OperationKind{Thing::ethernet, Verb::reopen});
  CHECK(operations[0].text == "~ ethernet a: addresses +10.0.0.1/8 (reopens the device)");
}

TEST_CASE("a changed tunnel is one operation") {
  CHECK(diff(kGateway,
             with("mode: geneve, id: 123, local: 172.31.0.1, remote: 172.31.0.2",
                  "mode: vxlan, id: 124, local: 172.31.0.1, remote: 172.31.0.5, ttl: 5, tos: inherit, "
                  "checksum: true, isolated: false, mss-clamp: 1400, path-mtu: off, max-macs: 9, flood-rate: 7")) ==
        Texts{"~ tunnel gnv0: mode geneve -> vxlan, id 123 -> 124, remote +172.31.0.5 -172.31.0.2, port 6081 -> 4789, "
              "ttl 64 -> 5, tos 0 -> inherit, checksum default -> true, mss-clamp off -> 1400, path-mtu auto -> off, "
              "max-macs 0 -> 9, "
              "flood-rate 0 -> 7, "
              "isolated true -> false"});
}

// A static MAC is behind the first remote, `show` lists addresses in their order.
TEST_CASE("another order is a difference") {
  CHECK(diff(kGateway, with("[172.31.0.3, 172.31.0.4]", "[172.31.0.4, 172.31.0.3]")) ==
        Texts{"~ tunnel vx0: remote in another order"});
  CHECK(diff(kGateway, with("172.31.0.1/24, \"fd00::1/64\"", "\"fd00::1/64\", 172.31.0.1/24")) ==
        Texts{"~ ethernet up0: addresses in another order"});
}

TEST_CASE("who swaps devices closes them first") {
  const auto file = [](const std::string& a, const std::string& b, const std::string& c) {
    return "version: 1\nethernets: {a: {dpdk: {devargs: \"" + a + "\"}}, b: {dpdk: {devargs: \"" + b +
           "\"}}, c: {dpdk: {devargs: \"" + c + "\"}}}\n";
  };
  CHECK(diff(file("net_null0", "net_null1,copy=1", "net_null2"), file("net_null1", "net_null0", "net_null2")) ==
        Texts{"~ ethernet a: closes net_null0, for b", "~ ethernet b: closes net_null1, for a",
              "~ ethernet a: device dpdk net_null0 -> dpdk net_null1 (reopens the device)",
              "~ ethernet b: device dpdk net_null1,copy=1 -> dpdk net_null0 (reopens the device)"});
  // Handed on: who takes a device that nobody had is the last.
  CHECK(diff(file("net_null0", "net_null1", "net_null2"), file("net_null1", "net_null2", "net_null3")) ==
        Texts{"~ ethernet b: closes net_null1, for a", "~ ethernet c: closes net_null2, for b",
              "~ ethernet a: device dpdk net_null0 -> dpdk net_null1 (reopens the device)",
              "~ ethernet b: device dpdk net_null1 -> dpdk net_null2 (reopens the device)",
              "~ ethernet c: device dpdk net_null2 -> dpdk net_null3 (reopens the device)"});
  // Other parameters of its own device are no swap.
  CHECK(diff(file("net_null0", "net_null1", "net_null2"), file("net_null0,copy=1", "net_null1", "net_null2")).size() ==
        1);
}

TEST_CASE("bridges: parameters, members and static MACs are operations of their own") {
  CHECK(diff(kGateway, with("br-b: {interfaces: [lan1, vx0]}",
                            "br-b: {interfaces: [lan1], parameters: {ageing-time: 60, max-macs: 9}, "
                            "static-macs: [{mac: 02:00:00:00:02:09, port: lan1}]}")) ==
        Texts{"- bridge br-b interface vx0", "~ bridge br-b: ageing-time 300 -> 60, max-macs 65536 -> 9",
              "+ bridge br-b static-mac 02:00:00:00:02:09 port lan1"});
}

TEST_CASE("a static MAC that moves is removed and added") {
  const Config before = loaded(kGateway);
  const Config after = loaded(with("port: gnv0}", "port: veth1}"));
  const auto operations = diff_config(before, after);
  REQUIRE(operations.size() == 2);
  CHECK(operations[0].text == "- bridge br-a static-mac 02:00:00:00:02:01 port gnv0");
  CHECK(operations[0].bridge == "br-a");
  CHECK(operations[0].static_mac.before == &before.bridges.at("br-a").static_macs[0]);
  CHECK(operations[0].static_mac.after == nullptr);
  CHECK(operations[1].text == "+ bridge br-a static-mac 02:00:00:00:02:01 port veth1");
  CHECK(operations[1].static_mac.before == nullptr);
  CHECK(operations[1].static_mac.after == &after.bridges.at("br-a").static_macs[0]);
}

TEST_CASE("an interface that moves between bridges leaves before it joins") {
  std::string after = with("[lan1, vx0]", "[lan1, vx0, veth1]");
  const std::string_view old_members = "[veth1, gnv0]";
  after.replace(after.find(old_members), old_members.size(), "[gnv0]");
  const std::string_view old_mac = ", {mac: 02:00:00:00:02:01, port: veth1, vlan: 7}";
  after.replace(after.find(old_mac), old_mac.size(), "");
  CHECK(diff(kGateway, after) == Texts{"- bridge br-a static-mac 02:00:00:00:02:01 vlan 7 port veth1",
                                       "- bridge br-a interface veth1", "+ bridge br-b interface veth1"});
}

TEST_CASE("a name that goes from tunnel to ethernet is another interface") {
  constexpr std::string_view before = R"(version: 1
ethernets: {up0: {addresses: [10.0.0.1/8]}}
bridges: {br: {interfaces: [x], static-macs: [{mac: 02:00:00:00:02:01, port: x}]}}
tunnels: {x: {mode: vxlan, id: 1, local: 10.0.0.1, remote: 10.0.0.2}}
)";
  constexpr std::string_view after = R"(version: 1
ethernets: {up0: {addresses: [10.0.0.1/8]}, x: {}}
bridges: {br: {interfaces: [x], static-macs: [{mac: 02:00:00:00:02:01, port: x}]}}
)";
  CHECK(diff(before, after) == Texts{"- bridge br static-mac 02:00:00:00:02:01 port x", "- bridge br interface x",
                                     "- tunnel x", "+ ethernet x interface", "+ bridge br interface x",
                                     "+ bridge br static-mac 02:00:00:00:02:01 port x"});
  CHECK(diff(after, before) == Texts{"- bridge br static-mac 02:00:00:00:02:01 port x", "- bridge br interface x",
                                     "- ethernet x", "+ tunnel x vxlan id 1 10.0.0.1 -> 10.0.0.2",
                                     "+ bridge br interface x", "+ bridge br static-mac 02:00:00:00:02:01 port x"});
}

TEST_CASE("system keys need a restart and say so") {
  CHECK(diff("version: 1\nsystem: {workers: 2, memory: 1G, control-core: 0}",
             "version: 1\nsystem: {workers: [1, 2], idle: busy, hugepages: off, flow-cache: 1024, name: x}") ==
        Texts{"! system.name: gw -> x needs a restart", "! system.workers: 2 -> [1, 2] needs a restart",
              "! system.control-core: 0 -> default needs a restart", "! system.idle: adaptive -> busy needs a restart",
              "! system.hugepages: auto -> off needs a restart", "! system.memory: 1024M -> 512M needs a restart",
              "! system.flow-cache: 262144 -> 1024 needs a restart"});
  const Config one = loaded("version: 1\nsystem: {workers: 1}");
  const Config two = loaded("version: 1\nsystem: {workers: 2}");
  const auto operations = diff_config(one, two);
  REQUIRE(operations.size() == 1);
  CHECK(operations[0].kind == OperationKind{Thing::system, Verb::change});
  CHECK(operations[0].name == "system.workers");
}

// What gateway/apply relies on: at no time does something stand on what is gone or not there yet.
TEST_CASE("kinds come in their order, whatever changes") {
  std::string gateway = with("  veth1: {}\n",
                             "  veth1: {}\n  d0: {dpdk: {devargs: net_null0}}\n"
                             "  d1: {dpdk: {devargs: net_null1}}\n");
  constexpr std::string_view kAddresses = "addresses: [172.31.0.1/24, \"fd00::1/64\"]";
  gateway.insert(gateway.find(kAddresses) + kAddresses.size(), ", host: true");
  const Config before =
      loaded(gateway +
             "vlans: {v1: {id: 1, link: lan1}, v2: {id: 2, link: lan1}}\n"
             "mirrors: {m1: {select-all: true, output-vlan: 5}, m2: {select-all: true, output-vlan: 5}}\n");
  const Config after = loaded(R"(version: 1
system: {workers: 2}
ethernets:
  d0: {dpdk: {devargs: net_null1}}
  d1: {dpdk: {devargs: net_null0}}
  lan1: {tap: {rx-queues: 1}}
  lan2: {}
  up0: {dpdk: {devargs: "0000:18:00.0"}, addresses: [172.31.0.1/24], mtu: 9000, host: {interface: mine}}
bridges:
  br-b: {interfaces: [lan1, lan2], parameters: {ageing-time: 1}, static-macs: [{mac: 02:00:00:00:02:02, port: lan2}]}
  br-c: {interfaces: [vx1, gnv0]}
tunnels:
  gnv0: {mode: geneve, id: 124, local: 172.31.0.1, remote: 172.31.0.2}
  vx1: {mode: vxlan, id: 100, local: 172.31.0.1, remote: 172.31.0.3}
vlans: {v2: {id: 2, link: lan1, mtu: 1400}, v3: {id: 3, link: lan1}}
sflow: {targets: [192.0.2.1]}
mirrors: {m2: {select-all: true, output-vlan: 6}, m3: {select-all: true, output-vlan: 5}}
)");
  const auto operations = diff_config(before, after);
  CHECK(std::is_sorted(operations.begin(), operations.end(),
                       [](const Operation& a, const Operation& b) { return order_of(a.kind) < order_of(b.kind); }));
  std::vector<OperationKind> kinds;
  for (const Operation& operation : operations) kinds.push_back(operation.kind);
  for (const OperationKind kind : kOperationOrder) {
    INFO(to_string(kind));
    CHECK(std::count(kinds.begin(), kinds.end(), kind) >= 1);
  }
}

TEST_CASE("a host path comes after its underlay and goes before it, whatever it is called") {
  constexpr std::string_view kWithout = "version: 1\nethernets: {up0: {addresses: [10.0.0.1/24]}}\n";
  constexpr std::string_view kWith = "version: 1\nethernets: {up0: {addresses: [10.0.0.1/24], host: {interface: a}}}\n";
  CHECK(diff(kWithout, kWith) == Texts{"~ ethernet up0: host none -> a", "+ host-path a of up0"});
  CHECK(diff(kWith, kWithout) == Texts{"- host-path a", "~ ethernet up0: host a -> none"});
  const Texts added = diff(kNothing, kWith);
  REQUIRE(added.size() == 2);
  CHECK(added[1] == "+ host-path a of up0");
  CHECK(diff(kWith, kNothing) == Texts{"- host-path a", "- ethernet up0"});
}

TEST_CASE("sFlow begins, changes and ends in place") {
  constexpr std::string_view kSflow = "version: 1\nsflow: {targets: [192.0.2.1, \"[2001:db8::1]:99\"]}\n";
  constexpr std::string_view kOther = "version: 1\nsflow: {targets: [192.0.2.1], polling: 5}\n";
  CHECK(diff(kNothing, kSflow) == Texts{"+ sflow to [192.0.2.1:6343, [2001:db8::1]:99]"});
  CHECK(diff(kSflow, kOther) == Texts{"~ sflow: targets -[2001:db8::1]:99, polling 30 -> 5"});
  CHECK(diff(kOther, kNothing) == Texts{"- sflow"});
}

TEST_CASE("VLANs come after their links and go before them, whatever their names") {
  constexpr std::string_view kVlans = R"(version: 1
ethernets: {up0: {}}
vlans:
  a.100: {id: 100, link: up0, addresses: [172.31.0.1/24]}
  a.200: {id: 200, link: up0, vlan: {mode: trunk, trunks: [10, 20-22]}}
bridges: {br0: {interfaces: [a.200]}}
)";
  CHECK(diff(kNothing, kVlans) == Texts{"+ ethernet up0 interface", "+ vlan a.100 id 100 link up0 172.31.0.1/24",
                                        "+ vlan a.200 id 200 link up0", "+ bridge br0",
                                        "+ bridge br0 interface a.200"});
  CHECK(diff(kVlans, kNothing) ==
        Texts{"- bridge br0 interface a.200", "- bridge br0", "- vlan a.100", "- vlan a.200", "- ethernet up0"});
  const auto change = [&](std::string_view piece, std::string_view replacement) {
    std::string text(kVlans);
    const size_t at = text.find(piece);
    REQUIRE(at != std::string::npos);
    return diff(kVlans, text.replace(at, piece.size(), replacement));
  };
  CHECK(change("20-22", "20") == Texts{"~ vlan a.200: vlan trunk 10,20-22 -> trunk 10,20"});
  CHECK(change("172.31.0.1", "172.31.0.2") == Texts{"~ vlan a.100: addresses +172.31.0.2/24 -172.31.0.1/24"});
  // With another ID it is another interface.
  CHECK(change("id: 200", "id: 201") == Texts{"- bridge br0 interface a.200", "- vlan a.200",
                                              "+ vlan a.200 id 201 link up0", "+ bridge br0 interface a.200"});
  // A device is opened for what its VLANs are.
  CHECK(change(", addresses: [172.31.0.1/24]", "") ==
        Texts{"~ ethernet up0: underlay-vlans true -> false (reopens the device)",
              "~ vlan a.100: addresses -172.31.0.1/24"});
}

TEST_CASE("VLAN modes of ports and tunnels change in place") {
  CHECK(diff(kGateway, with("lan1: {", "lan1: {vlan: {mode: native, tag: 10}, ")) ==
        Texts{"~ ethernet lan1: vlan none -> native 10, trunk all"});
  CHECK(diff(kGateway, with("vx0: {", "vx0: {vlan: {mode: access, tag: 10}, ")) ==
        Texts{"~ tunnel vx0: vlan none -> access 10"});
}
