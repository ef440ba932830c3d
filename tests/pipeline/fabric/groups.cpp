// Split-horizon groups: who hears whom, by floods and by known MACs, before and after a change.
#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "control/trace/trace.h"
#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"
#include "tests/pipeline/bed/ways.h"

namespace causeway::test {
namespace {

// The tunnels of bridge_frames.py, whose remotes 2 to 5 are static neighbors; vx0 replicates to three of them.
std::string topology(const std::string& b2 = "{group: b}", const std::string& gn1 = "group: edge") {
  return R"(
version: 1
ethernets:
  a1: {group: a}
  a2: {group: a}
  b1: {group: b}
  i1: {isolated: true}
  i2: {isolated: true}
  n1: {}
  n2: {group: a, isolated: false}
  b2: )" +
         b2 + R"(
  up0:
    macaddress: 02:00:00:00:00:01
    mtu: 1600
    addresses: [172.31.0.1/24]
    neighbors:
      - {to: 172.31.0.2, macaddress: 02:00:00:00:00:02}
      - {to: 172.31.0.3, macaddress: 02:00:00:00:00:03}
      - {to: 172.31.0.4, macaddress: 02:00:00:00:00:04}
      - {to: 172.31.0.5, macaddress: 02:00:00:00:00:05}
tunnels:
  vx0: {mode: vxlan, id: 10, local: 172.31.0.1, remote: [172.31.0.2, 172.31.0.3, 172.31.0.4], group: fabric}
  vx1: {mode: vxlan, id: 11, local: 172.31.0.1, remote: 172.31.0.2, group: fabric}
  gn1: {mode: geneve, id: 12, local: 172.31.0.1, remote: 172.31.0.5, )" +
         gn1 + R"(}
bridges:
  br0: {interfaces: [a1, a2, b1, b2, i1, i2, n1, n2, vx0, vx1, gn1]}
)";
}

// A bridge port, or a tunnel's end to a remote: "vx0.3". `group`: none of those that hear everybody.
struct End {
  std::string name;
  std::optional<std::string> group;
  bool is_tunnel() const { return name.find('.') != std::string::npos; }
};

const std::vector<End> kEnds = {
    {"a1", "a"},         {"a2", "a"},         {"b1", "b"},       {"b2", "b"},         {"i1", ""},
    {"i2", ""},          {"n1", {}},          {"n2", {}},        {"vx0.2", "fabric"}, {"vx0.3", "fabric"},
    {"vx0.4", "fabric"}, {"vx1.2", "fabric"}, {"gn1.5", "edge"},
};

bool hear_each_other(const End& a, const End& b) { return a.name != b.name && (!a.group || a.group != b.group); }

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }

std::string port_of(const End& end) { return end.is_tunnel() ? "up0" : end.name; }

// The frame `name` ("1-2") as it comes in from an end.
const Bytes& frame_from(const End& end, const std::string& name) {
  return frame((end.is_tunnel() ? "in." + end.name + "." : "eth.") + name);
}

Ways ways_out(Bed& bed, const std::string& name) {
  std::vector<std::string> ports;
  std::vector<std::string> tunnels;
  for (const End& end : kEnds) (end.is_tunnel() ? tunnels : ports).push_back(end.name);
  return ways_out(bed, ports, frame("eth." + name), tunnels, "out.", name);
}

Ways send(Bed& bed, const End& from, const std::string& name) {
  bed.wait_a_tick();
  bed.send(port_of(from), frame_from(from, name));
  return ways_out(bed, name);
}

const End& at(std::string_view name) { return *std::ranges::find(kEnds, name, &End::name); }

// What trace says of the frame: how many copies leave, or the reason that it dies of.
std::string traced(Bed& bed, const End& from, const std::string& name) {
  const PortIndex port = bed.gateway().ports().find(port_of(from))->index;
  const auto trace = trace_frame(bed.gateway(), port, frame_from(from, name));
  REQUIRE(trace);
  Counts counts;
  counts.drops = trace->drops;
  const std::string drops = to_text(counts);
  return drops.empty() ? std::to_string(trace->sent.size()) : drops;
}

nlohmann::json row_of(Bed& bed, const std::string& table, const std::string& name) {
  for (const nlohmann::json& row : show(bed.gateway(), table)) {
    if (row["name"] == name) return row;
  }
  return {};
}

}  // namespace

