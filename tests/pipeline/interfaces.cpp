// Interfaces that come, go and change while the gateway runs.
#include <nlohmann/json.hpp>
#include <thread>

#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {
namespace {

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }
using Sequence = std::vector<Bytes>;

// Host 1 is behind p1, 2 behind p2, 3 behind the tunnel.
std::string topology(const std::string& p2 = "") {
  return R"(
version: 1
ethernets:
  p1: {}
  p2: {)" +
         p2 + R"(}
  up0:
    addresses: [172.31.0.1/24]
    neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]
tunnels:
  vx0: {mode: vxlan, id: 50, local: 172.31.0.1, remote: 172.31.0.2}
bridges:
  br0: {interfaces: [p1, p2, vx0]}
)";
}

nlohmann::json row(Bed& bed, const char* table, const std::string& name) {
  for (const auto& one : show(bed.gateway(), table)) {
    if (one["name"] == name) return one;
  }
  return {};
}
std::string state(Bed& bed, const char* table, const std::string& name) { return row(bed, table, name)["state"]; }

void tick(Bed& bed) {
  bed.gateway().tick();
  bed.run();
}

// What a frame's coming in by `port` adds to the drops.
std::string dropped(Bed& bed, const std::string& port, const std::string& name) {
  const Counts before = bed.counts();
  bed.send(port, frame(name));
  return to_text(bed.counts() - before);
}

// What left by the underlay, announcements aside.
Sequence take_tunnelled(Bed& bed) {
  Sequence sent = bed.take_bytes("up0");
  std::erase_if(sent, [](const Bytes& bytes) { return read16(bytes, 12) == 0x0806; });
  return sent;
}

void check_tunnelled(Bed& bed, const std::string& name) {
  const Sequence sent = take_tunnelled(bed);
  REQUIRE(sent.size() == 1);
  CHECK(to_hex(sent[0]) == to_hex(with_entropy(frame(name), entropy_of(sent[0]))));
}

// The underlay's becomes scapy's.
void set_own_mac(Bed& bed) {
  REQUIRE(bed.port("up0").set_mac({{2, 0, 0, 0, 0, 1}}).text() == "");
  tick(bed);
  for (const char* port : {"p1", "p2", "up0"}) {
    if (bed.has_port(port)) bed.take(port);
  }
}

}  // namespace

TEST_CASE("interfaces: a port whose interface goes is missing, and carries again when it is back") {
  Bed bed(topology());
  set_own_mac(bed);
  const unsigned buffers = bed.buffers();
  for (int turn = 0; turn < 20; ++turn) {
    bed.send("p2", frame("life.2-1"));
    bed.send("p1", frame("life.1-2"));
    CHECK(bed.take_bytes("p2") == Sequence{frame("life.1-2")});
    bed.take("up0");  // the first was flooded
    bed.take("p1");

    bed.disappear("p2");
    tick(bed);
    CHECK(state(bed, "ports", "p2") == "missing");
    CHECK(row(bed, "ports", "p2")["reason"] == "no such interface");
    // Nobody lives there any more: flooded to who is left.
    CHECK(dropped(bed, "p1", "life.1-2") == "");
    CHECK(take_tunnelled(bed).size() == 1);
    // What others have goes on.
    CHECK(dropped(bed, "p1", "life.1-3") == "");
    CHECK(take_tunnelled(bed).size() == 1);

    bed.appear("p2");
    CHECK(state(bed, "ports", "p2") == "up");
    CHECK(row(bed, "ports", "p2")["bridge"] == "br0");
  }
  CHECK(bed.buffers() == buffers);
}

TEST_CASE("interfaces: one that is made anew before anybody looked is opened at once") {
  Bed bed(topology());
  set_own_mac(bed);
  for (const char* name : {"p2", "up0"}) {
    REQUIRE(bed.port(name).set_mtu(1300).text() == "");
    bed.port(name).vanish();
    tick(bed);
    CHECK(state(bed, "ports", name) == "up");
    CHECK(row(bed, "ports", name)["mtu"] == 1500);  // another device
  }
  set_own_mac(bed);
  bed.send("up0", frame("life.outer.3-1"));
  bed.take("p1");
  bed.send("p1", frame("life.1-3"));
  check_tunnelled(bed, "life.outer.1-3");
}

