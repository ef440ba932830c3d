// Mirrors: which frames are copied, where the copies leave and with which bytes, and whose loss it is when they can't.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/trace/trace.h"
#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"
#include "tests/pipeline/bed/unfinished.h"

namespace causeway::test {
namespace {

// Two access ports of VLAN 10, one of 20, one that carries all, a tunnel; two ports and a tunnel in no bridge.
std::string topology(const std::string& mirrors) {
  return R"(
version: 1
ethernets:
  a: {vlan: {mode: access, tag: 10}}
  b: {vlan: {mode: access, tag: 10}}
  c: {vlan: {mode: access, tag: 20}}
  d: {}
  out0: {}
  out1: {}
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: [172.31.0.1/24]
    neighbors:
      - {to: 172.31.0.2, macaddress: 02:00:00:00:00:02}
      - {to: 172.31.0.3, macaddress: 02:00:00:00:00:03}
tunnels:
  vx10: {mode: vxlan, id: 10, local: 172.31.0.1, remote: 172.31.0.2, vlan: {mode: access, tag: 10}}
  vx20: {mode: vxlan, id: 20, local: 172.31.0.1, remote: 172.31.0.2}
bridges:
  br0: {interfaces: [a, b, c, d, vx10]}
mirrors:
)" + mirrors;
}

const Bytes& frame(const std::string& name) { return pipeline_frames()["vlan." + name]; }

PortMirrors::Counts counts_of(Bed& bed, const std::string& mirror = "m") {
  return bed.gateway().mirrors().all().at(mirror).totals();
}

void drain(Bed& bed) {
  for (const char* port : {"a", "b", "c", "d", "up0", "out0", "out1"}) bed.take(port);
}

// How often a port has sent just this frame since it was last asked; nothing else may be among it.
size_t times(Bed& bed, const std::string& port, const Bytes& wanted) {
  const std::vector<Bytes> sent = bed.take_bytes(port);
  for (const Bytes& bytes : sent) CHECK(to_hex(bytes) == to_hex(wanted));
  return sent.size();
}

}  // namespace

TEST_CASE("mirror: what comes in, what goes out, and all") {
  struct Case {
    const char* selects;
    size_t from_a;  // copies of a's broadcast, which goes to b, d and vx10
    size_t from_b;  // of b's, to a, d and vx10
    size_t from_c;  // of c's, to d
  };
  const Case cases[] = {
      {"select-src-port: [a]", 1, 0, 0},
      {"select-src-port: [a, c]", 1, 0, 1},
      {"select-dst-port: [b]", 1, 0, 0},
      {"select-dst-port: [vx10]", 1, 1, 0},
      {"select-src-port: [a], select-dst-port: [b]", 2, 0, 0},
      {"select-all: true", 1, 1, 1},
      {"select-all: true, select-vlan: [20]", 0, 0, 1},
      {"select-all: true, select-vlan: [10, 20]", 1, 1, 1},
      {"select-all: true, select-vlan: [0, 7]", 0, 0, 0},
      {"select-src-port: [vx10]", 0, 0, 0},
  };
  for (const Case& one : cases) {
    CAPTURE(one.selects);
    Bed bed(topology(fmt::format("  m: {{{}, output-port: out0}}", one.selects)));
    const auto copies = [&](const char* port, const std::string& name) {
      bed.send(port, frame(name));
      const size_t found = times(bed, "out0", frame(name));
      drain(bed);
      return found;
    };
    CHECK(copies("a", "1-all") == one.from_a);
    CHECK(copies("b", "2-all") == one.from_b);
    CHECK(copies("c", "3-all") == one.from_c);
    CHECK(counts_of(bed).selected() == one.from_a + one.from_b + one.from_c);
    CHECK(counts_of(bed).lost == 0);
    CHECK(to_text(bed.counts()).empty());
  }
}

