// What one gateway has learnt, given to the next: used from the first frame on, left out where it no longer fits.
#include <stdlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "control/config/address_text.h"
#include "control/keep/gathering.h"
#include "control/keep/keeper.h"
#include "control/keep/restoring.h"
#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {
namespace {

using Sequence = std::vector<Bytes>;

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }

// Hosts 1 and 2 are behind p1 and p2; vx1, gn1 and their remotes as in bridge_frames.py.
std::string topology(const std::string& p2 = "p2: {}", const std::string& parameters = "",
                     const std::string& members = "p1, p2, p3, vx1, gn1, mc0") {
  return R"(
version: 1
ethernets:
  p1: {}
  )" + p2 +
         R"(
  p3: {}
  up0:
    macaddress: 02:00:00:00:00:01
    mtu: 1600
    addresses: [172.31.0.1/24]
tunnels:
  vx1: {mode: vxlan, id: 11, local: 172.31.0.1, remote: 172.31.0.2}
  gn1: {mode: geneve, id: 12, local: 172.31.0.1, remote: 172.31.0.5}
  mc0: {mode: vxlan, id: 13, local: 172.31.0.1, remote: 239.1.1.1, link: up0}
bridges:
  br0:
    parameters: {)" +
         parameters + R"(}
    interfaces: [)" +
         members + "]\n";
}

