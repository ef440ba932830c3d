// Several ways to a VTEP: longest prefix, metric, equal cost, links and next hops that fail.
#include <nlohmann/json.hpp>
#include <set>

#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {
namespace {

// Spines 172.31.1.9 behind up0, 172.31.2.9 and 172.31.2.8 behind up1; the VTEP's address is a host's.
std::string topology(const std::string& local, const std::string& up0_routes, const std::string& up1_routes,
                     const std::string& neighbors = "{to: 172.31.1.9, macaddress: 02:00:00:00:01:09}") {
  return R"(
version: 1
ethernets:
  lan0: {}
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: [192.0.2.1/32, 172.31.1.1/24]
    routes: [)" +
         up0_routes + R"(]
    neighbors: [)" +
         neighbors + R"(]
  up1:
    macaddress: 02:00:00:00:00:02
    mtu: 1400
    addresses: [172.31.2.1/24]
    routes: [)" +
         up1_routes + R"(]
    neighbors: [{to: 172.31.2.9, macaddress: 02:00:00:00:02:09}, {to: 172.31.2.8, macaddress: 02:00:00:00:02:08}]
tunnels:
  gn0: {mode: geneve, id: 50, local: )" +
         local + R"(, remote: 198.51.100.5}
bridges:
  br0: {interfaces: [lan0, gn0]}
)";
}

// Flows by the next hop's MAC, its last two bytes.
std::map<uint16_t, std::set<size_t>> ways_of_flows(Bed& bed) {
  std::map<uint16_t, std::set<size_t>> ways;
  const auto flows = pipeline_frames().sequence("flows.source-port");
  for (size_t i = 0; i < flows.size(); ++i) bed.deliver("lan0", flows[i]);
  bed.run();
  size_t sent = 0;
  for (const char* port : {"up0", "up1"}) {
    const uint16_t own = std::string(port) == "up0" ? 1 : 2;
    for (const Bytes& frame : bed.take_bytes(port)) {
      CHECK(frame.at(11) == own);
      CHECK(frame.at(4) == own);
      const size_t inner_udp = 14 + 20 + 8 + 8 + 14 + 20;
      ways[read16(frame, 4)].insert(read16(frame, inner_udp));
      ++sent;
    }
  }
  CHECK(sent == flows.size());
  return ways;
}

constexpr uint16_t kSpine1 = 0x0109;
constexpr uint16_t kSpine2 = 0x0209;
constexpr uint16_t kSpine3 = 0x0208;
constexpr const char* kDefault1 = "{to: default, via: 172.31.1.9}";
constexpr const char* kDefault2 = "{to: default, via: 172.31.2.9}";

nlohmann::json tunnel(Bed& bed) { return show(bed.gateway(), "tunnels").at(0); }

void set_link(Bed& bed, const std::string& port, bool up) {
  bed.port(port).set_link(up);
  bed.gateway().tick();
  bed.run();
  bed.nothing_sent();  // but announcements
}

}  // namespace

TEST_CASE("routes: flows spread over next hops of equal cost, and each keeps its own") {
  Bed bed(topology("192.0.2.1", kDefault1, "{to: default, via: 172.31.2.9}, {to: default, via: 172.31.2.8}"));
  const auto ways = ways_of_flows(bed);
  REQUIRE(ways.size() == 3);
  for (const auto& [mac, flows] : ways) CHECK(flows.size() > 64 / 3 / 3);
  CHECK(ways_of_flows(bed) == ways);
  CHECK(bed.counts().all_drops() == 0);
  CHECK(tunnel(bed)["next_hops"].size() == 3);
  CHECK(tunnel(bed)["mtu"] == 1350);  // of the narrowest
  CHECK(bed.worker().counters().tunnels[bed.gateway().adjacencies_of("gn0").front()].tx_packets.get() == 128);
}

// Routers behind a way choose by the port once more.
TEST_CASE("routes: a flow's way says nothing of its UDP source port") {
  Bed bed(topology("192.0.2.1", kDefault1, kDefault2));
  for (const Bytes& flow : pipeline_frames().sequence("flows.source-port")) bed.deliver("lan0", flow);
  bed.run();
  for (const char* port : {"up0", "up1"}) {
    CAPTURE(port);
    std::map<bool, size_t> flows;  // by the half of 32,768 to 60,999 that their ports are in
    for (const Bytes& bytes : bed.take_bytes(port)) ++flows[entropy_of(bytes).source_port >= 46884];
    CHECK(flows[false] >= 8);
    CHECK(flows[true] >= 8);
  }
}

TEST_CASE("routes: outer headers are those of the way, byte for byte") {
  Bed bed(topology("192.0.2.1", kDefault1, kDefault2));
  const auto flows = pipeline_frames().sequence("flows.source-port");
  std::set<std::string> ports;
  for (size_t i = 0; i < flows.size(); ++i) {
    bed.send("lan0", flows[i]);
    const auto up0 = bed.take_bytes("up0");
    const auto up1 = bed.take_bytes("up1");
    REQUIRE(up0.size() + up1.size() == 1);
    ports.insert(up0.empty() ? "up1" : "up0");
    const std::string name = up0.empty() ? "routes.up1" : "routes.up0";
    check_outer(up0.empty() ? up1.front() : up0.front(), pipeline_frames().sequence(name).at(i));
  }
  CHECK(ports.size() == 2);
}

