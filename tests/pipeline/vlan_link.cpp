// VLANs of a device as interfaces of their own: an underlay, a bridge port, and the device beside them.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {
namespace {

const Bytes& frame(const std::string& name) { return pipeline_frames()["vlan." + name]; }
using Sequence = std::vector<Bytes>;

// VLAN 6 of dev0 is the underlay, VLAN 10 a port of br0, where the tunnel is; all else of dev0 is in br1.
std::string topology(const std::string& neighbors = "{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}",
                     const std::string& device = "macaddress: 02:00:00:00:00:01", const std::string& more = "") {
  return R"(
version: 1
ethernets:
  dev0: {)" +
         device + R"(}
  p0: {}
  p1: {}
vlans:
  a.6: {id: 6, link: dev0, addresses: [172.31.0.1/24], neighbors: [)" +
         neighbors + R"(]}
  a.10: {id: 10, link: dev0)" +
         more + R"(}
tunnels:
  vx10: {mode: vxlan, id: 10, local: 172.31.0.1, remote: 172.31.0.2}
bridges:
  br0: {interfaces: [p0, a.10, vx10]}
  br1: {interfaces: [p1, dev0]}
)";
}

Bytes tagged(Bytes bytes, uint16_t vlan) {
  const std::array<uint8_t, 4> tag{0x81, 0x00, static_cast<uint8_t>(vlan >> 8), static_cast<uint8_t>(vlan)};
  bytes.resize(bytes.size() + tag.size());
  std::copy_backward(bytes.begin() + 12, bytes.end() - tag.size(), bytes.end());
  std::copy(tag.begin(), tag.end(), bytes.begin() + 12);
  return bytes;
}

// Checks the tag of VLAN 6 and takes it off.
Bytes untagged(Bytes bytes) {
  CHECK(to_hex(Bytes(bytes.begin() + 12, bytes.begin() + 16)) == "81000006");
  bytes.erase(bytes.begin() + 12, bytes.begin() + 16);
  return bytes;
}

}  // namespace

TEST_CASE("vlan link: frames go to the interface of their tag, and leave with it") {
  Bed bed(topology());
  bed.send("dev0", frame("1-all.10"));
  CHECK(bed.take_bytes("p0") == Sequence{frame("1-all")});
  Sequence out = bed.take_bytes("dev0");
  REQUIRE(out.size() == 1);
  check_outer(untagged(out[0]), frame("out.vx10.1-all"));
  CHECK(bed.nothing_sent());
  bed.send("p0", frame("2-1"));
  CHECK(bed.take_bytes("dev0") == Sequence{frame("2-1.10")});
  // The bridge has no VLAN modes: a tenant's own tags go with it, behind the link's.
  bed.send("p0", frame("2-all.7"));
  out = bed.take_bytes("dev0");
  REQUIRE(out.size() == 2);
  CHECK(to_hex(out[0]) == to_hex(tagged(frame("2-all.7"), 10)));
  // What has no tag, or one that nobody has an interface for, is the device's own.
  bed.send("dev0", frame("1-all"));
  bed.send("dev0", frame("1-all.20"));
  bed.send("dev0", frame("1-all.p0"));
  CHECK((bed.take_bytes("p1") == Sequence{frame("1-all"), frame("1-all.20"), frame("1-all.p0")}));
  CHECK(bed.nothing_sent());
  CHECK(to_text(bed.counts()).empty());
}

