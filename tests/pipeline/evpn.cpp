// EVPN: what BGP says becomes VTEPs, flood lists and FDB entries, and what is heard here becomes news for it. The tests
// are the fabric.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "control/config/address_text.h"
#include "control/keep/gathering.h"
#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"
#include "tests/pipeline/bed/stopped_clock.h"
#include "tests/pipeline/bed/ways.h"

namespace causeway::test {
namespace {

using nlohmann::json;

constexpr uint32_t kVni = 100;
const std::string kVxlan = "evpn: {vni: 100, local: 172.31.0.1}";

// Hosts 1 and 2 may be behind p1 and p2, VTEPs 2 and 3 are neighbors.
std::string topology(const std::string& bridge, const std::string& p1 = "", const std::string& p2 = "",
                     const std::string& members = "p1, p2", const std::string& tunnels = "") {
  return R"(
version: 1
ethernets:
  p1: {)" +
         p1 +
         R"(}
  p2: {)" +
         p2 + R"(}
  up0:
    macaddress: 02:00:00:00:00:01
    mtu: 1600
    addresses: [172.31.0.1/24, "fd00:31::1/64"]
    neighbors:
      - {to: 172.31.0.2, macaddress: 02:00:00:00:00:02}
      - {to: 172.31.0.3, macaddress: 02:00:00:00:00:03}
      - {to: 172.31.0.5, macaddress: 02:00:00:00:00:05}
      - {to: "fd00:31::2", macaddress: 02:00:00:00:00:02}
      - {to: "fd00:31::3", macaddress: 02:00:00:00:00:03}
tunnels: {)" +
         tunnels + "}\nbridges:\n  br0: {interfaces: [" + members + "]" + (bridge.empty() ? "" : ", " + bridge) + "}\n";
}

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }

MacAddress host(int number) { return {{2, 0, 0, 0, 1, static_cast<uint8_t>(number)}}; }
IpAddress vtep(int number) { return IpAddress::v4(172, 31, 0, static_cast<uint8_t>(number)); }
IpAddress vtep6(int number) { return *parse_ip(fmt::format("fd00:31::{}", number)); }

Fabric& fabric(Bed& bed) { return bed.gateway().evpn().fabric(); }
const Fabric::Instance& instance(Bed& bed, uint32_t vni = kVni) { return fabric(bed).all().at(vni); }
bool advertised(Bed& bed, int number, uint32_t vni = kVni) {
  return instance(bed, vni).advertised.contains(host(number));
}

// BGP speaks, and is heard.
void names_vtep(Bed& bed, int number, uint32_t vni = kVni) {
  fabric(bed).vtep(vni, vtep(number));
  bed.run();
}
void names_mac(Bed& bed, int number, int at, bool sticky = false, uint32_t vni = kVni) {
  fabric(bed).remote_mac(vni, host(number), vtep(at), sticky);
  bed.run();
}

// "vx.3": by an instance to a VTEP.
Ways ways_out(Bed& bed, const std::string& name) {
  std::vector<std::string> tunnels;
  for (const char* const each : {"vx", "six", "gn", "ten", "twenty"}) {
    for (const int number : {2, 3}) tunnels.push_back(fmt::format("{}.{}", each, number));
  }
  return ways_out(bed, {"p1", "p2"}, frame("evpn." + name), tunnels, "evpn.out.", name);
}

Ways send(Bed& bed, const std::string& port, const std::string& name) {
  bed.wait_a_tick();
  bed.send(port, frame("evpn." + name));
  return ways_out(bed, name);
}

// From a VTEP: "vx.3".
Ways receive(Bed& bed, const std::string& way, const std::string& name) {
  bed.wait_a_tick();
  bed.send("up0", frame("evpn.in." + way + "." + name));
  return ways_out(bed, name);
}

json row(Bed& bed, const std::string& what, const std::string& key, const std::string& value) {
  for (const json& each : show(bed.gateway(), what)) {
    if (each.at(key) == value) return each;
  }
  return {};
}

void age(Bed& bed) {
  bed.gateway().fdb().age(static_cast<uint16_t>(bed.gateway().now_s() + 301));
  bed.run();
}

}  // namespace