TEST_CASE("mirror: a few in a row are as many copies, and the originals are as they would be") {
  Bed bed(topology("  m: {select-src-port: [a], select-dst-port: [vx10], output-port: out0}"));
  for (const size_t count : {size_t{1}, size_t{5}, size_t{64}, size_t{200}, size_t{1500}}) {
    CAPTURE(count);
    const PortMirrors::Counts before = counts_of(bed);
    for (size_t i = 0; i < count; ++i) bed.deliver("a", frame("1-all"));
    bed.run();
    CHECK(times(bed, "b", frame("1-all")) == count);
    const std::vector<Bytes> outer = bed.take_bytes("up0");
    CHECK(outer.size() == count);
    for (const Bytes& bytes : outer) CHECK(bytes == with_entropy(frame("out.vx10.1-all"), entropy_of(bytes)));
    // In VLAN 10 the frame has that tag until it leaves it in front of the tunnel.
    CHECK(times(bed, "out0", frame("1-all")) == 2 * count);
    CHECK(counts_of(bed).selected() - before.selected() == 2 * count);
    CHECK(counts_of(bed).lost == 0);
    drain(bed);
  }
}

TEST_CASE("mirror: at a tunnel's end frames have no outer headers") {
  Bed bed(topology("  m: {select-src-port: [vx10], output-port: out0}"));
  for (int time = 0; time < 3; ++time) {
    bed.send("up0", frame("in.vx10.6-all"));
    CHECK(times(bed, "out0", frame("6-all")) == 1);
    CHECK(times(bed, "a", frame("6-all")) == 1);
    drain(bed);
  }
  CHECK(counts_of(bed).selected() == 3);
}

TEST_CASE("mirror: copies into a tunnel") {
  Bed bed(topology("  m: {select-src-port: [a], output-port: vx20}"));
  bed.send("a", frame("1-2"));
  std::vector<Bytes> sent = bed.take_bytes("up0");
  REQUIRE(sent.size() == 2);  // the flooded one in vx10, the copy in vx20
  CHECK(sent[0] == with_entropy(frame("out.vx10.1-2"), entropy_of(sent[0])));
  CHECK(sent[1] == with_entropy(frame("out.vx20.1-2"), entropy_of(sent[1])));
  CHECK(counts_of(bed).lost == 0);
}

TEST_CASE("mirror: copies into a VLAN") {
  Bed bed(topology("  m: {select-src-port: [a], output-vlan: 20}\n  n: {select-dst-port: [c], output-port: out0}"));
  bed.send("a", frame("1-all"));
  CHECK(times(bed, "c", frame("1-all")) == 1);  // VLAN 20's access port
  std::vector<Bytes> at_d = bed.take_bytes("d");
  REQUIRE(at_d.size() == 2);
  CHECK(at_d[0] == frame("1-all.10"));
  CHECK(at_d[1] == frame("1-all.20"));
  // Nobody mirrors a copy.
  CHECK(bed.take("out0").empty());
  CHECK(counts_of(bed, "n").selected() == 0);
  CHECK(counts_of(bed).selected() == 1);
  // From an end that carries all: another tag is replaced, what is in the VLAN is not copied.
  REQUIRE(bed.apply(topology("  m: {select-src-port: [d], output-vlan: 20}")).empty());
  drain(bed);
  bed.send("d", frame("4-all.10"));
  CHECK(times(bed, "c", frame("4-all")) == 1);
  drain(bed);
  bed.send("d", frame("4-all.20"));
  CHECK(times(bed, "c", frame("4-all")) == 1);
  // Nor is what only the next bridge is to hear (IEEE 802.1Q-2018 8.6.3).
  Bytes to_bridge = frame("4-all.10");
  std::ranges::copy(Bytes{0x01, 0x80, 0xc2, 0x00, 0x00, 0x02}, to_bridge.begin());
  drain(bed);
  bed.send("d", to_bridge);
  CHECK(bed.nothing_sent());
  CHECK(counts_of(bed).selected() == 2);
}