struct Folder {
  std::string path = std::filesystem::temp_directory_path() / "causeway-learnt-XXXXXX";
  Folder() { REQUIRE(mkdtemp(path.data()) != nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
};

IpAddress remote(int number) { return IpAddress::v4(172, 31, 0, static_cast<uint8_t>(number)); }

std::string gathered(const Gateway& gateway) {
  Gathering gathering(gateway);
  while (gathering.go_on(Gathering::Clock::now())) {  // as little as it does at a time
  }
  return gathering.text().take();
}

Learnt read(const std::string& text) {
  std::string error;
  auto learnt = read_learnt(text, LearntText::Clock::now(), error);
  CHECK(error.empty());
  REQUIRE(learnt);
  return *learnt;
}

BridgeIndex br0(const Gateway& gateway) { return gateway.bridges().find("br0")->index; }

MacVlan host(int number) { return mac_vlan(MacAddress::from_u64(0x020000000100U + static_cast<uint64_t>(number)), 0); }

// A gateway that has learnt something of everything.
std::string learnt_text() {
  Bed bed(topology());
  Gateway& gateway = bed.gateway();
  gateway.neighbors().restore({gateway.ports().find("up0")->index, remote(2)}, *parse_mac("02:00:00:00:00:02"));
  const TunnelKey sent{.remote = remote(2), .local = remote(1), .id = 11, .udp_port = 4789, .kind = TunnelType::vxlan};
  CHECK(gateway.tunnels().learn_path_mtu({sent, 1400}));
  const AdjacencyIndex group = gateway.adjacencies_of("mc0").front();
  CHECK(gateway.tunnels().learn_vtep(group, remote(4), gateway.now_s()) == DropReason::none);
  bed.send("p1", frame("eth.1-all"));
  bed.send("p2", frame("eth.2-all"));
  const auto learn = [&](int number, AdjacencyIndex exit) {
    gateway.fdb().learn(br0(gateway), host(number), exit, static_cast<uint16_t>(gateway.now_s() - 100));
  };
  learn(5, gateway.adjacencies_of("p2").front());
  learn(3, gateway.adjacencies_of("vx1").front());
  learn(4, gateway.tunnels().find("mc0")->vteps.at(remote(4)).adjacency);
  std::string text = gathered(gateway);
  bed.run();
  for (const char* port : {"p1", "p2", "p3", "up0"}) bed.take(port);
  return text;
}

}  // namespace

TEST_CASE("restart: what was learnt is known, and known unicast isn't flooded") {
  const Learnt learnt = read(learnt_text());
  Bed bed(topology());
  Gateway& gateway = bed.gateway();
  bed.run();
  bed.nothing_sent();
  const Restored restored = restore(gateway, learnt);
  CHECK(restored.macs == 5);
  CHECK(restored.neighbors == 1);
  CHECK(restored.vteps == 1);
  CHECK(restored.paths == 1);
  CHECK(restored.left_out == 0);
  // The very first frame: from a host that is known to another one.
  bed.send("p1", frame("eth.1-2"));
  CHECK(bed.take_bytes("p2") == Sequence{frame("eth.1-2")});
  CHECK(bed.nothing_sent());
  // Into a tunnel, to a neighbor that hasn't said a word.
  bed.send("p1", frame("eth.1-3"));
  const Sequence sent = bed.take_bytes("up0");
  REQUIRE(sent.size() == 1);
  CHECK(sent.front() == with_entropy(frame("out.vx1.2.1-3"), entropy_of(sent.front())));
  CHECK(bed.nothing_sent());
  CHECK(bed.counts().all_drops() == 0);
  // It is asked soon.
  CHECK(gateway.neighbors().all().at({gateway.ports().find("up0")->index, remote(2)}).state ==
        Neighbors::State::probing);
  const auto behind_vtep = gateway.fdb().find(br0(gateway), host(4));
  REQUIRE(behind_vtep);
  CHECK(behind_vtep->exit == gateway.tunnels().find("mc0")->vteps.at(remote(4)).adjacency);
  for (const auto& row : show(gateway, "tunnels")) {
    CHECK(row["path_mtu"] == (row["name"] == "vx1" ? nlohmann::json(1400) : nlohmann::json()));
  }
}

TEST_CASE("restart: what was kept is written over only once it has been used") {
  const Folder folder;
  StateDirectory state;
  REQUIRE(state.open(folder.path).text() == "");
  const std::string kept = learnt_text();
  REQUIRE(state.write("learnt", kept).text() == "");
  Bed bed(topology());
  EventLoop loop;
  Background background(loop);
  Keeper keeper(loop, background, bed.gateway(), state);
  keeper.write();  // it ends before there is anything to give it to
  CHECK(state.read("learnt") == kept);
  keeper.restore(bed.gateway());
  keeper.begin();
  bed.gateway().fdb().remove(br0(bed.gateway()), host(5));
  keeper.write();
  const auto written = state.read("learnt");
  REQUIRE(written);
  CHECK(read(*written).macs.size() == 4);
}

TEST_CASE("restart: ages go on") {
  Learnt learnt = read(learnt_text());
  for (LearntMac& mac : learnt.macs) mac.age_s += 150;
  Bed bed(topology());
  Gateway& gateway = bed.gateway();
  CHECK(restore(gateway, learnt).macs == 5);
  gateway.fdb().age(static_cast<uint16_t>(gateway.now_s() + 60));
  CHECK(gateway.fdb().find(br0(gateway), host(1)));
  CHECK(!gateway.fdb().find(br0(gateway), host(3)));  // 100 s, 150 s, and now 60 s
  CHECK(!gateway.fdb().find(br0(gateway), host(4)));
}

TEST_CASE("restart: what no longer fits is left out") {
  Learnt learnt = read(learnt_text());
  const auto left_out = [&](const std::string& yaml) {
    Bed bed(yaml);
    const Restored restored = restore(bed.gateway(), learnt);
    CHECK(restored.macs + restored.neighbors + restored.vteps + restored.paths + restored.left_out == 8);
    return restored.left_out;
  };
  CHECK(left_out(topology()) == 0);
  CHECK(left_out(topology("p4: {}", "", "p1, p3, vx1, gn1, mc0")) == 2);         // the port has gone
  CHECK(left_out(topology("p2: {}", "", "p1, p3, vx1, gn1, mc0")) == 2);         // it has left the bridge
  CHECK(left_out(topology("p2: {vlan: {mode: access, tag: 7}}")) == 2);          // its VLAN is another
  CHECK(left_out(topology("p2: {bindings: [{mac: 02:00:00:00:09:09}]}")) == 2);  // it may only have others
  CHECK(left_out(topology("p2: {}", "max-macs: 4")) == 1);                       // the bridge is full
  CHECK(left_out(topology("p2: {max-macs: 1}")) == 1);                           // so is the port
  CHECK(left_out(topology("p2: {}", "ageing-time: 100")) == 3);                  // they are too old
  // It is static now, and elsewhere.
  CHECK(left_out(topology() + "    static-macs: [{mac: 02:00:00:00:01:02, port: p3}]\n") == 1);
  CHECK(left_out("version: 1\nethernets: {p1: {}}\n") == 8);
  learnt.paths.front().mtu = 1600;  // up0 is no wider
  CHECK(left_out(topology()) == 1);
  learnt.paths.front().mtu = 1400;
  for (LearntMac& mac : learnt.macs) mac.age_s = 1'000'000;
  CHECK(left_out(topology()) == 5);
  CHECK(left_out(topology("p2: {}", "ageing-time: 0")) == 0);  // what never ages is never too old
}

}  // namespace causeway::test