TEST_CASE("vlan link: the underlay's business has the tag") {
  Bed bed(topology(""));
  bed.run();
  CHECK(bed.take_bytes("dev0") == Sequence{frame("link.arp.who-is-2")});
  bed.send("p0", frame("1-2"));
  CHECK(bed.take_bytes("dev0") == Sequence{frame("1-2.10")});  // a copy of the flood; the tunnel's waits
  bed.send("dev0", frame("link.arp.is-at-2"));
  Sequence out = bed.take_bytes("dev0");
  REQUIRE(out.size() == 1);
  check_outer(untagged(out[0]), frame("out.vx10.1-2"));
  bed.send("dev0", frame("link.arp.asks-us"));
  CHECK(bed.take_bytes("dev0") == Sequence{frame("link.arp.our-answer")});
  bed.send("dev0", frame("link.echo.request"));
  CHECK(bed.take_bytes("dev0") == Sequence{frame("link.echo.reply")});
  CHECK(to_text(bed.counts()).empty());
  // The same question without the tag, or with another, is nobody's but the bridge's.
  bed.send("dev0", frame("link.arp.asks-us-untagged"));
  bed.send("dev0", frame("link.arp.asks-us-elsewhere"));
  CHECK(bed.take_bytes("dev0").empty());
  CHECK(bed.take_bytes("p1").size() == 2);
}

// As Linux takes them (net/core/dev.c, __netif_receive_skb_core).
TEST_CASE("vlan link: a priority tag stands for none, wherever it is") {
  std::string yaml = topology();
  yaml.replace(yaml.find("[p1, dev0]"), 10, "[p1]");
  Bed bed(yaml);
  for (const char* shape : {"vlan", "priority-in-front", "priority-behind", "service-in-front"}) {
    CAPTURE(shape);
    for (int times = 0; times < 2; ++times) {
      bed.send("dev0", frame(std::string("on-link.") + shape));
      CHECK(bed.take_bytes("p0") == Sequence{frame("3-all")});
      CHECK(bed.take_bytes("dev0") == Sequence{frame("3-all.10")});
    }
  }
  bed.send("dev0", frame("link.arp.asks-us-priority-behind"));
  CHECK(bed.take_bytes("dev0") == Sequence{frame("link.arp.our-answer")});
  CHECK(to_text(bed.counts()).empty());
  bed.send("dev0", frame("on-link.priority"));  // of no VLAN: the device's own, which is nothing here
  CHECK(to_text(bed.counts()) == "port_unassigned 1");
  CHECK(bed.nothing_sent());
  // A bridge has it as it is.
  Bed bridged(topology());
  for (const char* shape : {"priority", "priority-in-front", "service-in-front"}) {
    bridged.send("dev0", frame(std::string("on-link.") + shape));
    CHECK(bridged.take_bytes("p1") == Sequence{frame(std::string("on-link.") + shape)});
    CHECK(bridged.nothing_sent());
  }
}

TEST_CASE("vlan link: an underlay beside its VLANs answers priority-tagged frames without a tag") {
  Bed bed(R"(
version: 1
ethernets:
  dev0: {macaddress: 02:00:00:00:00:01, addresses: [172.31.0.1/24], neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]}
  p0: {}
vlans: {a.10: {id: 10, link: dev0}}
tunnels: {vx10: {mode: vxlan, id: 10, local: 172.31.0.1, remote: 172.31.0.2}}
bridges: {br0: {interfaces: [p0, vx10]}}
)");
  bed.run();
  bed.nothing_sent();
  bed.send("dev0", frame("link.arp.asks-us-priority"));
  CHECK(bed.take_bytes("dev0") == Sequence{frame("link.arp.our-answer-untagged")});
  bed.send("dev0", frame("link.echo.request-priority"));
  CHECK(bed.take_bytes("dev0") == Sequence{frame("link.echo.reply-untagged")});
  bed.send("dev0", frame("on-link.priority"));
  CHECK(bed.take_bytes("p0") == Sequence{frame("3-all")});
  CHECK(to_text(bed.counts()).empty());
}