TEST_CASE("groups: floods go to all but the sender's own group") {
  Bed bed(topology());
  for (const End& from : kEnds) {
    CAPTURE(from.name);
    Ways expected;
    for (const End& to : kEnds) {
      if (hear_each_other(from, to)) expected.insert(to.name);
    }
    CHECK(traced(bed, from, "1-all") == std::to_string(expected.size()));
    CHECK(send(bed, from, "1-all") == expected);
    CHECK(send(bed, from, "1-6") == expected);  // nobody knows where 6 is
  }
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("groups: a known MAC is reached from all but its own group") {
  Bed bed(topology());
  for (const End& to : kEnds) {
    send(bed, to, "2-all");
    for (const End& from : kEnds) {
      CAPTURE(from.name, to.name);
      const bool same = from.name == to.name;
      const bool passes = hear_each_other(from, to);
      const DropReason reason = same ? DropReason::same_port : DropReason::split_horizon;
      const std::string said = passes ? "1" : same ? "same_port 1" : "split_horizon 1";
      send(bed, from, "1-all");
      CHECK(traced(bed, from, "1-2") == said);
      const Counts before = bed.counts();
      for (int times = 0; times < 2; ++times) {  // the second is known to the flow cache
        CHECK(send(bed, from, "1-2") == (passes ? Ways{to.name} : Ways{}));
      }
      const Counts rise = bed.counts() - before;
      CHECK(rise.all_drops() == (passes ? 0 : 2));
      if (!passes) CHECK(rise.of(reason) == 2);
    }
  }
}

TEST_CASE("groups: a burst to several ends, some of which are of its group") {
  Bed bed(topology());
  send(bed, at("a1"), "1-all");
  send(bed, at("a2"), "2-all");
  send(bed, at("b1"), "3-all");
  send(bed, at("gn1.5"), "5-all");
  for (int i = 0; i < 10; ++i) {
    for (const char* name : {"eth.1-2", "eth.1-3", "eth.1-5"}) bed.deliver("a1", frame(name));
  }
  const Counts before = bed.counts();
  bed.run();
  CHECK((bed.counts() - before).of(DropReason::split_horizon) == 10);
  CHECK((bed.take_bytes("b1") == std::vector<Bytes>(10, frame("eth.1-3"))));
  CHECK(bed.take_bytes("up0").size() == 10);
  CHECK(bed.nothing_sent());
}

TEST_CASE("groups: a change counts at once, for flows that are known, too, and forgets nothing") {
  Bed bed(topology());
  send(bed, at("a1"), "1-all");
  send(bed, at("b2"), "2-all");
  send(bed, at("vx0.3"), "3-all");
  send(bed, at("gn1.5"), "5-all");
  const auto pass = [&](bool port, bool tunnel) {
    CHECK(send(bed, at("a1"), "1-2") == (port ? Ways{"b2"} : Ways{}));
    CHECK(traced(bed, at("a1"), "1-2") == (port ? "1" : "split_horizon 1"));
    CHECK(send(bed, at("vx0.3"), "3-5") == (tunnel ? Ways{"gn1.5"} : Ways{}));
    CHECK(traced(bed, at("vx0.3"), "3-5") == (tunnel ? "1" : "split_horizon 1"));
    CHECK(send(bed, at("gn1.5"), "5-3") == (tunnel ? Ways{"vx0.3"} : Ways{}));
  };
  pass(true, true);
  pass(true, true);
  const uint64_t misses = bed.worker().counters().cache_misses.get();
  const AdjacencyIndex index = bed.gateway().adjacencies_of("gn1").front();

  CHECK(bed.apply(topology("{group: a}", "group: fabric")).empty());
  pass(false, false);
  CHECK(bed.apply(topology("{}", "isolated: false")).empty());
  pass(true, true);
  CHECK(bed.apply(topology("{group: a}", "group: fabric")).empty());
  pass(false, false);
  CHECK(bed.apply(topology("{isolated: true}", "isolated: true")).empty());
  pass(true, true);
  CHECK(bed.apply(topology()).empty());
  pass(true, true);

  CHECK(bed.worker().counters().cache_misses.get() == misses);
  CHECK(bed.gateway().adjacencies_of("gn1").front() == index);
}

TEST_CASE("groups: another change of a tunnel beside that of its group is made, too") {
  Bed bed(topology());
  CHECK(bed.apply(topology("{group: b}", "group: fabric, ttl: 9")).empty());
  send(bed, at("gn1.5"), "5-all");
  bed.send("a1", frame("eth.1-5"));
  const std::vector<Bytes> sent = bed.take_bytes("up0");
  REQUIRE(sent.size() == 1);
  CHECK(sent.front().at(22) == 9);  // ttl
  CHECK(send(bed, at("vx0.3"), "3-5").empty());
  CHECK(bed.counts().of(DropReason::split_horizon) == 1);
}

TEST_CASE("groups: what show tells") {
  Bed bed(topology());
  CHECK(row_of(bed, "ports", "a1")["group"] == "a");
  CHECK(row_of(bed, "ports", "a1")["isolated"] == true);
  CHECK(row_of(bed, "ports", "i1")["group"].is_null());
  CHECK(row_of(bed, "ports", "i1")["isolated"] == true);
  CHECK(row_of(bed, "ports", "n2")["group"].is_null());
  CHECK(row_of(bed, "ports", "n2")["isolated"] == false);
  CHECK(row_of(bed, "tunnels", "vx0")["group"] == "fabric");
  CHECK(row_of(bed, "tunnels", "gn1")["group"] == "edge");
}

}  // namespace causeway::test