TEST_CASE("mirror: super-packets") {
  for (const bool whole : {false, true}) {
    CAPTURE(whole);
    TxCapabilities capabilities = Bed::default_capabilities();
    if (whole) capabilities.can.front() = TxCapabilities::kChecksum | TxCapabilities::kTcp;  // without a tunnel
    Bed bed(topology("  m: {select-src-port: [d], output-port: out0}"), capabilities);
    for (const std::vector<uint16_t>& chain : {std::vector<uint16_t>{}, {200, 1500}}) {
      deliver_unfinished(bed, "d", "rx.big4-inner", chain);
      bed.run();
      const std::vector<Sent> copies = bed.take("out0");
      if (whole) {
        REQUIRE(copies.size() == 1);
        CHECK(to_hex(copies[0].bytes) == to_hex(pipeline_frames()["rx.big4-inner"]));
        CHECK((copies[0].intent_flags & kNeedsSegment) != 0);
        CHECK(copies[0].intent.gso_size == written_intent("rx.big4-inner").gso_size);
      } else {
        const std::vector<Bytes> parts = pipeline_frames().sequence("rx.big4-cut");
        REQUIRE(copies.size() == parts.size());
        for (size_t i = 0; i < parts.size(); ++i) CHECK(to_hex(copies[i].bytes) == to_hex(parts[i]));
      }
      drain(bed);
    }
    CHECK(counts_of(bed).selected() == 2);
    CHECK(counts_of(bed).lost == 0);
  }
}

TEST_CASE("mirror: a way out that is full, down or without a buffer loses copies only") {
  Bed bed(topology("  m: {select-src-port: [a], output-port: out0}\n  n: {select-src-port: [a], output-port: out1}"));
  const auto send = [&](size_t count) {
    const PortMirrors::Counts before = counts_of(bed);
    for (size_t i = 0; i < count; ++i) bed.deliver("a", frame("1-all"));
    bed.run();
    CHECK(times(bed, "b", frame("1-all")) == count);
    const size_t kept = times(bed, "out0", frame("1-all"));
    CHECK(counts_of(bed).selected() - before.selected() == count);
    CHECK(kept + counts_of(bed).lost - before.lost == count);
    CHECK(times(bed, "out1", frame("1-all")) == count);  // the other mirror's are its own
    CHECK(counts_of(bed, "n").lost == 0);
    drain(bed);
    return kept;
  };
  CHECK(send(100) == 100);
  bed.port("out0").set_room(30);
  CHECK(send(100) == 30);
  CHECK(to_text(bed.counts()) == "tx_full 70");
  bed.port("out0").set_room(SIZE_MAX);
  bed.port("out0").set_link(false);
  bed.gateway().tick();
  bed.run();
  CHECK(send(10) == 0);
  CHECK(bed.counts().of(DropReason::port_down) == 10);
  bed.port("out0").set_link(true);
  bed.gateway().tick();
  bed.run();
  CHECK(send(10) == 10);
  CHECK(bed.counts().rx_drops == 0);
}

TEST_CASE("mirror: copies that find no buffer are the mirror's loss") {
  Bed bed(topology("  m: {select-dst-port: [b], output-port: out0}"));
  bed.send("d", frame("4-all.10"));  // whatever is made once
  drain(bed);
  const PortMirrors::Counts before = counts_of(bed);
  std::vector<rte_mbuf*> held;
  bed.deliver("a", frame("1-all"));
  bed.send("b", frame("2-1"));  // learnt: a is known, so that the next one isn't flooded
  drain(bed);
  const PortMirrors::Counts learnt = counts_of(bed);
  CHECK(learnt.selected() - before.selected() == 1);
  bed.wait_a_tick();
  bed.deliver("a", frame("1-2"));
  while (rte_mbuf* const m = rte_pktmbuf_alloc(bed.pool())) held.push_back(m);
  bed.run();
  for (rte_mbuf* const m : held) rte_pktmbuf_free(m);
  CHECK(times(bed, "b", frame("1-2")) == 1);
  CHECK(bed.take("out0").empty());
  CHECK(counts_of(bed).selected() - learnt.selected() == 1);
  CHECK(counts_of(bed).lost == 1);
}