TEST_CASE("evpn: type 3 makes the flood list, type 2 the way to a MAC") {
  struct Row {
    std::string yaml;
    std::string name;
    IpAddress (*vtep)(int);
  };
  const Row rows[] = {{kVxlan, "vx", vtep},
                      {"evpn: {vni: 100, local: \"fd00:31::1\"}", "six", vtep6},
                      {"evpn: {vni: 100, local: 172.31.0.1, mode: geneve}", "gn", vtep}};
  for (const Row& each : rows) {
    CAPTURE(each.yaml);
    const std::string to2 = each.name + ".2";
    const std::string to3 = each.name + ".3";
    Bed bed(topology(each.yaml));
    CHECK(send(bed, "p1", "1-all") == Ways{"p2"});
    fabric(bed).vtep(kVni, each.vtep(2));
    fabric(bed).vtep(kVni, each.vtep(3));
    bed.run();
    CHECK(send(bed, "p1", "1-all") == Ways{"p2", to2, to3});
    CHECK(send(bed, "p1", "1-2") == Ways{"p2", to2, to3});
    fabric(bed).remote_mac(kVni, host(2), each.vtep(2), false);
    bed.run();
    CHECK(send(bed, "p1", "1-2") == Ways{to2});
    CHECK(receive(bed, to2, "2-1") == Ways{"p1"});
    CHECK(receive(bed, to2, "2-all") == Ways{"p1", "p2"});  // VTEPs hear each other without us
    fabric(bed).remote_mac(kVni, host(2), each.vtep(3), false);
    bed.run();
    CHECK(send(bed, "p1", "1-2") == Ways{to3});
    CHECK(bed.counts().all_drops() == 0);
  }
}

TEST_CASE("evpn: who is no VTEP of the fabric is not heard, and nobody is learnt from it") {
  Bed bed(topology(kVxlan));
  CHECK(receive(bed, "vx.2", "2-all").empty());
  CHECK(to_text(bed.counts()) == "source_not_allowed 1");
  names_vtep(bed, 2);
  CHECK(receive(bed, "vx.2", "2-all") == Ways{"p1", "p2"});
  CHECK(receive(bed, "vx.3", "2-all").empty());
  CHECK(to_text(bed.counts()) == "source_not_allowed 2");
  CHECK(receive(bed, "ten.2", "2-all").empty());
  CHECK(to_text(bed.counts()) == "unknown_vni 1, source_not_allowed 2");
  CHECK(show(bed.gateway(), "fdb").empty());
  CHECK(send(bed, "p1", "1-2") == Ways{"p2", "vx.2"});
}

TEST_CASE("evpn: local MACs are advertised as long as they are known") {
  Bed bed(topology(kVxlan + ", static-macs: [{mac: 02:00:00:00:01:09, port: p2}]"));
  names_mac(bed, 3, 2);
  CHECK_FALSE(advertised(bed, 1));
  send(bed, "p1", "1-all");
  REQUIRE(advertised(bed, 1));
  CHECK_FALSE(instance(bed).advertised.at(host(1)));
  REQUIRE(advertised(bed, 9));
  CHECK(instance(bed).advertised.at(host(9)));  // it may not move
  CHECK_FALSE(advertised(bed, 3));
  age(bed);
  CHECK_FALSE(advertised(bed, 1));
  CHECK(advertised(bed, 9));
  CHECK(send(bed, "p1", "1-3") == Ways{"vx.2"});  // BGP's don't age
  CHECK(advertised(bed, 1));
  bed.gateway().fdb().remove_if([](const Fdb::Entry& entry) { return entry.is_learnt(); });
  bed.run();
  CHECK_FALSE(advertised(bed, 1));
}