TEST_CASE("interfaces: an underlay that goes takes its tunnels along, and brings them back") {
  Bed bed(topology());
  set_own_mac(bed);
  bed.disappear("up0");
  tick(bed);
  CHECK(state(bed, "ports", "up0") == "missing");
  CHECK(state(bed, "tunnels", "vx0") == "no_route");
  CHECK(dropped(bed, "p1", "life.1-2") == "");  // p2 is left
  bed.take("p2");
  bed.appear("up0");
  CHECK(state(bed, "tunnels", "vx0") == "up");  // its neighbor is in the file
  set_own_mac(bed);
  CHECK(dropped(bed, "up0", "life.outer.3-1") == "");
  CHECK(bed.take_bytes("p1") == Sequence{frame("life.3-1")});
  bed.send("p1", frame("life.1-3"));
  check_tunnelled(bed, "life.outer.1-3");
}

TEST_CASE("interfaces: those that aren't there yet join when they appear, and don't keep the rest") {
  Bed bed("version: 1\n");
  for (const char* name : {"p2", "up0"}) bed.disappear(name);
  CHECK(bed.apply(topology()).empty());
  for (const char* name : {"p2", "up0"}) CHECK(state(bed, "ports", name) == "missing");
  CHECK(row(bed, "ports", "up0")["kind"] == "packet");
  CHECK(row(bed, "ports", "p2")["bridge"] == "br0");
  CHECK(state(bed, "tunnels", "vx0") == "no_route");
  CHECK(dropped(bed, "p1", "life.1-2") == "no_flood_target 1");
  // Its settings may change meanwhile, and count when it comes.
  CHECK(bed.apply(topology("mtu: 1300")).empty());
  for (const char* name : {"p2", "up0"}) bed.appear(name);
  CHECK(row(bed, "ports", "p2")["mtu"] == 1300);
  set_own_mac(bed);
  bed.send("p1", frame("life.1-3"));
  CHECK(bed.take_bytes("p2") == Sequence{frame("life.1-3")});
  check_tunnelled(bed, "life.outer.1-3");
  // One that never came goes without a trace.
  bed.disappear("p9");
  CHECK(bed.apply("version: 1\nethernets: {p9: {}}\n").empty());
  CHECK(bed.apply("version: 1\n").empty());
  CHECK(show(bed.gateway(), "ports").empty());
}

TEST_CASE("interfaces: a device that can't be had at the start is tried again") {
  Bed bed("version: 1\n");
  bed.fail_opening("p2", "cannot probe", 1, OpenError::Kind::failed);
  CHECK(bed.apply(topology()).empty());
  CHECK(row(bed, "ports", "p2")["reason"] == "cannot probe");
  tick(bed);
  CHECK(state(bed, "ports", "p2") == "missing");  // not before a second is over
  const auto patience_ends = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (state(bed, "ports", "p2") == "missing" && std::chrono::steady_clock::now() < patience_ends) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    tick(bed);
  }
  CHECK(state(bed, "ports", "p2") == "up");
  // What was asked for and can't be is refused all the same.
  bed.fail_opening("p1", "the device can't", 1, OpenError::Kind::wrong);
  CHECK(bed.apply("version: 1\n").empty());
  CHECK(bed.apply(topology()).size() == 1);
  // And once it has started, so is a device that can't be had.
  bed.gateway().start_is_over();
  bed.fail_opening("p1", "cannot probe", 1, OpenError::Kind::failed);
  CHECK(bed.apply(topology()).size() == 1);
}

TEST_CASE("interfaces: the VLANs of one that goes go and come with it") {
  const std::string vlan = R"(
version: 1
ethernets: {p1: {}, up0: {}}
vlans:
  up0.5: {id: 5, link: up0, addresses: [172.31.0.1/24], neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]}
  up0.6: {id: 6, link: up0}
tunnels:
  vx0: {mode: vxlan, id: 50, local: 172.31.0.1, remote: 172.31.0.2}
