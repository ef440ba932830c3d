// Large flows in a NIC's own switch: two modelled ports of one, a bridge port and the underlay.
#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

// elephant_frames.py has the same addresses.
std::string one_switch(const std::string& settings = "", const std::string& lan = "switch: sw0",
                       const std::string& more = "") {
  return fmt::format(R"(
version: 1
ethernets:
  lan0: {{nic-model: {{{}}}}}
  lan1: {{}}
  up0:
    nic-model: {{switch: sw0{}}}
    mtu: 2000
    macaddress: 02:00:00:00:00:01
    addresses: [172.31.0.1/24, "fd00:31::1/64"]
    neighbors: [{{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}}, {{to: "fd00:31::2", macaddress: 02:00:00:00:00:02}}]
tunnels:
  vx4: {{mode: vxlan, id: 100, local: 172.31.0.1, remote: 172.31.0.2}}
  vx6nosum: {{mode: vxlan, id: 131, local: "fd00:31::1", remote: "fd00:31::2", checksum: false}}
  gnv4: {{mode: geneve, id: 123, local: 172.31.0.1, remote: 172.31.0.2}}
  gnv6zero: {{mode: geneve, id: 124, local: "fd00:31::1", remote: "fd00:31::2", checksum: false, udp6-zero-checksum-rx: true}}
  gnv4opt: {{mode: geneve, id: 133, local: 172.31.0.1, remote: 172.31.0.2,
            options: [{{class: 0x0102, type: 0x03, data: "a1a2a3a4"}}]}}
  gre4: {{mode: gretap, key: 7, local: 172.31.0.1, remote: 172.31.0.2}}
  gre4nokey: {{mode: gretap, local: 172.31.0.1, remote: 172.31.0.2}}
  gre6: {{mode: gretap, key: 7, local: "fd00:31::1", remote: "fd00:31::2"}}
  gnv4sum: {{mode: geneve, id: 126, local: 172.31.0.1, remote: 172.31.0.2, checksum: true}}
  vx6: {{mode: vxlan, id: 132, local: "fd00:31::1", remote: "fd00:31::2"}}
  gnv4inherit: {{mode: geneve, id: 128, local: 172.31.0.1, remote: 172.31.0.2, tos: inherit}}
  nv4: {{mode: nvgre, id: 0x123456, local: 172.31.0.1, remote: 172.31.0.2}}
  vx4vlan: {{mode: vxlan, id: 134, local: 172.31.0.1, remote: 172.31.0.2, mss-clamp: auto}}
bridges:
  br0:
    interfaces: [lan0, lan1, vx4, vx6nosum, gnv4, gnv6zero, gnv4opt, gre4, gre4nokey, gre6, gnv4sum, vx6, gnv4inherit, nv4,
                 vx4vlan]
{}
)",
                     lan, settings, more);
}

constexpr const char* kOffloaded[] = {"vx4", "vx6nosum", "gnv4", "gnv6zero", "gnv4opt", "gre4", "gre4nokey", "gre6"};

const Bytes& frame(const char* sort, const std::string& tunnel) {
  return pipeline_frames()[fmt::format("elephant.{}.{}", sort, tunnel)];
}

// A gateway, and elephants of which the test says who they are and what time it is.
struct Herd {
  explicit Herd(const std::string& yaml = one_switch(), const Elephants::Limits& limits = {})
      : bed(yaml),
        elephants(bed.gateway().tables(), bed.gateway().ports(), bed.gateway().tunnels(), bed.gateway().adjacencies(),
                  bed.gateway().fdb(), limits) {}
  ~Herd() {
    for (const char* port : {"lan0", "up0"}) {
      if (const auto* record = bed.gateway().ports().find(port)) elephants.forget(record->index);
    }
  }

  FlowKey flow(const Bytes& inner, const std::string& from) {
    return FlowKey::read(inner.data(), 0, bed.gateway().adjacencies_of(from).front());
  }
  FlowKey up(const std::string& tunnel) { return flow(frame("up", tunnel), "lan0"); }
  FlowKey down(const std::string& tunnel) { return flow(frame("down", tunnel), tunnel); }