TEST_CASE("evpn: a bridge that has learnt already tells all it knows") {
  Bed bed(topology(""));
  send(bed, "p1", "1-all");
  CHECK(bed.apply(topology(kVxlan)).empty());
  bed.run();
  CHECK(advertised(bed, 1));
}

TEST_CASE("evpn: MACs behind the bridge's other tunnels are local") {
  Bed bed(topology(kVxlan, "", "", "p1, p2, gn1",
                   "gn1: {mode: geneve, id: 12, local: 172.31.0.1, remote: 172.31.0.5, isolated: false}"));
  names_vtep(bed, 2);
  bed.send("up0", frame("in.gn1.5.5-all"));
  CHECK(bed.take_bytes("up0").size() == 1);  // to the VTEP
  CHECK(advertised(bed, 5));
}

TEST_CASE("evpn: a host moves away and back, and each time all know") {
  Bed bed(topology(kVxlan));
  names_vtep(bed, 2);
  send(bed, "p2", "2-all");
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    names_mac(bed, 1, round % 2 == 0 ? 2 : 3);
    CHECK(send(bed, "p2", "2-1") == Ways{round % 2 == 0 ? "vx.2" : "vx.3"});
    CHECK_FALSE(advertised(bed, 1));
    CHECK(instance(bed).macs.contains(host(1)));
    send(bed, "p1", "1-all");
    CHECK(send(bed, "p2", "2-1") == Ways{"p1"});
    CHECK(advertised(bed, 1));
    CHECK_FALSE(instance(bed).macs.contains(host(1)));
    CHECK(instance(bed).vteps.size() == 1);  // the one that wants floods
  }
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("evpn: sticky MACs don't move, neither the fabric's nor ours") {
  Bed bed(topology(kVxlan + ", static-macs: [{mac: 02:00:00:00:01:03, port: p1}]"));
  names_vtep(bed, 2);
  send(bed, "p2", "2-all");
  names_mac(bed, 1, 2, true);
  send(bed, "p1", "1-all");
  CHECK(send(bed, "p2", "2-1") == Ways{"vx.2"});
  CHECK_FALSE(advertised(bed, 1));
  names_mac(bed, 1, 2, false);  // no longer
  send(bed, "p1", "1-all");
  CHECK(send(bed, "p2", "2-1") == Ways{"p1"});
  names_mac(bed, 3, 2);
  CHECK(send(bed, "p2", "2-3") == Ways{"p1"});
  CHECK(advertised(bed, 3));
  CHECK_FALSE(bed.gateway().remove_static_mac("br0", {host(3), "p1", 0}));
  bed.run();
  CHECK(send(bed, "p2", "2-3") == Ways{"vx.2"});
  CHECK_FALSE(advertised(bed, 3));
}

TEST_CASE("evpn: what is withdrawn goes, and VTEPs that nothing names") {
  StoppedClock clock;
  Bed bed(topology(kVxlan));
  names_vtep(bed, 2);
  names_mac(bed, 2, 3);  // of VTEP 3 a type-2 route alone is known
  names_mac(bed, 3, 2);
  CHECK(send(bed, "p1", "1-all") == Ways{"p2", "vx.2"});
  CHECK(send(bed, "p1", "1-2") == Ways{"vx.3"});
  fabric(bed).remote_mac_gone(kVni, host(2));
  clock.advance(Fabric::kQuiet);
  bed.run();
  CHECK(instance(bed).vteps.size() == 1);
  CHECK(send(bed, "p1", "1-2") == Ways{"p2", "vx.2"});
  CHECK(receive(bed, "vx.3", "2-1").empty());
  CHECK(to_text(bed.counts()) == "source_not_allowed 1");
  names_vtep(bed, 3);
  fabric(bed).vtep_gone(kVni, vtep(2));
  clock.advance(Fabric::kQuiet);
  bed.run();
  CHECK(send(bed, "p1", "1-all") == Ways{"p2", "vx.3"});
  CHECK(send(bed, "p1", "1-3") == Ways{"vx.2"});  // still behind it
  CHECK_FALSE(instance(bed).held_until);
}