TEST_CASE("routes: the longest prefix wins, then the lowest metric") {
  const auto only = [](const std::string& up0, const std::string& up1, uint16_t spine) {
    CAPTURE(up0, up1);
    Bed bed(topology("192.0.2.1", up0, up1));
    const auto ways = ways_of_flows(bed);
    REQUIRE(ways.size() == 1);
    CHECK(ways.begin()->first == spine);
  };
  only(kDefault1, "{to: 198.51.100.0/24, via: 172.31.2.9, metric: 100}", kSpine2);
  only("{to: default, via: 172.31.1.9, metric: 10}", "{to: default, via: 172.31.2.9, metric: 20}", kSpine1);
  only("{to: default, via: 172.31.1.9, metric: 30}",
       "{to: default, via: 172.31.2.9, metric: 30}, {to: default, via: 172.31.2.8, metric: 29}", kSpine3);
}

TEST_CASE("routes: an address in a network of a port's leaves by that port") {
  Bed bed(topology("172.31.2.1", kDefault1, kDefault2));
  CHECK(ways_of_flows(bed).count(kSpine2) == 1);
  CHECK(ways_of_flows(bed).size() == 1);
}

TEST_CASE("routes: a link that goes down moves its flows, and back they come") {
  Bed bed(topology("192.0.2.1", kDefault1, kDefault2));
  const auto before = ways_of_flows(bed);
  REQUIRE(before.size() == 2);
  set_link(bed, "up0", false);
  CHECK(ways_of_flows(bed).at(kSpine2).size() == 64);
  set_link(bed, "up1", false);
  const Counts counts = bed.counts();
  bed.send("lan0", pipeline_frames().sequence("flows.source-port").front());
  CHECK(to_text(bed.counts() - counts) == "no_flood_target 1");  // one that is blocked is none
  CHECK(tunnel(bed)["state"] == "no_route");
  set_link(bed, "up0", true);
  CHECK(ways_of_flows(bed).at(kSpine1).size() == 64);
  set_link(bed, "up1", true);
  CHECK(ways_of_flows(bed) == before);
}

TEST_CASE("routes: a backup of a higher metric takes over when the link is down") {
  Bed bed(topology("192.0.2.1", kDefault1, "{to: default, via: 172.31.2.9, metric: 100}"));
  CHECK(ways_of_flows(bed).at(kSpine1).size() == 64);
  set_link(bed, "up0", false);
  CHECK(ways_of_flows(bed).at(kSpine2).size() == 64);
}

TEST_CASE("routes: a next hop that does not answer gets no flows") {
  // The neighbor of up0 is not known yet: all flows go by the other, until it answers.
  Bed bed(topology("192.0.2.1", kDefault1, kDefault2, ""));
  bed.run();
  CHECK(bed.take_bytes("up0").size() == 1);  // who is 172.31.1.9?
  CHECK(ways_of_flows(bed).at(kSpine2).size() == 64);
  REQUIRE(bed.apply(topology("192.0.2.1", kDefault1, kDefault2)).empty());
  bed.run();
  CHECK(ways_of_flows(bed).size() == 2);
  REQUIRE(bed.apply(topology("192.0.2.1", "", kDefault2)).empty());
  CHECK(ways_of_flows(bed).at(kSpine2).size() == 64);
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("routes: a next hop in no network, on-link, is resolved on its port") {
  Bed bed(topology("192.0.2.1", "{to: default, via: 203.0.113.1, on-link: true}", "", ""));
  bed.run();
  CHECK(bed.take_bytes("up0") == std::vector<Bytes>{pipeline_frames()["routes.on-link.who-is"]});
  bed.send("up0", pipeline_frames()["routes.on-link.is-at"]);
  CHECK(show(bed.gateway(), "tunnels")[0]["state"] == "up");
  CHECK(ways_of_flows(bed).size() == 1);
  // As long as its link is up, and no longer than the file says so.
  CHECK(bed.apply(topology("192.0.2.1", "", "", "")).empty());
  CHECK(show(bed.gateway(), "tunnels")[0]["state"] == "no_route");
}

TEST_CASE("routes: the same link-local addresses on two links are two links' own") {
  Bed bed(R"(
version: 1
ethernets:
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: ["fe80::1/64", "fd00::1/128"]
    routes: [{to: "fd05::/16", via: "fe80::2"}]
    neighbors: [{to: "fe80::2", macaddress: 02:00:00:00:01:09}]
  up1:
    macaddress: 02:00:00:00:00:02
    addresses: ["fe80::1/64", "fe80::7/64"]
    routes: [{to: "fd05::/16", via: "fe80::2"}]
    neighbors: [{to: "fe80::2", macaddress: 02:00:00:00:02:09}]
tunnels:
  gn0: {mode: geneve, id: 50, local: "fd00::1", remote: "fd05::5"}
  gn1: {mode: geneve, id: 50, local: "fe80::7", remote: "fe80::2"}
bridges:
  br0: {interfaces: [gn0, gn1]}
)");
  const auto tunnels = show(bed.gateway(), "tunnels");
  CHECK(tunnels[0]["next_hops"].size() == 2);
  REQUIRE(tunnels[1]["next_hops"].size() == 1);  // a link-local remote is on the link of `local`
  CHECK(tunnels[1]["next_hops"][0]["port"] == "up1");
  bed.nothing_sent();
  for (const std::string port : {"up0", "up1"}) {
    bed.send(port, pipeline_frames()["routes.links." + port + ".asks"]);
    CHECK(bed.take_bytes(port) == std::vector<Bytes>{pipeline_frames()["routes.links." + port + ".answer"]});
    CHECK(bed.nothing_sent());
  }
}

}  // namespace causeway::test
