// Outer datagrams that the kernel has merged: the same comes out, is counted and dropped as of each alone.
#include <cstring>

#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/unfinished.h"

namespace causeway::test {
namespace {

using Sequence = std::vector<Bytes>;

Sequence frames_of(const std::string& name) { return pipeline_frames().sequence(name); }

Sequence inner_of(const std::string& name) {
  return pipeline_frames().contains("merged-inner." + name) ? frames_of("merged-inner." + name) : Sequence{};
}

uint64_t received_bytes(Bed& bed, const std::string& port) {
  return bed.worker().counters().ports[bed.gateway().ports().find(port)->index].traffic.rx_bytes.get();
}

// every_tunnel() with room for 5,000 bytes.
std::string jumbo_tunnels() {
  std::string yaml = every_tunnel();
  for (size_t at = 0; (at = yaml.find("mtu: 2000", at)) != std::string::npos;) yaml.replace(at, 9, "mtu: 9000");
  return yaml;
}

void append(Sequence& to, const Sequence& what) { to.insert(to.end(), what.begin(), what.end()); }

// VLAN 6 of dev0 is the underlay.
constexpr const char* kOnVlan = R"(
version: 1
ethernets:
  dev0: {macaddress: 02:00:00:00:00:01, mtu: 9000}
  lan0: {mtu: 9000}
vlans:
  a.6: {id: 6, link: dev0, addresses: [172.31.0.1/24], neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]}
tunnels:
  vx: {mode: vxlan, id: 100, local: 172.31.0.1, remote: 172.31.0.2}
bridges:
  br0: {interfaces: [lan0, vx]}
)";

}  // namespace

TEST_CASE("merged: datagrams come out as if each had come alone") {
  for (const std::string& frame : pipeline_frames().names("merged.")) {
    const std::string name = frame.substr(7);
    CAPTURE(name);
    Bed apart(jumbo_tunnels());
    const Sequence datagrams = frames_of("merged-alone." + name);
    for (const Bytes& datagram : datagrams) apart.send("up0", datagram);
    Sequence expected = apart.take_bytes("lan0");
    CHECK((expected == inner_of(name)));
    for (const char* prefix : {"merged.", "merged-priority."}) {
      for (const auto& chain : std::vector<std::vector<uint16_t>>{{}, {71, 1, 200, 1900}, {300, 2000}}) {
        CAPTURE(prefix, chain.size());
        Bed bed(jumbo_tunnels());
        const unsigned buffers = bed.buffers();
        deliver_unfinished(bed, "up0", prefix + name, chain);
        bed.run();
        CHECK((bed.take_bytes("lan0") == expected));
        CHECK(bed.nothing_sent());
        const Counts counts = bed.counts();
        CHECK(to_text(counts) == to_text(apart.counts()));
        CHECK(counts.rx == datagrams.size());
        CHECK(counts.rx == counts.tx + counts.all_drops());
        CHECK(counts.rx_drops == counts.all_drops());
        const size_t tag = std::string_view(prefix) == "merged." ? 0 : 4;
        CHECK(received_bytes(bed, "up0") == received_bytes(apart, "up0") + tag);
        CHECK(bed.buffers() == buffers);
      }
    }
  }
}

TEST_CASE("merged: what is not for a tunnel of ours stays whole") {
  Bed bed(jumbo_tunnels());
  deliver_unfinished(bed, "up0", "merged-whole.not-our-address");
  bed.run();
  CHECK(to_text(bed.counts()) == "not_for_us 1");
  deliver_unfinished(bed, "up0", "merged-whole.not-our-port");
  bed.run();
  CHECK(to_text(bed.counts()) == "not_for_us 1, unknown_protocol 1");
  CHECK(bed.counts().rx == 2);
  // Bytes behind the IP packet aren't payload.
  rte_mbuf* const m = unfinished(bed, "merged.two");
  std::memset(rte_pktmbuf_append(m, 4), 0, 4);
  bed.deliver("up0", m);
  bed.run();
  CHECK(to_text(bed.counts()) == "not_for_us 1, unknown_protocol 1, segment_failed 1");
  CHECK(bed.nothing_sent());
}

TEST_CASE("merged: a flow keeps its order") {
  Bed bed(jumbo_tunnels());
  const unsigned buffers = bed.buffers();
  const Sequence single = frames_of("merged-single");
  const Sequence single_inner = frames_of("merged-single-inner");
  Sequence expected;
  bed.deliver("up0", single[0]);
  append(expected, {single_inner[0]});
  for (size_t i = 0; i < 10; ++i) {
    deliver_unfinished(bed, "up0", i % 3 != 2 ? "merged.vx4" : "merged.jumbo4");
    append(expected, inner_of(i % 3 != 2 ? "vx4" : "jumbo4"));
    if (i % 2 == 0) continue;
    for (size_t k = 1; k < 3; ++k) {
      bed.deliver("up0", single[k]);
      append(expected, {single_inner[k]});
    }
  }
  bed.run();
  CHECK((bed.take_bytes("lan0") == expected));
  CHECK(to_text(bed.counts()).empty());
  CHECK(bed.buffers() == buffers);
}

TEST_CASE("merged: an underlay that is a VLAN") {
  Bed bed(kOnVlan);
  bed.run();
  bed.nothing_sent();
  for (const char* name : {"vx4", "jumbo4", "many-small"}) {
    deliver_unfinished(bed, "dev0", std::string("merged-vlan.") + name);
    bed.run();
    CHECK((bed.take_bytes("lan0") == inner_of(name)));
  }
  CHECK(to_text(bed.counts()).empty());
  deliver_unfinished(bed, "dev0", "merged.vx4");
  bed.run();
  CHECK(to_text(bed.counts()) == "port_unassigned 1");
}

TEST_CASE("merged: no buffers for the datagrams") {
  for (const char* name : {"vx4", "jumbo4", "many-small"}) {
    for (size_t left = 0; left < 130; left += 13) {
      CAPTURE(name, left);
      Bed bed(jumbo_tunnels());
      rte_mbuf* const m = unfinished(bed, std::string("merged.") + name);
      std::vector<rte_mbuf*> taken;
      while (rte_mbuf* spare = rte_pktmbuf_alloc(bed.pool())) taken.push_back(spare);
      for (size_t i = 0; i < left; ++i) {
        rte_pktmbuf_free(taken.back());
        taken.pop_back();
      }
      bed.deliver("up0", m);
      bed.run();
      const Counts counts = bed.counts();
      const Sequence inner = inner_of(name);
      CHECK(counts.rx == inner.size());
      CHECK(counts.rx == counts.tx + counts.of(DropReason::mbuf_alloc));
      CHECK(counts.rx_drops == counts.of(DropReason::mbuf_alloc));
      const Sequence got = bed.take_bytes("lan0");
      CHECK((got == Sequence(inner.begin(), inner.begin() + static_cast<ptrdiff_t>(got.size()))));
      if (left == 0) CHECK(got.empty());
      if (left > 90) CHECK_FALSE(got.empty());
      for (rte_mbuf* spare : taken) rte_pktmbuf_free(spare);
      CHECK(bed.buffers() == 4095);
    }
  }
}

}  // namespace causeway::test
