// Copies into ERSPAN tunnels: scapy's frames, byte for byte; what is too long, unfinished or waits for a neighbor; and
// what comes in by them.
#include <fmt/format.h>

#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/capabilities.h"
#include "tests/pipeline/bed/outer_compare.h"
#include "tests/pipeline/bed/unfinished.h"

namespace causeway::test {
namespace {

using Sequence = std::vector<Bytes>;

// erspan_frames.py has the same tunnels.
std::string topology(const std::string& output, const std::string& more = "") {
  return fmt::format(R"(
version: 1
ethernets:
  a: {{}}
  b: {{}}
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: [172.31.0.1/24, "fd00:31::1/64"]
    neighbors:
      - {{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}}
      - {{to: "fd00:31::2", macaddress: 02:00:00:00:00:02}}
tunnels:
  e2: {{mode: erspan, id: 100, erspan-index: 0xabcde, local: 172.31.0.1, remote: 172.31.0.2{0}}}
  e1: {{mode: erspan, erspan-type: 1, local: 172.31.0.1, remote: 172.31.0.2{0}}}
  e6: {{mode: erspan, id: 1023, erspan-index: 1, local: "fd00:31::1", remote: "fd00:31::2"{0}}}
  e9: {{mode: erspan, id: 9, local: 172.31.0.1, remote: 172.31.0.9{0}}}
bridges:
  br0: {{interfaces: [a, b]}}
mirrors:
  m: {{select-src-port: [a], output-port: {1}}}
)",
                     more, output);
}

constexpr const char* kFrames[] = {
    "plain", "tagged", "priority",   "service", "nothing", "half-a-tag",  "unfinished", "unfinished-tagged",
    "big4",  "big6",   "big-tagged", "whole",   "full",    "full-tagged", "big-full",   "last"};

void deliver(Bed& bed, const std::string& name) {
  if (name.starts_with("big") || name.starts_with("unfinished")) {
    deliver_unfinished(bed, "a", "erspan.in." + name);
  } else {
    bed.deliver("a", pipeline_frames()["erspan.in." + name]);
  }
}

void check_all(const Sequence& got, const std::string& tunnel) {
  const Sequence expected = pipeline_frames().sequence("erspan.out." + tunnel);
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(tunnel, i);
    check_outer(got[i], expected[i]);
  }
}

// e9 asks for its next hop at once.
void drain(Bed& bed) {
  bed.run();
  bed.take("up0");
}

PortMirrors::Counts counts_of(Bed& bed) { return bed.gateway().mirrors().all().at("m").totals(); }

}  // namespace

TEST_CASE("erspan: each copy is one frame, numbered and described, or as it is") {
  // Devices that cut nothing, that take no chains, that could cut everything.
  for (const TxCapabilities& capabilities : {with(0, true), with(0, false), with(0xff, true)}) {
    for (const std::string tunnel : {"e2", "e1", "e6"}) {
      for (const bool burst : {false, true}) {
        CAPTURE(tunnel, burst, capabilities.multi_segment, capabilities.can.front());
        Bed bed(topology(tunnel), capabilities);
        drain(bed);
        const unsigned buffers = bed.buffers();
        for (const char* const name : kFrames) {
          deliver(bed, name);
          if (!burst) bed.run();
        }
        bed.run();
        check_all(bed.take_bytes("up0"), tunnel);
        bed.take("b");
        CHECK(counts_of(bed).selected() == std::size(kFrames));
        // Type I has no word for a frame that was cut short.
        const bool cuts = tunnel != "e1";
        CHECK(counts_of(bed).lost == (cuts ? 0 : 3));
        CHECK(to_text(bed.counts()).empty() == cuts);
        CHECK(bed.counts().of(DropReason::too_big) == bed.counts().all_drops());
        CHECK(bed.buffers() == buffers);
      }
    }
  }
}

TEST_CASE("erspan: the originals are as they would be") {
  Bed bed(topology("e2"));
  for (const char* const name : {"plain", "tagged", "full", "full-tagged"}) {
    CAPTURE(name);
    deliver(bed, name);
    bed.run();
    CHECK(bed.take_bytes("b") == Sequence{pipeline_frames()["erspan.in." + std::string(name)]});
  }
}

TEST_CASE("erspan: a copy that waits for its neighbor is described when it goes") {
  Bed bed(topology("e9"));
  bed.send("a", pipeline_frames()["erspan.held.in"]);
  bed.take("up0");  // ARP requests
  bed.send("up0", pipeline_frames()["erspan.held.answer"]);
  const Sequence got = bed.take_bytes("up0");
  REQUIRE(got.size() == 1);
  check_outer(got[0], pipeline_frames()["erspan.held.out"]);
}

TEST_CASE("erspan: numbers go on when the tunnel changes") {
  Bed bed(topology("e2"));
  drain(bed);
  const auto number = [&] {
    deliver(bed, "plain");
    bed.run();
    const Sequence got = bed.take_bytes("up0");
    REQUIRE(got.size() == 1);
    return read16(got[0], 40);  // the lower half of GRE's number
  };
  CHECK(number() == 0);
  CHECK(number() == 1);
  REQUIRE(bed.apply(topology("e2", ", ttl: 5")).empty());
  drain(bed);
  CHECK(number() == 2);
}

TEST_CASE("erspan: what comes in by it dies") {
  Bed bed(topology("e2"));
  drain(bed);
  for (const Bytes& frame : pipeline_frames().sequence("erspan.received")) {
    const Counts before = bed.counts();
    bed.send("up0", frame);
    CHECK(to_text(bed.counts() - before) == "gre_protocol 1");
    CHECK(bed.nothing_sent());
  }
}

}  // namespace causeway::test