  // Both hosts are known.
  void meet(const std::string& tunnel) {
    bed.send("lan0", frame("up", tunnel));
    bed.send("up0", frame("arriving", tunnel));
    bed.take("lan0");
    bed.take("up0");
    bed.take("lan1");
  }
  void sample(const FlowKey& key, unsigned samples = 16) {
    for (unsigned i = 0; i < samples; ++i) elephants.sampled(key);
  }
  void step(std::chrono::seconds later = 1s) {
    now += later;
    elephants.step(now, static_cast<uint16_t>(bed.gateway().now_s() + (now - Elephants::Clock::time_point(1h)) / 1s));
  }
  void offload(const std::string& tunnel) {
    meet(tunnel);
    sample(up(tunnel));
    sample(down(tunnel));
    step();
  }
  Elephants::Summary summary(const char* port) { return elephants.summary(bed.gateway().ports().find(port)->index); }
  // How many frames a worker has seen since the last call.
  uint64_t seen() {
    const uint64_t rx = bed.counts().rx;
    return rx - std::exchange(seen_, rx);
  }

  Bed bed;
  Elephants elephants;
  Elephants::Clock::time_point now{1h};

 private:
  uint64_t seen_ = 0;
};

nlohmann::json row_of(Bed& bed, const char* what, const char* key, const std::string& name) {
  for (const auto& row : show(bed.gateway(), what)) {
    if (row[key] == name && row.value("offload", "elephants") == "elephants") return row;
  }
  return {};
}

// Enough frames both ways for an elephant, through the worker.
void stampede(Bed& bed, const std::string& tunnel) {
  for (int burst = 0; burst < 120; ++burst) {
    for (int i = 0; i < 60; ++i) {
      bed.deliver("lan0", frame("up", tunnel));
      bed.deliver("up0", frame("arriving", tunnel));
    }
    bed.run();
    bed.take("lan0");
    bed.take("lan1");
    bed.take("up0");
  }
}

// Returns what we announced of ourselves meanwhile.
std::vector<Bytes> next_window(Bed& bed) {
  std::this_thread::sleep_for(1050ms);
  bed.gateway().tick();
  bed.run();
  return bed.take_bytes("up0");
}

}  // namespace

TEST_CASE("elephants: the largest flows, for as long as somebody asks") {
  Herd herd(one_switch("", "switch: sw1"));  // no NIC could take them
  Elephants& elephants = herd.elephants;
  const std::atomic<bool>& sampling = herd.bed.gateway().tables().sampling;
  herd.meet("vx4");
  herd.sample(herd.up("vx4"));
  CHECK(elephants.largest(10).empty());
  CHECK_FALSE(sampling.load());

  elephants.watch(herd.now);
  CHECK(sampling.load());
  herd.sample(herd.up("vx4"), 5);
  herd.sample(herd.down("vx4"), 9);
  herd.step();
  herd.sample(herd.up("vx4"), 6);
  const auto largest = elephants.largest(10);
  REQUIRE(largest.size() == 2);
  CHECK(largest[0].flow == herd.up("vx4"));
  CHECK(largest[0].packets == 11 * 256);
  CHECK(largest[1].packets == 9 * 256);
  CHECK(elephants.largest(1).size() == 1);
  CHECK(sampling.load());
  herd.step(10s);
  CHECK(elephants.largest(10).empty());
  CHECK_FALSE(sampling.load());

  // As the socket has it.
  Gateway& gateway = herd.bed.gateway();
  gateway.elephants().watch(Elephants::Clock::now());
  gateway.elephants().sampled(herd.down("vx4"));
  nlohmann::json rows = nlohmann::json::array();
  const RowStream stream = largest_flows_reply(gateway).rows;
  while (stream([&rows](const nlohmann::json& row) { rows.push_back(row); })) continue;
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].at("packets") == 256);
  CHECK(rows[0].at("from") == "vx4");
  CHECK(rows[0].at("from_remote") == "172.31.0.2");
  CHECK(rows[0].at("to") == "lan0");
  CHECK(rows[0].at("bridge") == "br0");
  CHECK(rows[0].at("source") != rows[0].at("destination"));
}

TEST_CASE("elephants: a flow that has gone isn't among the largest for ever, and makes room for others") {
  Elephants::Limits limits;
  limits.candidates = 2;
  Herd herd(one_switch("", "switch: sw1"), limits);
  Elephants& elephants = herd.elephants;
  const auto flows = [&] {
    std::vector<FlowKey> all;
    for (const Elephants::Large& large : elephants.largest(10)) all.push_back(large.flow);
    return all;
  };
  for (const char* tunnel : {"vx4", "gre4", "gnv4"}) herd.meet(tunnel);
  elephants.watch(herd.now);
  herd.sample(herd.up("vx4"), 9);
  for (int second = 0; second < 9; ++second) {
    herd.sample(herd.up("gre4"), 1);
    herd.sample(herd.up("gnv4"), 1);  // for which there is no room
    herd.step();
    elephants.watch(herd.now);
    REQUIRE(flows().size() == 2);
  }
  herd.step();
  CHECK(flows() == std::vector{herd.up("gre4")});
  CHECK(elephants.largest(1).front().packets == 9 * 256);
  herd.sample(herd.up("gnv4"), 10);
  CHECK(flows() == std::vector{herd.up("gnv4"), herd.up("gre4")});
}