bridges:
  br0: {interfaces: [p1, up0.6, vx0]}
)";
  Bed bed(vlan);
  bed.disappear("up0");
  tick(bed);
  for (const char* name : {"up0", "up0.5", "up0.6"}) CHECK(state(bed, "ports", name) == "missing");
  CHECK(row(bed, "ports", "up0.6")["reason"] == "there is no up0 now");
  CHECK(dropped(bed, "p1", "life.1-2") == "no_flood_target 1");
  bed.appear("up0");
  for (const char* name : {"up0", "up0.5", "up0.6"}) CHECK(state(bed, "ports", name) == "up");
  CHECK(state(bed, "tunnels", "vx0") == "up");
  bed.take("up0");
  bed.send("p1", frame("life.1-2"));
  CHECK(take_tunnelled(bed).size() == 2);  // VLAN 6, and the tunnel in VLAN 5
  // What others make of the link is the VLANs', too.
  REQUIRE(bed.port("up0").set_mtu(1400).text() == "");
  set_own_mac(bed);
  CHECK(row(bed, "tunnels", "vx0")["mtu"] == 1350);
  CHECK(row(bed, "ports", "up0.5")["mac"] == "02:00:00:00:00:01");
  // From the start, too.
  Bed late("version: 1\n");
  late.disappear("up0");
  CHECK(late.apply(vlan).empty());
  for (const char* name : {"up0", "up0.5", "up0.6"}) CHECK(state(late, "ports", name) == "missing");
  late.appear("up0");
  for (const char* name : {"up0", "up0.5", "up0.6"}) CHECK(state(late, "ports", name) == "up");
  CHECK(state(late, "tunnels", "vx0") == "up");
}

TEST_CASE("interfaces: MTUs that others change are followed, both ways") {
  Bed bed(topology());
  set_own_mac(bed);
  bed.send("up0", frame("life.outer.3-1"));  // host 3 is behind the tunnel
  bed.take("p1");
  const auto told = [&] {
    const Counts before = bed.counts();
    bed.send("p1", frame("life.long"));
    return to_text(bed.counts() - before);
  };
  CHECK(told() == "");
  check_tunnelled(bed, "life.long-outer");
  REQUIRE(bed.port("up0").set_mtu(1400).text() == "");
  tick(bed);
  CHECK(row(bed, "tunnels", "vx0")["mtu"] == 1350);
  CHECK(told() == "too_big 1");
  CHECK(bed.take_bytes("p1") == Sequence{frame("life.long-told")});
  REQUIRE(bed.port("up0").set_mtu(1500).text() == "");
  tick(bed);
  CHECK(row(bed, "tunnels", "vx0")["mtu"] == 1450);
  CHECK(told() == "");
  check_tunnelled(bed, "life.long-outer");

  bed.send("p2", frame("life.2-1"));
  bed.take("p1");
  REQUIRE(bed.port("p2").set_mtu(50).text() == "");
  tick(bed);
  CHECK(row(bed, "ports", "p2")["mtu"] == 50);
  CHECK(dropped(bed, "p1", "life.1-2") == "too_big 1");
  REQUIRE(bed.port("p2").set_mtu(1500).text() == "");
  tick(bed);
  CHECK(dropped(bed, "p1", "life.1-2") == "");
}

TEST_CASE("interfaces: an underlay's new MAC is in tunnels, answers and announcements") {
  Bed bed(topology());
  set_own_mac(bed);
  bed.send("up0", frame("life.outer.3-1"));
  bed.take("p1");
  REQUIRE(bed.port("up0").set_mac({{2, 0, 0, 0, 0x77, 1}}).text() == "");
  tick(bed);
  CHECK(row(bed, "ports", "up0")["mac"] == "02:00:00:00:77:01");
  bed.take("up0");
  bed.send("p1", frame("life.1-3"));
  check_tunnelled(bed, "life.moved.1-3");
  tick(bed);
  const Sequence sent = bed.take_bytes("up0");
  CHECK(std::ranges::count(sent, frame("life.announced")) >= 1);
  CHECK(std::ranges::count(sent, frame("life.announced-before")) == 0);
  CHECK(dropped(bed, "up0", "life.moved.3-1") == "");
  CHECK(bed.take_bytes("p1") == Sequence{frame("life.3-1")});
  CHECK(dropped(bed, "up0", "life.outer.3-1") == "not_for_us 1");
}

}  // namespace causeway::test