TEST_CASE("evpn: what is named again within a moment was never away") {
  StoppedClock clock;
  Bed bed(topology(kVxlan));
  names_vtep(bed, 2);
  names_vtep(bed, 3);
  names_mac(bed, 3, 2);
  for (int i = 0; i < 2; ++i) {
    fabric(bed).remote_mac_gone(kVni, host(3));
    fabric(bed).vtep_gone(kVni, vtep(2));
    names_vtep(bed, 2);
    names_mac(bed, 3, 2);
  }
  clock.advance(Fabric::kQuiet);
  bed.run();
  CHECK(send(bed, "p1", "1-3") == Ways{"vx.2"});
  CHECK(send(bed, "p1", "1-all") == Ways{"p2", "vx.2", "vx.3"});
  CHECK(bed.gateway().fdb().bridge(instance(bed).bridge).fabric_macs == 1);
}

TEST_CASE("evpn: a fabric that falls silent as a whole is believed for a while") {
  StoppedClock clock;
  Bed bed(topology("evpn: {vni: 100, local: 172.31.0.1, hold: 60}"));
  names_vtep(bed, 2);
  names_vtep(bed, 3);
  names_mac(bed, 2, 2);
  names_mac(bed, 3, 3);
  const auto withdraw_all = [&] {
    for (const int number : {2, 3}) {
      fabric(bed).remote_mac_gone(kVni, host(number));
      bed.run();
      fabric(bed).vtep_gone(kVni, vtep(number));
      bed.run();
    }
    clock.advance(Fabric::kQuiet);
    bed.run();
  };
  withdraw_all();
  CHECK(send(bed, "p1", "1-2") == Ways{"vx.2"});
  CHECK(send(bed, "p1", "1-all") == Ways{"p2", "vx.2", "vx.3"});
  CHECK(receive(bed, "vx.3", "3-1") == Ways{"p1"});
  auto held = fabric(bed).held(instance(bed), Fabric::Clock::now());
  CHECK(held.vteps == 2);
  CHECK(held.macs == 2);
  CHECK(held.left == std::chrono::seconds(60));
  // Half of it comes again, and the rest doesn't.
  names_vtep(bed, 2);
  names_mac(bed, 2, 2);
  held = fabric(bed).held(instance(bed), Fabric::Clock::now());
  CHECK(held.vteps == 1);
  CHECK(held.macs == 1);
  clock.advance(std::chrono::seconds(60));
  bed.run();
  CHECK(send(bed, "p1", "1-2") == Ways{"vx.2"});
  CHECK(send(bed, "p1", "1-all") == Ways{"p2", "vx.2"});
  CHECK(receive(bed, "vx.3", "3-1").empty());
  CHECK(to_text(bed.counts()) == "source_not_allowed 1");
  // A host that speaks here meanwhile is here.
  withdraw_all();
  CHECK(fabric(bed).held(instance(bed), Fabric::Clock::now()).macs == 1);
  send(bed, "p2", "2-all");
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});
  CHECK(advertised(bed, 2));
  clock.advance(std::chrono::seconds(60));
  bed.run();
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});
  CHECK(send(bed, "p1", "1-all") == Ways{"p2"});
  CHECK(instance(bed).vteps.empty());
  CHECK(instance(bed).macs.empty());
}