TEST_CASE("elephants: what a switch carries is among the largest flows") {
  Herd herd;
  herd.offload("vx4");
  for (int i = 0; i < 7; ++i) herd.bed.send("lan0", frame("up", "vx4"));
  herd.step();
  const auto largest = herd.elephants.largest(10);
  REQUIRE(!largest.empty());
  CHECK(largest[0].flow == herd.up("vx4"));
  CHECK(largest[0].packets == 7);
}

TEST_CASE("elephants: a large flow is found by samples, leaves the workers, and is counted all the same") {
  Bed bed(one_switch());
  CHECK_FALSE(bed.gateway().tables().sampling.load());
  bed.gateway().tick();
  CHECK(bed.gateway().tables().sampling.load());
  stampede(bed, "vx4");
  CHECK(bed.gateway().elephants().installed() == 0);
  next_window(bed);
  REQUIRE(bed.gateway().elephants().installed() == 2);

  const auto counters = [&](const char* what, const char* name) {
    const auto row = row_of(bed, what, "name", name);
    std::vector<uint64_t> all;
    for (const char* key : {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes"}) all.push_back(row[key]);
    return all;
  };
  const auto lan = counters("ports", "lan0");
  const auto underlay = counters("ports", "up0");
  const auto tunnel = counters("tunnels", "vx4");
  const uint64_t seen = bed.counts().rx;
  constexpr uint64_t kFrames = 100;
  for (uint64_t i = 0; i < kFrames; ++i) {
    bed.send("lan0", frame("up", "vx4"));
    bed.send("up0", frame("arriving", "vx4"));
  }
  CHECK(bed.counts().rx == seen);
  const auto out = bed.take_bytes("up0");
  const auto in = bed.take_bytes("lan0");
  REQUIRE(out.size() == kFrames);
  REQUIRE(in.size() == kFrames);
  for (const Bytes& bytes : out) check_outer(bytes, frame("wire", "vx4"));
  for (const Bytes& bytes : in) CHECK(to_hex(bytes) == to_hex(frame("down", "vx4")));

  const auto announced = next_window(bed);
  const uint64_t up = frame("up", "vx4").size();
  const uint64_t down = frame("down", "vx4").size();
  const auto plus = [](const std::vector<uint64_t>& before, const std::vector<uint64_t>& rise) {
    std::vector<uint64_t> after = before;
    for (size_t i = 0; i < after.size(); ++i) after[i] += kFrames * rise[i];
    return after;
  };
  CHECK(counters("ports", "lan0") == plus(lan, {1, up, 1, down}));
  auto expected = plus(underlay, {1, down + 50, 1, up + 50});
  for (const Bytes& own : announced) {
    ++expected[2];
    expected[3] += own.size();
  }
  CHECK(counters("ports", "up0") == expected);
  CHECK(counters("tunnels", "vx4") == plus(tunnel, {1, down, 1, up}));
  CHECK(row_of(bed, "offloads", "port", "lan0")["state"] == "hardware");
  CHECK(row_of(bed, "offloads", "port", "lan0")["reason"] == "1 flows, 100 frames");
  CHECK(row_of(bed, "offloads", "port", "up0")["reason"] == "1 flows, 100 frames");

  // The host moves: what it says is heard at once.
  Bytes moved = frame("up", "vx4");
  bed.send("lan1", moved);
  CHECK(bed.gateway().elephants().installed() == 0);
  bed.take("lan1");
  bed.send("up0", frame("arriving", "vx4"));
  CHECK(bed.take_bytes("lan1").size() == 1);
}

TEST_CASE("elephants: what a NIC refuses stays in software, and `show offloads` says why") {
  Bed bed(one_switch(", without: [raw-decap]", "switch: sw0, without: [raw-encap]"));
  bed.gateway().tick();
  stampede(bed, "gre4");
  next_window(bed);
  CHECK(bed.gateway().elephants().installed() == 0);
  CHECK(row_of(bed, "offloads", "port", "lan0")["state"] == "software");
  CHECK(row_of(bed, "offloads", "port", "lan0")["reason"] == "0 flows, 0 frames; not 1: the model can't do RAW_ENCAP");
  CHECK(row_of(bed, "offloads", "port", "up0")["reason"] == "0 flows, 0 frames; not 1: the model can't do RAW_DECAP");
  const uint64_t seen = bed.counts().rx;
  bed.send("lan0", frame("up", "gre4"));
  bed.send("up0", frame("arriving", "gre4"));
  CHECK(bed.counts().rx == seen + 2);
  CHECK(bed.take_bytes("lan0").size() == 1);
  CHECK(bed.take_bytes("up0").size() == 1);
}

TEST_CASE("elephants: nothing is sampled where no switch could use it") {
  Bed elsewhere(one_switch("", "switch: sw1"));
  elsewhere.gateway().tick();
  CHECK_FALSE(elsewhere.gateway().tables().sampling.load());
  Bed off(one_switch("", "switch: sw0}, offloads: {elephants: off"));
  off.gateway().tick();
  CHECK_FALSE(off.gateway().tables().sampling.load());
  CHECK(row_of(off, "offloads", "port", "lan0")["reason"] == "offloads.elephants: off");
  CHECK(row_of(off, "offloads", "port", "lan1")["reason"] == "the device is no port of a switch that takes rules");
  CHECK_THROWS(Bed(one_switch("", "}, offloads: {elephants: on")));
}

TEST_CASE("elephants: the switch's frames are scapy's, for every sort of tunnel") {
  Herd herd;
  for (const char* tunnel : kOffloaded) {
    CAPTURE(tunnel);
    const size_t before = herd.elephants.installed();
    herd.offload(tunnel);
    REQUIRE(herd.elephants.installed() == before + 2);
    herd.seen();
    herd.bed.send("lan0", frame("up", tunnel));
    herd.bed.send("up0", frame("arriving", tunnel));
    CHECK(herd.seen() == 0);
    const auto out = herd.bed.take_bytes("up0");
    const auto in = herd.bed.take_bytes("lan0");
    REQUIRE(out.size() == 1);
    REQUIRE(in.size() == 1);
    check_outer(out.front(), frame("wire", tunnel));
    CHECK(to_hex(in.front()) == to_hex(frame("down", tunnel)));
  }
}

TEST_CASE("elephants: frames that hardware would treat otherwise stay the worker's") {
  Herd herd;
  size_t soft = 0;
  for (const char* tunnel : kOffloaded) {
    herd.offload(tunnel);
    for (const std::string& name : pipeline_frames().names(fmt::format("elephant.soft.{}.", tunnel))) {
      CAPTURE(name);
      herd.seen();
      herd.bed.send("up0", pipeline_frames()[name]);
      CHECK(herd.seen() == 1);
      const auto in = herd.bed.take_bytes("lan0");
      REQUIRE(in.size() == 1);
      CHECK(to_hex(in.front()) == to_hex(pipeline_frames()["elephant.softly." + name.substr(14)]));
      ++soft;
    }
  }
  CHECK(soft == 8 * 2 + 3 + 3);
}

TEST_CASE("elephants: what no switch may carry is not asked for, with the reason") {
  Herd herd;
  const std::map<std::string, std::string> reasons = {{"gnv4sum", "the tunnel sends checksums"},
                                                      {"vx6", "the tunnel sends checksums"},
                                                      {"gnv4inherit", "the tunnel's tos is inherited"},
                                                      {"nv4", "NVGRE's FlowID differs from frame to frame"},
                                                      {"vx4vlan", "mss-clamp"}};
  for (const auto& [tunnel, reason] : reasons) {
    CAPTURE(tunnel);
    herd.offload(tunnel);
    CHECK(herd.elephants.installed() == 0);
    CHECK(herd.summary("lan0").refused == std::map<std::string, size_t>{{reason, 1}});
    CHECK(herd.summary("up0").refused == std::map<std::string, size_t>{{reason, 1}});
  }
  // Not large, or not between a port and a tunnel that are known.
  herd.meet("vx4");
  herd.sample(herd.up("vx4"), 15);
  herd.sample(herd.flow(frame("up", "gre4"), "lan0"));
  herd.sample(herd.flow(frame("up", "vx4"), "lan1"));
  herd.step();
  CHECK(herd.elephants.installed() == 0);
  CHECK(herd.summary("lan0").refused.empty());
}

TEST_CASE("elephants: rules go with what they rest on") {
  const auto survives = [](const std::function<void(Herd&)>& change) {
    Herd herd;
    herd.offload("vx4");
    REQUIRE(herd.elephants.installed() == 2);
    change(herd);
    herd.elephants.reconcile();
    return herd.elephants.installed();
  };
  const auto replaced = [](std::string yaml, const std::string& what, const std::string& with) {
    return yaml.replace(yaml.find(what), what.size(), with);
  };
  const std::string yaml = one_switch();
  CHECK(survives([](Herd&) {}) == 2);
  CHECK(survives([&](Herd& herd) { herd.bed.apply(replaced(yaml, "id: 100", "id: 101")); }) == 0);
  CHECK(survives([&](Herd& herd) { herd.bed.apply(replaced(yaml, "lan1, vx4,", "lan1,")); }) == 0);
  CHECK(survives([&](Herd& herd) { herd.bed.apply(replaced(yaml, "00:00:02}", "00:00:03}")); }) == 0);
  CHECK(survives([&](Herd& herd) { herd.bed.apply(replaced(yaml, "lan0: {nic", "lan0: {mtu: 1999, nic")); }) == 1);
  CHECK(survives([&](Herd& herd) { herd.bed.apply(replaced(yaml, "gre6: {", "gre6: {ttl: 9, ")); }) == 2);
  CHECK(survives([&](Herd& herd) { herd.bed.gateway().fdb().remove_if([](const auto&) { return true; }); }) == 0);
  CHECK(survives([&](Herd& herd) {
          herd.bed.send("lan1", frame("up", "vx4"));  // the host has moved
        }) == 0);
  CHECK(survives([&](Herd& herd) {
          herd.bed.port("lan0").set_link(false);
          herd.bed.gateway().tick();
        }) == 0);

  // Who may speak from a port the worker checks; who may be spoken to is nobody's to check.
  Herd bound(replaced(yaml, "lan0: {nic", "lan0: {bindings: [{mac: 02:00:00:00:01:71}], nic"));
  bound.offload("vx4");
  CHECK(bound.summary("up0").installed == 1);
  CHECK(bound.summary("lan0").refused == std::map<std::string, size_t>{{"the port's bindings", 1}});
  Herd numbered(replaced(yaml, "gre4: {", "gre4: {sequence: true, "));
  numbered.offload("gre4");
  CHECK(numbered.elephants.installed() == 0);
  CHECK(numbered.summary("lan0").refused == std::map<std::string, size_t>{{"the tunnel numbers its frames", 1}});
}

TEST_CASE("elephants: while a rule carries frames its source stays known, and without frames the rule goes") {
  Herd herd;
  herd.offload("vx4");
  const auto known = [&](const FlowKey& key) { return herd.bed.gateway().fdb().find(1, key.source()).has_value(); };
  REQUIRE(known(herd.up("vx4")));
  for (int i = 0; i < 36; ++i) {
    herd.bed.send("lan0", frame("up", "vx4"));
    herd.step(9s);
  }
  CHECK(herd.elephants.installed() == 1);  // the other direction was silent for ten seconds
  herd.bed.gateway().fdb().age(static_cast<uint16_t>(herd.bed.gateway().now_s() + 325));
  CHECK(known(herd.up("vx4")));
  CHECK_FALSE(known(herd.down("vx4")));
  herd.elephants.reconcile();
  CHECK(herd.elephants.installed() == 0);  // whom it is for is unknown now
  CHECK(herd.elephants.of_port(herd.bed.gateway().ports().find("lan0")->index).rx_packets == 36);
}

TEST_CASE("elephants: no more rules than there is room for, and no more at a time than a device is to take") {
  Elephants::Limits limits;
  limits.rules = 2;
  Herd herd(one_switch(), limits);
  for (const char* tunnel : {"vx4", "gre4", "gnv4"}) herd.offload(tunnel);
  CHECK(herd.summary("lan0").installed == 2);
  CHECK(herd.summary("up0").installed == 2);
  CHECK(herd.summary("lan0").refused == std::map<std::string, size_t>{{"no more rules", 1}});

  limits.changes = 1;
  Herd slow(one_switch(), limits);
  slow.meet("vx4");
  slow.sample(slow.up("vx4"));
  slow.sample(slow.down("vx4"), 17);
  slow.step();
  CHECK(slow.summary("up0").installed == 1);  // the larger one
  CHECK(slow.summary("lan0").refused == std::map<std::string, size_t>{{"waits for its turn", 1}});

  Herd full(one_switch(", flow-rules: 0", "switch: sw0, flow-rules: 1"));
  full.offload("vx4");
  full.meet("gnv4");
  full.sample(full.up("gnv4"));
  full.step();
  CHECK(full.summary("lan0").installed == 1);
  CHECK(full.summary("lan0").refused == std::map<std::string, size_t>{{"the model's table is full", 1}});
}

}  // namespace causeway::test
