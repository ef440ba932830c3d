// The host path (`host`): what isn't a tunnel's frame goes to the host's own port, within bounds by its kind, and what
// the host sends goes out.
#include <rte_cycles.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "control/config/address_text.h"
#include "control/view/view.h"
#include "dataplane/ingress/for_host.h"
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }
using Sequence = std::vector<Bytes>;

// up0 with `more` in its braces, and a tunnel over it.
std::string topology(const std::string& more) {
  return R"(
version: 1
ethernets:
  lan0: {}
  up0: {macaddress: 02:00:00:00:00:01, )" +
         more + R"(}
tunnels:
  vx0: {mode: vxlan, id: 100, local: 172.31.0.1, remote: 172.31.0.2}
bridges:
  br0: {interfaces: [lan0, vx0]}
)";
}

const std::string kAddresses = R"(addresses: [172.31.0.1/24, "fd00:31::1/64"])";
const std::string kNeighbor = ", neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]";
const std::string kHostPath = topology(kAddresses + kNeighbor + ", host: true");

std::vector<std::string> of_kind(const std::string& kind) { return pipeline_frames().names("host-path." + kind + "."); }

nlohmann::json row(Bed& bed, const std::string& table, const std::string& name) {
  for (const nlohmann::json& each : show(bed.gateway(), table)) {
    if (each["name"] == name) return each;
  }
  return {};
}

Bytes tagged(Bytes bytes, uint16_t vlan) {
  const std::array<uint8_t, 4> tag{0x81, 0x00, static_cast<uint8_t>(vlan >> 8), static_cast<uint8_t>(vlan)};
  bytes.insert(bytes.begin() + 12, tag.begin(), tag.end());
  return bytes;
}

}  // namespace

TEST_CASE("host path: what isn't a tunnel's frame goes to the host as it came") {
  Bed bed(kHostPath);
  bed.run();
  bed.nothing_sent();
  for (const char* kind : {"neighbor", "routing", "icmp", "bulk"}) {
    const auto names = of_kind(kind);
    REQUIRE(!names.empty());
    for (const std::string& name : names) {
      CAPTURE(name);
      const Counts before = bed.counts();
      bed.send("up0", frame(name));
      CHECK(bed.take_bytes("host-up0") == Sequence{frame(name)});
      CHECK(bed.nothing_sent());
      const Counts rise = bed.counts() - before;
      CHECK(to_text(rise) == "");
      CHECK(rise.rx == 1);
      CHECK(rise.tx == 1);
    }
  }
}

TEST_CASE("host path: frames are counted by what they are for") {
  MbufPool pool(64);
  const auto kind_of = [&](const std::string& name) {
    rte_mbuf* const m = to_mbuf(pool, frame(name), {});
    const HostKind kind = host_kind_of(m);
    rte_pktmbuf_free(m);
    return kind;
  };
  for (const std::string& name : of_kind("neighbor")) {
    CAPTURE(name);
    CHECK(kind_of(name) == HostKind::neighbor);
  }
  for (const std::string& name : of_kind("routing")) {
    CAPTURE(name);
    CHECK(kind_of(name) == HostKind::routing);
  }
  for (const std::string& name : of_kind("icmp")) {
    CAPTURE(name);
    CHECK(kind_of(name) == HostKind::icmp);
  }
  for (const std::string& name : of_kind("bulk")) {
    CAPTURE(name);
    CHECK(kind_of(name) == HostKind::bulk);
  }
}

TEST_CASE("host path: tunnels' frames, broken ones and others' die of what they died of") {
  Bed bed(kHostPath);
  bed.run();
  bed.nothing_sent();
  for (const std::string& name : of_kind("refused")) {
    CAPTURE(name);
    const Counts before = bed.counts();
    bed.send("up0", frame(name));
    CHECK(bed.nothing_sent());
    CHECK(to_text(bed.counts() - before) == name.substr(name.rfind('.') + 1) + " 1");
  }
}

TEST_CASE("host path: what the host sends leaves by the underlay") {
  Bed bed(kHostPath);
  bed.run();
  bed.nothing_sent();
  for (const std::string& name : of_kind("sent")) {
    CAPTURE(name);
    bed.send("host-up0", frame(name));
    CHECK(bed.take_bytes("up0") == Sequence{frame(name)});
    CHECK(bed.nothing_sent());
  }
  CHECK(bed.counts().all_drops() == 0);
  const nlohmann::json host = row(bed, "ports", "host-up0");
  CHECK(host["rx_packets"] == of_kind("sent").size());
  CHECK(host["host_path"] == "up0");
  CHECK(row(bed, "ports", "up0")["host_path"] == "host-up0");
}