TEST_CASE("mirror: what comes in by an output port dies") {
  Bed bed(topology("  m: {select-all: true, output-port: out0}"));
  const Counts before = bed.counts();
  bed.send("out0", frame("1-all"));
  CHECK(to_text(bed.counts() - before) == "port_unassigned 1");
  CHECK(bed.nothing_sent());
  CHECK(counts_of(bed).selected() == 0);
}

TEST_CASE("mirror: captures see copies, and a trace makes none") {
  Bed bed(topology("  m: {select-src-port: [a], output-port: out0}"));
  const auto index = [&](const char* port) { return bed.gateway().ports().find(port)->index; };
  const auto trace = trace_frame(bed.gateway(), index("a"), frame("1-all"));
  REQUIRE(trace);
  CHECK(trace->sent.size() == 3);  // b, d and vx10
  CHECK(bed.nothing_sent());
  CHECK(counts_of(bed).selected() == 0);

  CaptureChoice choice;
  choice.incoming = false;
  choice.snap_bytes = 2000;
  const auto capture = std::make_shared<Capture>(choice, FrameFilter(), bed.gateway().workers().size() + 1, 1 << 20);
  capture->ports.assign({1ULL << index("out0")});
  bed.gateway().looks().set_captures({capture});
  bed.run();
  bed.send("a", frame("1-all"));
  CHECK(times(bed, "out0", frame("1-all")) == 1);
  CaptureRing& ring = capture->writers.front()->ring;
  const CapturedFrame* const seen = ring.front();
  REQUIRE(seen != nullptr);
  CHECK(Bytes(seen->bytes(), seen->bytes() + seen->kept_bytes) == frame("1-all"));
  ring.pop();
  CHECK(ring.front() == nullptr);
  bed.gateway().looks().set_captures({});
  bed.run();
  bed.send("a", frame("1-all"));
  CHECK(times(bed, "out0", frame("1-all")) == 1);
  CHECK(ring.front() == nullptr);
}

TEST_CASE("mirror: changes by apply, under traffic") {
  Bed bed(topology("  m: {select-src-port: [a], output-port: out0}"));
  const auto seen = [&] {
    for (int i = 0; i < 3; ++i) bed.deliver("a", frame("1-all"));
    bed.run();
    CHECK(times(bed, "b", frame("1-all")) == 3);
    const size_t at_out0 = times(bed, "out0", frame("1-all"));
    const size_t at_out1 = times(bed, "out1", frame("1-all"));
    drain(bed);
    return fmt::format("{} {}", at_out0, at_out1);
  };
  // Frames that wait while a change is made are whole and go one way or the other.
  const auto change = [&](const std::string& mirrors) {
    bed.deliver("a", frame("1-all"));
    REQUIRE(bed.apply(topology(mirrors)).empty());
    bed.run();
    drain(bed);
  };
  CHECK(seen() == "3 0");
  change("  m: {select-src-port: [a], output-port: out1}");
  CHECK(seen() == "0 3");
  CHECK(counts_of(bed).selected() == 7);  // they go on
  change("  m: {select-src-port: [a], output-port: out1}\n  n: {select-dst-port: [b], output-port: out0}");
  CHECK(seen() == "3 3");
  change("  n: {select-dst-port: [b], output-port: out0}");
  CHECK(seen() == "3 0");
  change("  {}");
  CHECK(seen() == "0 0");
  CHECK(bed.gateway().tables().captures.load() == nullptr);
  change("  m: {select-all: true, output-port: out0}");
  CHECK(seen() == "3 0");
  CHECK(counts_of(bed).lost == 0);
}

TEST_CASE("mirror: show says what is selected, sent and lost") {
  Bed bed(topology("  m: {select-src-port: [a], select-dst-port: [vx10], select-vlan: [10], output-port: out0}"));
  bed.port("out0").set_room(1);
  bed.send("a", frame("1-all"));
  const nlohmann::json row = show(bed.gateway(), "mirrors").at(0);
  CHECK(row == nlohmann::json{{"name", "m"},
                              {"selects", {"from a", "to vx10"}},
                              {"vlans", {10}},
                              {"output", "out0"},
                              {"selected", 2},
                              {"copies", 1},
                              {"lost", 1}});
}

}  // namespace causeway::test