TEST_CASE("evpn: a VTEP that is withdrawn whole is believed for a while") {
  StoppedClock clock;
  Bed bed(topology("evpn: {vni: 100, local: 172.31.0.1, hold: 60}"));
  names_vtep(bed, 2);
  names_vtep(bed, 3);
  names_mac(bed, 2, 2);
  names_mac(bed, 4, 2);
  names_mac(bed, 3, 3);
  const auto withdraw = [&](std::initializer_list<int> macs) {
    for (const int number : macs) fabric(bed).remote_mac_gone(kVni, host(number));
    fabric(bed).vtep_gone(kVni, vtep(2));
    clock.advance(Fabric::kQuiet);
    bed.run();
  };
  const auto held = [&] { return fabric(bed).held(instance(bed), Fabric::Clock::now()); };
  withdraw({2, 4});
  CHECK(send(bed, "p1", "1-2") == Ways{"vx.2"});
  CHECK(send(bed, "p1", "1-3") == Ways{"vx.3"});
  CHECK(send(bed, "p1", "1-all") == Ways{"p2", "vx.2", "vx.3"});
  CHECK(receive(bed, "vx.2", "2-1") == Ways{"p1"});
  CHECK(held().vteps == 1);
  CHECK(held().macs == 2);
  // Of one that is there a MAC that is withdrawn is gone, meanwhile, too.
  fabric(bed).remote_mac_gone(kVni, host(3));
  clock.advance(Fabric::kQuiet);
  bed.run();
  CHECK(send(bed, "p1", "1-3") == Ways{"p2", "vx.2", "vx.3"});
  // A move counts at once.
  names_mac(bed, 2, 3);
  CHECK(send(bed, "p1", "1-2") == Ways{"vx.3"});
  CHECK(held().macs == 1);
  // It is back, and says less than before: the rest has its time.
  names_vtep(bed, 2);
  CHECK(held().vteps == 0);
  CHECK(held().macs == 1);
  // One that goes meanwhile has its own time, from when the first one's is over.
  clock.advance(std::chrono::seconds(30));
  withdraw({});
  CHECK(send(bed, "p1", "1-all") == Ways{"p2", "vx.2", "vx.3"});
  clock.advance(std::chrono::seconds(30));
  bed.run();
  CHECK_FALSE(instance(bed).macs.contains(host(4)));
  CHECK(send(bed, "p1", "1-all") == Ways{"p2", "vx.2", "vx.3"});
  CHECK(held().left == std::chrono::seconds(60));
  clock.advance(std::chrono::seconds(60));
  bed.run();
  CHECK(send(bed, "p1", "1-all") == Ways{"p2", "vx.3"});
  CHECK(send(bed, "p1", "1-2") == Ways{"vx.3"});
  CHECK(instance(bed).vteps.size() == 1);
  CHECK_FALSE(instance(bed).held_until);
}

TEST_CASE("evpn: without a hold silence counts") {
  StoppedClock clock;
  Bed bed(topology("evpn: {vni: 100, local: 172.31.0.1, hold: 0}"));
  names_vtep(bed, 2);
  names_mac(bed, 2, 2);
  fabric(bed).remote_mac_gone(kVni, host(2));
  fabric(bed).vtep_gone(kVni, vtep(2));
  clock.advance(Fabric::kQuiet);
  bed.run();
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});
  CHECK(instance(bed).vteps.empty());
}

TEST_CASE("evpn: two VLANs of a bridge, two VNIs") {
  Bed bed(topology("evpn: [{vni: 110, local: 172.31.0.1, vlan: 10}, {vni: 120, local: 172.31.0.1, vlan: 20}]",
                   "vlan: {mode: access, tag: 10}", "vlan: {mode: access, tag: 20}"));
  names_vtep(bed, 2, 110);
  names_vtep(bed, 2, 120);
  CHECK(send(bed, "p1", "1-all") == Ways{"ten.2"});
  CHECK(send(bed, "p2", "2-all") == Ways{"twenty.2"});
  CHECK(receive(bed, "ten.2", "3-all") == Ways{"p1"});
  CHECK(receive(bed, "twenty.2", "3-2") == Ways{"p2"});
  CHECK(advertised(bed, 1, 110));
  CHECK_FALSE(advertised(bed, 1, 120));
  CHECK(advertised(bed, 2, 120));
  names_vtep(bed, 3, 120);
  names_mac(bed, 3, 2, false, 120);
  CHECK(send(bed, "p1", "1-3") == Ways{"ten.2"});
  CHECK(send(bed, "p2", "2-3") == Ways{"twenty.2"});
  CHECK(send(bed, "p2", "2-1") == Ways{"twenty.2", "twenty.3"});
  CHECK(row(bed, "fdb", "mac", "02:00:00:00:01:03").at("vlan") == 20);
}