TEST_CASE("host path: a neighbor's answer is ours and the host's, and each frame is counted once") {
  Bed bed(topology("addresses: [172.31.0.1/24], host: true"));
  bed.run();
  CHECK(bed.take_bytes("up0") == Sequence{frame("arp.who-is.2")});
  const Counts before = bed.counts();
  bed.send("up0", frame("arp.is-at.2"));
  CHECK(bed.take_bytes("host-up0") == Sequence{frame("arp.is-at.2")});
  CHECK(show(bed.gateway(), "neighbors")[0]["state"] == "reachable");
  const Counts rise = bed.counts() - before;
  CHECK(rise.all_drops() == 0);
  CHECK(rise.rx + rise.from_control == rise.tx + rise.to_control);
  CHECK(rise.to_control == 1);
  // It asks in turn, and the host alone answers.
  bed.send("up0", frame("arp.gratuitous-moved.2"));
  CHECK(bed.take("up0").empty());
  CHECK(bed.take_bytes("host-up0") == Sequence{frame("arp.gratuitous-moved.2")});
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("host path: a flood is cut to a bound, and takes nothing from other kinds") {
  Bed bed(kHostPath);
  bed.run();
  bed.nothing_sent();
  constexpr size_t kFlood = 2000;
  const auto bulk = static_cast<size_t>(HostKind::bulk);
  const uint32_t began = tick_of(rte_rdtsc());
  for (size_t i = 0; i < kFlood; ++i) bed.deliver("up0", frame("host-path.bulk.dns"));
  bed.run_worker();
  const uint32_t ticks = tick_of(rte_rdtsc()) - began + 1;
  const size_t passed = bed.take("host-up0").size();
  CHECK(passed >= kHostShares[bulk].most);
  CHECK(passed <= kHostShares[bulk].most + ticks * kHostShares[bulk].per_tick);
  CHECK(bed.counts().of(DropReason::host_limit) == kFlood - passed);
  CHECK(row(bed, "ports", "up0")["rx_drops"] == kFlood - passed);
  for (const char* name : {"host-path.neighbor.arp", "host-path.routing.bgp", "host-path.icmp.echo"}) {
    CAPTURE(name);
    bed.send("up0", frame(name));
    CHECK(bed.take_bytes("host-up0") == Sequence{frame(name)});
  }
}

TEST_CASE("host path: of a VLAN, without its tag") {
  Bed bed(R"(
version: 1
ethernets:
  dev0: {macaddress: 02:00:00:00:00:01}
vlans:
  a.6: {id: 6, link: dev0, addresses: [172.31.0.1/24], host: {interface: net6}}
)");
  bed.run();
  bed.nothing_sent();
  const Bytes& in = frame("host-path.routing.bgp");
  bed.send("dev0", tagged(in, 6));
  CHECK(bed.take_bytes("net6") == Sequence{in});
  const Bytes& out = frame("host-path.sent.tcp");
  bed.send("net6", out);
  CHECK(bed.take_bytes("dev0") == Sequence{tagged(out, 6)});
  CHECK(bed.counts().all_drops() == 0);
  // Without a tag it is not the VLAN's.
  bed.send("dev0", in);
  CHECK(bed.nothing_sent());
}

TEST_CASE("host path: comes and goes while the gateway runs, and answers for its addresses meanwhile") {
  const std::string without = topology(kAddresses + kNeighbor);
  Bed bed(without);
  const auto answered_by_us = [&] {
    bed.nothing_sent();
    bed.send("up0", frame("arp.asks-us.3"));
    return bed.take_bytes("up0") == Sequence{frame("arp.our-answer.3")};
  };
  CHECK(answered_by_us());
  REQUIRE(bed.apply(kHostPath).empty());
  bed.run();
  CHECK(!answered_by_us());
  CHECK(bed.take_bytes("host-up0") == Sequence{frame("arp.asks-us.3")});
  REQUIRE(bed.apply(without).empty());
  bed.run();
  CHECK(row(bed, "ports", "host-up0").is_null());
  CHECK(answered_by_us());
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("host path: without its port frames die counted, and an underlay that is gone comes back with it") {
  Bed bed(kHostPath);
  bed.run();
  bed.nothing_sent();
  bed.disappear("host-up0");
  bed.gateway().tick();
  bed.send("up0", frame("host-path.bulk.ssh"));
  CHECK(to_text(bed.counts()) == "port_down 1");
  bed.appear("host-up0");
  bed.gateway().tick();
  bed.run();
  bed.send("up0", frame("host-path.bulk.ssh"));
  CHECK(bed.take_bytes("host-up0") == Sequence{frame("host-path.bulk.ssh")});
}

TEST_CASE("host path: the host's addresses are those that it has at its end") {
  Bed bed(R"(
version: 1
ethernets:
  up0: {dpdk: {devargs: "net_null0"}, macaddress: 02:00:00:00:00:01, addresses: host, host: true}
  lan0: {}
tunnels:
  vx0: {mode: vxlan, id: 100, remote: 172.31.0.2}
bridges:
  br0: {interfaces: [lan0, vx0]}
)");
  bed.run();
  CHECK(row(bed, "tunnels", "vx0")["local"] == "none");
  HostNetwork network;
  network.addresses = {*parse_prefix("172.31.0.1/24")};
  RouteMessage route;
  route.table = config::kMainTable;
  route.to = *parse_prefix("172.31.0.0/24");
  route.source = *parse_ip("172.31.0.1");
  route.hops = {{7, {}}};
  HostRoutes& routes = bed.gateway().host_routes();
  routes.begin_dump();
  routes.link({false, 7, "host-up0", true}, true);
  routes.route(route, true);
  routes.all_told();
  bed.port("host-up0").set_host_network(network);
  bed.gateway().host_networks_changed();
  bed.gateway().tick();
  bed.run();
  CHECK(row(bed, "tunnels", "vx0")["local"] == "172.31.0.1");
  const Sequence asked = bed.take_bytes("up0");
  CHECK(std::ranges::count(asked, frame("arp.who-is.2")) == 1);
  bed.send("up0", frame("host-path.icmp.echo"));
  CHECK(bed.take_bytes("host-up0") == Sequence{frame("host-path.icmp.echo")});
}

}  // namespace causeway::test