TEST_CASE("vlan link: tunnels run over the VLAN, and only there") {
  Bed bed(topology());
  for (int times = 0; times < 3; ++times) {  // the second is known by its outer headers
    bed.send("dev0", tagged(frame("in.vx10.3-all"), 6));
    CHECK(bed.take_bytes("p0") == Sequence{frame("3-all")});
    CHECK(bed.take_bytes("dev0") == Sequence{frame("3-all.10")});
    bed.send("dev0", frame("in.vx10.3-all"));
    CHECK(bed.take_bytes("p0").empty());
    CHECK(bed.take_bytes("p1") == Sequence{frame("in.vx10.3-all")});
  }
  for (int i = 0; i < 100; ++i) bed.deliver("p0", frame("1-3"));
  bed.run();
  const Sequence out = bed.take_bytes("dev0");
  REQUIRE(out.size() == 100);
  for (const Bytes& bytes : out) check_outer(untagged(bytes), frame("out.vx10.1-3"));
  CHECK(to_text(bed.counts()).empty());
}

TEST_CASE("vlan link: a burst of everything at once") {
  Bed bed(topology());
  bed.send("dev0", frame("1-all.10"));
  bed.send("p0", frame("2-all"));
  bed.nothing_sent();
  const unsigned buffers = bed.buffers();
  const Counts before = bed.counts();
  for (int i = 0; i < 40; ++i) {
    bed.deliver("dev0", frame("1-2.10"));
    bed.deliver("dev0", tagged(frame("in.vx10.3-2"), 6));
    bed.deliver("dev0", frame("4-5"));
    bed.deliver("dev0", frame("4-5.20"));
  }
  bed.run();
  const Sequence at_p0 = bed.take_bytes("p0");
  CHECK(std::ranges::count(at_p0, frame("1-2")) == 40);
  CHECK(std::ranges::count(at_p0, frame("3-2")) == 40);
  CHECK(at_p0.size() == 80);
  const Sequence at_p1 = bed.take_bytes("p1");
  CHECK(std::ranges::count(at_p1, frame("4-5")) == 40);
  CHECK(std::ranges::count(at_p1, frame("4-5.20")) == 40);
  const Counts rise = bed.counts() - before;
  CHECK(rise.rx == 160);
  CHECK(rise.tx == 160);
  CHECK(to_text(rise).empty());
  CHECK(bed.buffers() == buffers);
}

TEST_CASE("vlan link: a queue that is full gets its frames back as they were") {
  Bed bed(topology());
  bed.send("dev0", frame("1-all.10"));
  bed.nothing_sent();
  const unsigned buffers = bed.buffers();
  bed.port("dev0").set_room(5);
  for (int i = 0; i < 20; ++i) bed.deliver("p0", frame("2-1"));
  bed.run();
  CHECK(bed.take_bytes("dev0") == Sequence(5, frame("2-1.10")));
  CHECK(to_text(bed.counts()) == "tx_full 15");
  CHECK(bed.buffers() == buffers);
  // They are counted as they came, without the tag.
  const PortIndex vlan = bed.gateway().ports().find("a.10")->index;
  CHECK(bed.worker().counters().ports[vlan].traffic.tx_bytes.get() == 5 * frame("2-1").size());
}

TEST_CASE("vlan link: what a device refuses holds up nothing, and the rest has one tag") {
  Bed bed(topology());
  bed.send("dev0", frame("1-all.10"));
  bed.nothing_sent();
  Bytes longer = frame("2-1");
  longer.resize(longer.size() + 100);
  bed.port("dev0").set_longest(static_cast<uint32_t>(longer.size()));
  for (int i = 0; i < 40; ++i) bed.deliver("p0", i % 4 == 0 ? longer : frame("2-1"));
  bed.run();
  CHECK(bed.take_bytes("dev0") == Sequence(30, frame("2-1.10")));
  CHECK(to_text(bed.counts()) == "tx_refused 10");
}