TEST_CASE("evpn: applied while it runs, changed and removed") {
  Bed bed(topology(""));
  CHECK(bed.apply(topology(kVxlan)).empty());
  names_vtep(bed, 2);
  names_mac(bed, 2, 2);
  send(bed, "p1", "1-all");
  // Its hold alone: nothing else notices.
  CHECK(bed.apply(topology("evpn: {vni: 100, local: 172.31.0.1, hold: 5}")).empty());
  CHECK(send(bed, "p1", "1-2") == Ways{"vx.2"});
  CHECK(bed.gateway().tunnels().find("evpn100")->settings.evpn->hold_s == 5);
  CHECK(bed.apply(topology("evpn: {vni: 100, local: 172.31.0.1, mode: geneve}")).empty());
  bed.run();
  CHECK(instance(bed).vteps.empty());
  CHECK(row(bed, "fdb", "mac", "02:00:00:00:01:02").is_null());
  CHECK(advertised(bed, 1));
  names_vtep(bed, 3);
  CHECK(send(bed, "p1", "1-2") == Ways{"p2", "gn.3"});
  names_mac(bed, 2, 3);
  CHECK(send(bed, "p1", "1-2") == Ways{"gn.3"});
  CHECK(bed.apply(topology("")).empty());
  bed.run();
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});
  CHECK(fabric(bed).all().empty());
  CHECK(show(bed.gateway(), "tunnels").empty());
  names_vtep(bed, 2);  // of a VNI that was ours
  CHECK(bed.apply(topology(kVxlan)).empty());
  bed.run();
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});
  CHECK(advertised(bed, 1));
}

TEST_CASE("evpn: what shows it") {
  Bed bed(topology(kVxlan));
  CHECK(row(bed, "tunnels", "name", "evpn100").at("state") == "up");
  names_vtep(bed, 2);
  names_mac(bed, 2, 2);
  const json mac = row(bed, "fdb", "mac", "02:00:00:00:01:02");
  CHECK(mac.at("type") == "evpn");
  CHECK(mac.at("port") == "evpn100");
  CHECK(mac.at("remote") == "172.31.0.2");
  CHECK(mac.at("age_s") == 0);
  const json tunnel = row(bed, "tunnels", "name", "evpn100");
  CHECK(tunnel.at("bridge") == "br0");
  CHECK(tunnel.at("remote").empty());
  CHECK(tunnel.at("mtu") == 1550);
  REQUIRE(tunnel.at("vteps").size() == 1);
  CHECK(tunnel.at("vteps")[0].at("remote") == "172.31.0.2");
  CHECK(tunnel.at("per_remote").size() == 1);
  const Error refused = bed.gateway().add_static_mac("br0", {host(7), "evpn100", 0});
  CHECK(refused.text() == "evpn100 is a fabric's: BGP says which MACs are there");
}

TEST_CASE("evpn: what BGP says is not kept for the next process, and takes nobody's room") {
  Bed bed(topology(kVxlan + ", parameters: {max-macs: 1}"));
  names_vtep(bed, 2);
  names_mac(bed, 2, 2);
  names_mac(bed, 3, 2);
  send(bed, "p1", "1-all");
  CHECK(advertised(bed, 1));
  Gathering gathering(bed.gateway());
  while (gathering.go_on(Gathering::Clock::now())) {
  }
  const std::string text = gathering.text().take();
  CHECK(text.find("02:00:00:00:01:01") != std::string::npos);
  CHECK(text.find("02:00:00:00:01:02") == std::string::npos);
}

}  // namespace causeway::test
