// GRE tunnels that number what they send: scapy's frames, byte for byte, whoever cuts super-packets elsewhere.
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/capabilities.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {
namespace {

using Sequence = std::vector<Bytes>;

// gre_sequence_frames.py has the same tunnels.
std::string topology(const std::string& more = "") {
  return R"(
version: 1
ethernets:
  lan0: {}
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: [172.31.0.1/24, "fd00:31::1/64"]
    neighbors:
      - {to: 172.31.0.2, macaddress: 02:00:00:00:00:02}
      - {to: 172.31.0.3, macaddress: 02:00:00:00:00:03}
      - {to: "fd00:31::2", macaddress: 02:00:00:00:00:02}
tunnels:
  gs: {mode: gretap, key: 31, local: 172.31.0.1, remote: 172.31.0.2, sequence: true)" +
         more + R"(}
  gk: {mode: gretap, local: 172.31.0.1, remote: 172.31.0.2, sequence: true)" +
         more + R"(}
  gc: {mode: gretap, key: 33, local: 172.31.0.1, remote: 172.31.0.2, sequence: true, checksum: true)" +
         more + R"(}
  g6: {mode: gretap, key: 31, local: "fd00:31::1", remote: "fd00:31::2", sequence: true, checksum: true)" +
         more + R"(}
bridges:
  br0:
    interfaces: [lan0, gs, gk, gc, g6]
    static-macs: [{mac: 02:00:00:00:02:01, port: gs}, {mac: 02:00:00:00:02:02, port: gk},
                  {mac: 02:00:00:00:02:03, port: gc}, {mac: 02:00:00:00:02:04, port: g6}]
)";
}

void deliver(Bed& bed, const std::string& name, size_t index) {
  const Bytes bytes = pipeline_frames().sequence(name).at(index);
  rte_mbuf* const m = to_mbuf(bed.pool(), bytes);
  if (bytes.size() > 1514) {
    const bool ipv6 = read16(bytes, 12) == 0x86dd;
    Intent intent;
    intent.csum_start = ipv6 ? 54 : 34;
    intent.csum_offset = 16;
    intent.gso_size = 1000;
    intent.gso_type = ipv6 ? GsoType::tcp6 : GsoType::tcp4;
    set_intent(m, intent, kNeedsChecksum | kNeedsSegment);
  }
  bed.deliver("lan0", m);
}

void check_all(const Sequence& got, const std::string& name) {
  const Sequence expected = pipeline_frames().sequence(name);
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(name, i);
    check_outer(got[i], expected[i]);
  }
}

}  // namespace

TEST_CASE("gre_sequence: frames and the segments of super-packets are numbered one after the other") {
  // Devices that cut nothing, that take no chains, that could cut everything.
  for (const TxCapabilities& capabilities : {with(0, true), with(0, false), with(0xff, true)}) {
    for (const bool burst : {false, true}) {
      CAPTURE(burst, capabilities.multi_segment, capabilities.can.front());
      Bed bed(topology(), capabilities);
      const unsigned buffers = bed.buffers();
      for (const std::string tunnel : {"gs", "gk", "gc", "g6"}) {
        const size_t count = pipeline_frames().sequence("numbered.in." + tunnel).size();
        for (size_t i = 0; i < count; ++i) {
          deliver(bed, "numbered.in." + tunnel, i);
          if (!burst) bed.run();
        }
        bed.run();
        check_all(bed.take_bytes("up0"), "numbered.out." + tunnel);
      }
      CHECK(bed.counts().all_drops() == 0);
      CHECK(bed.buffers() == buffers);
      // A tunnel that changes counts on: its remote might take nothing older.
      CHECK(bed.apply(topology(", ttl: 5")).empty());
      for (const std::string tunnel : {"gs", "gk", "gc", "g6"}) {
        bed.send("lan0", pipeline_frames()["numbered.later." + tunnel]);
        check_all(bed.take_bytes("up0"), "numbered.later-out." + tunnel);
      }
    }
  }
}

TEST_CASE("gre_sequence: each remote has numbers of its own") {
  std::string yaml = topology();
  yaml.replace(yaml.find("remote: 172.31.0.2"), 18, "remote: [172.31.0.2, 172.31.0.3]");
  yaml.erase(yaml.find("    static-macs"));
  Bed bed(yaml);
  for (const Bytes& frame : pipeline_frames().sequence("numbered.in.two")) bed.send("lan0", frame);
  Sequence got;
  for (Bytes& bytes : bed.take_bytes("up0")) {
    if (bytes.at(12) == 0x08 && read16(bytes, 34) == 0x3000 && bytes.at(41) == 31) got.push_back(std::move(bytes));
  }
  check_all(got, "numbered.out.two");
}

}  // namespace causeway::test