TEST_CASE("vlan link: it follows its device") {
  Bed bed(topology());
  const auto works = [&] {
    bed.nothing_sent();
    bed.wait_a_tick();
    bed.send("dev0", frame("1-all.10"));
    const bool in = bed.take_bytes("p0") == Sequence{frame("1-all")};
    const Sequence out = bed.take_bytes("dev0");
    return in && out.size() == 1 && out[0].size() == frame("out.vx10.1-all").size() + 4;
  };
  CHECK(works());
  bed.port("dev0").set_link(false);
  bed.gateway().tick();
  bed.send("p0", frame("2-1"));
  CHECK(bed.counts().of(DropReason::port_down) == 1);
  bed.port("dev0").set_link(true);
  bed.gateway().tick();
  CHECK(works());
  // Opened anew, for its own MAC: the interfaces above stay what they were.
  CHECK(bed.apply(topology("{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}", "")).empty());
  bed.nothing_sent();
  bed.send("dev0", frame("1-all.10"));
  CHECK(bed.take_bytes("p0") == Sequence{frame("1-all")});
  CHECK(bed.apply(topology()).empty());
  CHECK(works());
  // It can't be opened again: everything on it is down, and up again with the next file.
  bed.fail_opening("dev0", "no such device", 2);
  CHECK_FALSE(bed.apply(topology("{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}", "")).empty());
  bed.send("p0", frame("2-1"));
  CHECK(bed.apply(topology("{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}",
                           "isolated: true, macaddress: 02:00:00:00:00:01"))
            .empty());
  CHECK(works());
}

TEST_CASE("vlan link: MTUs") {
  Bed bed(topology("{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}", "macaddress: 02:00:00:00:00:01, mtu: 1600"));
  const auto mtu_of = [&](const char* what, const std::string& name) {
    for (const auto& row : show(bed.gateway(), what)) {
      if (row["name"] == name) return row["mtu"].get<int>();
    }
    return 0;
  };
  CHECK(mtu_of("ports", "a.6") == 1600);
  CHECK(mtu_of("ports", "a.10") == 1600);
  CHECK(mtu_of("tunnels", "vx10") == 1550);
  CHECK(bed.apply(topology("", "macaddress: 02:00:00:00:00:01, mtu: 1700", ", mtu: 1400")).empty());
  CHECK(mtu_of("ports", "a.6") == 1700);
  CHECK(mtu_of("ports", "a.10") == 1400);
  CHECK(mtu_of("tunnels", "vx10") == 1650);
  for (const auto& row : show(bed.gateway(), "ports")) {
    if (row["name"] != "a.10") continue;
    CHECK(row["kind"] == "vlan");
    CHECK(row["link"] == "dev0");
    CHECK(row["vlan_id"] == 10);
    CHECK(row["mac"] == "02:00:00:00:00:01");
  }
}

TEST_CASE("vlan link: a VLAN that goes takes nothing along, and one that moves works there") {
  Bed bed(topology());
  bed.send("dev0", frame("1-all.10"));
  bed.nothing_sent();
  std::string yaml = topology();
  const size_t id = yaml.find("id: 10, link: dev0");
  yaml.replace(id, 6, "id: 20");
  CHECK(bed.apply(yaml).empty());
  bed.send("dev0", frame("1-all.20"));
  CHECK(bed.take_bytes("p0") == Sequence{frame("1-all")});
  bed.send("dev0", frame("1-all.10"));
  CHECK(bed.take_bytes("p0").empty());
  CHECK(bed.take_bytes("p1") == Sequence{frame("1-all.10")});
  bed.nothing_sent();
  bed.send("p0", frame("2-1"));
  CHECK(bed.take_bytes("dev0") == Sequence{frame("2-1.20")});
  CHECK(bed.apply("version: 1\nethernets: {p0: {}, p1: {}, dev0: {}}\nbridges: {br1: {interfaces: [p1, dev0]}}\n")
            .empty());
  bed.send("dev0", frame("1-all.10"));
  CHECK(bed.take_bytes("p1") == Sequence{frame("1-all.10")});
}

}  // namespace causeway::test
