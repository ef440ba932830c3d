// VLAN modes of bridge ports and tunnels, and VLANs of a device as interfaces.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "control/view/view.h"
#include "dataplane/frame/intent.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {
namespace {

constexpr const char* kUnderlay = R"(
    macaddress: 02:00:00:00:00:01
    addresses: [172.31.0.1/24]
    neighbors:
      - {to: 172.31.0.2, macaddress: 02:00:00:00:00:02}
      - {to: 172.31.0.3, macaddress: 02:00:00:00:00:03}
)";

// Two access ports of VLAN 10 and one of 20, a trunk, a native one, a port without a mode; VLANs 10 and 20 as VNIs of
// their own, and all of them through one tunnel.
std::string topology(const std::string& a10 = "{vlan: {mode: access, tag: 10}}") {
  return R"(
version: 1
ethernets:
  a10: )" +
         a10 + R"(
  b10: {vlan: {mode: access, tag: 10}}
  a20: {vlan: {mode: access, tag: 20}}
  tr: {vlan: {mode: trunk, trunks: [10, 20]}}
  na: {vlan: {mode: native, tag: 10, trunks: [20, 30-31]}}
  any: {}
  up0:)" +
         kUnderlay + R"(
tunnels:
  vx10: {mode: vxlan, id: 10, local: 172.31.0.1, remote: 172.31.0.2, vlan: {mode: access, tag: 10}}
  vx20: {mode: vxlan, id: 20, local: 172.31.0.1, remote: 172.31.0.2, vlan: {mode: access, tag: 20}}
  gt: {mode: geneve, id: 30, local: 172.31.0.1, remote: 172.31.0.3, vlan: {mode: trunk}}
bridges:
  br0: {interfaces: [a10, b10, a20, tr, na, any, vx10, vx20, gt]}
)";
}

const Bytes& frame(const std::string& name) { return pipeline_frames()["vlan." + name]; }

// "a10" for the frame without a tag, "tr.10" for the one in VLAN 10, "vx10" through the tunnel.
using Ways = std::multiset<std::string>;

constexpr const char* kShapes[] = {"", ".7", ".10", ".20", ".30", ".40", ".20.7", ".p0", ".p10", ".p20"};

// Where frames of `pair` ("1-2") came out, and in which shape; each is one of scapy's, byte by byte.
Ways ways_out(Bed& bed, const std::string& pair) {
  Ways ways;
  for (const auto& [port, record] : bed.gateway().ports().all()) {
    for (const Bytes& bytes : bed.take_bytes(port)) {
      std::string way;
      for (const std::string shape : kShapes) {
        if (port != "up0" && bytes == frame(pair + shape)) way = port + shape;
        for (const char* tunnel : {"vx10", "vx20", "gt"}) {
          const Bytes& outer = frame("out." + std::string(tunnel) + "." + pair + shape);
          if (port == "up0" && bytes == with_entropy(outer, entropy_of(bytes))) way = tunnel + shape;
        }
      }
      if (way.empty()) FAIL_CHECK(port << " sent what nobody knows: " << to_hex(bytes));
      ways.insert(way);
    }
  }
  return ways;
}

// `name`: "1-2.10".
Ways send(Bed& bed, const std::string& port, const std::string& name) {
  bed.wait_a_tick();
  const bool tunnel = port == "vx10" || port == "vx20" || port == "gt";
  bed.send(tunnel ? "up0" : port, frame(tunnel ? "in." + port + "." + name : name));
  return ways_out(bed, name.substr(0, name.find('.')));
}

uint64_t rises(Bed& bed, DropReason reason, const std::string& port, const std::string& name) {
  const Counts before = bed.counts();
  CHECK(send(bed, port, name) == Ways{});
  const Counts rise = bed.counts() - before;
  CHECK(rise.all_drops() == rise.of(reason));
  CHECK(rise.rx_drops == rise.of(reason));
  return rise.of(reason);
}

std::set<std::string> fdb_of(Bed& bed) {
  std::set<std::string> entries;
  for (const auto& row : show(bed.gateway(), "fdb")) {
    entries.insert(fmt::format("{} {} {}", row["vlan"].get<int>(), row["mac"].get<std::string>().substr(15),
                               row["port"].get<std::string>()));
  }
  return entries;
}

}  // namespace

TEST_CASE("vlan: each VLAN floods to those who carry it, with the tag where it belongs") {
  Bed bed(topology());
  const Ways in10{"a10", "b10", "tr.10", "na", "any.10", "vx10", "gt.10"};
  const Ways in20{"a20", "tr.20", "na.20", "any.20", "vx20", "gt.20"};
  const auto without = [](Ways ways, std::initializer_list<const char*> these) {
    for (const char* way : these) ways.erase(way);
    return ways;
  };
  for (int times = 0; times < 2; ++times) {
    CHECK(send(bed, "a10", "1-all") == without(in10, {"a10"}));
    CHECK(send(bed, "b10", "2-all") == without(in10, {"b10"}));
    CHECK(send(bed, "tr", "3-all.10") == without(in10, {"tr.10"}));
    CHECK(send(bed, "na", "4-all") == without(in10, {"na"}));
    CHECK(send(bed, "any", "5-all.10") == without(in10, {"any.10"}));
    CHECK(send(bed, "a20", "1-all") == without(in20, {"a20"}));
    CHECK(send(bed, "tr", "3-all.20") == without(in20, {"tr.20"}));
    CHECK(send(bed, "na", "4-all.20") == without(in20, {"na.20"}));
    CHECK(send(bed, "na", "4-all.30") == Ways{"any.30", "gt.30"});
    CHECK(send(bed, "any", "5-all.40") == Ways{"gt.40"});
    CHECK(send(bed, "any", "5-all") == Ways{"gt"});
    // Tunnels are isolated from each other.
    CHECK(send(bed, "vx10", "6-all") == without(in10, {"vx10", "gt.10"}));
    CHECK(send(bed, "vx20", "6-all") == without(in20, {"vx20", "gt.20"}));
    CHECK(send(bed, "gt", "6-all.10") == without(in10, {"vx10", "gt.10"}));
    CHECK(send(bed, "gt", "6-all.30") == Ways{"na.30", "any.30"});
    CHECK(send(bed, "gt", "6-all") == Ways{"any"});
  }
  CHECK(to_text(bed.counts()).empty());
}

TEST_CASE("vlan: what a port does not carry is dropped on its way in") {
  Bed bed(topology());
  CHECK(rises(bed, DropReason::vlan_not_member, "a10", "1-2.20") == 1);
  CHECK(rises(bed, DropReason::vlan_not_member, "a10", "1-2.10") == 1);  // no tags at all
  CHECK(rises(bed, DropReason::vlan_not_member, "tr", "1-2") == 1);
  CHECK(rises(bed, DropReason::vlan_not_member, "tr", "1-2.p0") == 1);
  CHECK(rises(bed, DropReason::vlan_not_member, "tr", "1-2.30") == 1);
  CHECK(rises(bed, DropReason::vlan_not_member, "na", "1-2.40") == 1);
  CHECK(rises(bed, DropReason::vlan_not_member, "vx10", "1-2.20") == 1);
  CHECK(rises(bed, DropReason::vlan_not_member, "vx10", "1-2.20") == 1);  // its outer headers are known by now
  CHECK(rises(bed, DropReason::vlan_not_member, "vx20", "1-2.20") == 1);
  // A priority tag in front lets no other tag through, whichever it is.
  for (const char* shape : {"1-2.0.20", "1-2.0.10", "1-2.0.0", "1-2.0.0.10"}) {
    CAPTURE(shape);
    for (const char* port : {"a10", "tr", "na", "vx10"})
      CHECK(rises(bed, DropReason::vlan_not_member, port, shape) == 1);
  }
  CHECK(rises(bed, DropReason::frame_too_short, "a10", "cut.17") == 1);
  CHECK(rises(bed, DropReason::frame_too_short, "a10", "cut.14") == 1);
  CHECK(fdb_of(bed).empty());
}

TEST_CASE("vlan: priorities and tenants' second tags stay") {
  Bed bed(topology());
  CHECK(send(bed, "a10", "1-all.p0") == Ways{"b10", "tr.p10", "na", "any.p10", "vx10", "gt.p10"});
  CHECK(send(bed, "na", "1-all.p0") == Ways{"a10", "b10", "tr.p10", "any.p10", "vx10", "gt.p10"});
  CHECK(send(bed, "tr", "1-all.p20") == Ways{"a20", "na.p20", "any.p20", "vx20", "gt.p20"});
  CHECK(send(bed, "tr", "1-all.20.7") == Ways{"a20.7", "na.20.7", "any.20.7", "vx20.7", "gt.20.7"});
}

TEST_CASE("vlan: each VLAN learns for itself") {
  Bed bed(topology());
  send(bed, "a10", "2-all");
  send(bed, "a20", "2-all");
  send(bed, "vx10", "3-all");
  send(bed, "vx20", "3-all");
  CHECK(fdb_of(bed) == std::set<std::string>{"10 02 a10", "20 02 a20", "10 03 vx10", "20 03 vx20"});
  for (int times = 0; times < 3; ++times) {
    CHECK(send(bed, "tr", "1-2.10") == Ways{"a10"});
    CHECK(send(bed, "tr", "1-2.20") == Ways{"a20"});
    CHECK(send(bed, "tr", "1-3.10") == Ways{"vx10"});
    CHECK(send(bed, "tr", "1-3.20") == Ways{"vx20"});
    CHECK(send(bed, "a10", "2-3") == Ways{"vx10"});
    CHECK(send(bed, "vx20", "3-2") == Ways{"a20"});
    CHECK(send(bed, "vx10", "3-1") == Ways{"tr.10"});
    CHECK(send(bed, "gt", "4-2.20") == Ways{"a20"});
  }
  CHECK(to_text(bed.counts()).empty());
  CHECK(bed.worker().counters().cache_hits.get() > 0);
}

TEST_CASE("vlan: many in a row") {
  Bed bed(topology());
  send(bed, "vx10", "3-all");
  send(bed, "tr", "1-all.10");
  send(bed, "a10", "2-all");
  const unsigned buffers = bed.buffers();
  for (const char* from : {"a10", "tr"}) {
    const std::string name = from == std::string("tr") ? "1-3.10" : "2-3";
    for (int i = 0; i < 100; ++i) bed.deliver(from, frame(name));
    bed.run();
    const Ways ways = ways_out(bed, name.substr(0, 3));
    CHECK(ways.size() == 100);
    CHECK(ways.count("vx10") == 100);
  }
  for (int i = 0; i < 100; ++i) bed.deliver("up0", frame("in.vx10.3-1"));
  bed.run();
  CHECK(ways_out(bed, "3-1").count("tr.10") == 100);
  CHECK(bed.counts().all_drops() == 0);
  CHECK(bed.buffers() == buffers);
}

TEST_CASE("vlan: with and without a tag in one burst") {
  Bed bed(topology());
  send(bed, "vx10", "3-all");
  send(bed, "vx20", "3-all");
  send(bed, "na", "1-all");
  send(bed, "na", "1-all.20");
  for (const int in_a_row : {1, 5}) {
    for (int i = 0; i < 30; ++i) bed.deliver("na", frame(i / in_a_row % 2 == 0 ? "1-3" : "1-3.20"));
    bed.run();
    const Ways ways = ways_out(bed, "1-3");
    CHECK(ways.count("vx10") == 15);
    CHECK(ways.count("vx20") == 15);
    // Back: one VLAN leaves without its tag, the other with it.
    for (int i = 0; i < 30; ++i) bed.deliver("up0", frame(i / in_a_row % 2 == 0 ? "in.vx10.3-1" : "in.vx20.3-1"));
    bed.run();
    const Ways back = ways_out(bed, "3-1");
    CHECK(back.count("na") == 15);
    CHECK(back.count("na.20") == 15);
  }
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("vlan: a static MAC where its VLAN does not go") {
  Bed bed(topology());
  Gateway& gateway = bed.gateway();
  const MacAddress mac{{0x02, 0, 0, 0, 0x01, 0x02}};
  gateway.fdb().add_static(gateway.bridges().find("br0")->index, mac_vlan(mac, 20),
                           gateway.adjacencies_of("a10").front());
  CHECK(rises(bed, DropReason::vlan_not_carried, "a20", "1-2") == 1);
  for (int i = 0; i < 10; ++i) bed.deliver("a20", frame("1-2"));
  bed.run();
  CHECK(bed.counts().of(DropReason::vlan_not_carried) == 11);
  CHECK(send(bed, "b10", "1-2") != Ways{});
}

TEST_CASE("vlan: no headroom and chains") {
  Bed bed(topology());
  for (const std::vector<uint16_t>& chain : {std::vector<uint16_t>{}, {14, 20}, {18, 1}, {30, 500}}) {
    for (const char* port : {"a10", "na", "tr", "any"}) {
      const bool tagged = port == std::string("tr") || port == std::string("any");
      rte_mbuf* const m = to_mbuf(bed.pool(), frame(tagged ? "1-all.10" : "1-all"), chain);
      if (chain.empty()) {  // its bytes stand at the very start of the buffer
        std::memmove(m->buf_addr, rte_pktmbuf_mtod(m, void*), m->data_len);
        m->data_off = 0;
      }
      bed.deliver(port, m);
      bed.run();
      Ways expected{"a10", "b10", "tr.10", "na", "any.10", "vx10", "gt.10"};
      expected.erase(tagged ? port + std::string(".10") : port);
      if (tagged && chain == std::vector<uint16_t>{14, 20}) {
        bed.nothing_sent();  // a tag beyond the first buffer isn't seen, here as elsewhere
        continue;
      }
      CAPTURE(port, chain.size());
      CHECK(ways_out(bed, "1-all") == expected);
    }
  }
}

TEST_CASE("vlan: super-packets stay whole") {
  TxCapabilities all;
  all.add(Outer::none, 0xff);
  all.multi_segment = true;
  Bed bed(topology(), all);
  const auto deliver = [&](const std::string& port, const std::string& name, uint16_t csum_start) {
    rte_mbuf* const m = to_mbuf(bed.pool(), frame(name));
    Intent intent;
    intent.csum_start = csum_start;
    intent.csum_offset = 16;
    intent.gso_size = 1000;
    intent.gso_type = GsoType::tcp4;
    set_intent(m, intent, kNeedsChecksum | kNeedsSegment);
    bed.deliver(port, m);
    bed.run();
  };
  const auto check = [&](const std::string& port, const std::string& name, uint16_t csum_start) {
    const std::vector<Sent> sent = bed.take(port);
    CAPTURE(port);
    REQUIRE(sent.size() == 1);
    CHECK(to_hex(sent.front().bytes) == to_hex(frame(name)));
    CHECK(sent.front().intent_flags == (kNeedsChecksum | kNeedsSegment));
    CHECK(sent.front().intent.csum_start == csum_start);
  };
  deliver("a10", "big", 34);
  check("b10", "big", 34);
  check("na", "big", 34);
  check("tr", "big.10", 38);
  check("any", "big.10", 38);
  bed.nothing_sent();
  deliver("tr", "big.20", 38);
  check("a20", "big", 34);
  check("na", "big.20", 38);
}

TEST_CASE("vlan: a tag that stays behind takes nothing of the MTU") {
  Bed bed(topology());
  for (const char* port : {"a10", "tr"}) {
    CAPTURE(port);
    const std::string tag = port == std::string("tr") ? ".10" : "";
    send(bed, "vx10", "3-all");
    send(bed, "gt", "4-all.10");
    send(bed, port, "1-all" + tag);
    for (const std::string way : {"", "-gt"}) {
      bed.send(port, frame("mtu.fits" + way + tag));
      const std::vector<Bytes> out = bed.take_bytes("up0");
      REQUIRE(out.size() == 1);
      check_outer(out[0], frame("mtu.fits" + way + ".out"));
      for (const int burst : {1, 5}) {
        for (int i = 0; i < burst; ++i) bed.deliver(port, frame("mtu.over" + way + tag));
        bed.run();
        CHECK(bed.take_bytes(port) == std::vector<Bytes>(burst, frame("mtu.over" + way + ".answer" + tag)));
        CHECK(bed.nothing_sent());
      }
    }
  }
  CHECK(to_text(bed.counts()) == "too_big 24");
}

TEST_CASE("vlan: segments without their tag") {
  Bed bed(topology());
  send(bed, "vx10", "3-all");
  send(bed, "a10", "1-all");
  const auto deliver = [&](uint16_t gso_size) {
    rte_mbuf* const m = to_mbuf(bed.pool(), frame("mtu.super"), {200, 4000});
    Intent intent;
    intent.csum_start = 34;
    intent.csum_offset = 16;
    intent.gso_size = gso_size;
    intent.gso_type = GsoType::tcp4;
    set_intent(m, intent, kNeedsChecksum | kNeedsSegment);
    bed.deliver("a10", m);
    bed.run();
  };
  deliver(1410);
  const std::vector<Bytes> out = bed.take_bytes("up0");
  CHECK(out.size() == 7);  // of 8960 bytes
  for (const Bytes& bytes : out) CHECK(bytes.size() <= 1514);
  CHECK(out.front().size() == 1514);
  CHECK(to_text(bed.counts()).empty());
  deliver(1411);
  CHECK(bed.take_bytes("up0").empty());
  CHECK(to_text(bed.counts()) == "too_big 1");
  CHECK(bed.take_bytes("a10").size() == 1);
}

TEST_CASE("vlan: a port's mode changes while it runs") {
  Bed bed(topology());
  send(bed, "a10", "2-all");
  CHECK(send(bed, "b10", "1-2") == Ways{"a10"});
  CHECK(bed.apply(topology("{vlan: {mode: access, tag: 20}}")).empty());
  CHECK(fdb_of(bed) == std::set<std::string>{"10 01 b10"});
  CHECK(send(bed, "b10", "1-2") == Ways{"tr.10", "na", "any.10", "vx10", "gt.10"});
  CHECK(send(bed, "a10", "2-all") == Ways{"a20", "tr.20", "na.20", "any.20", "vx20", "gt.20"});
  CHECK(bed.apply(topology("{}")).empty());
  CHECK(send(bed, "a10", "2-all.30") == Ways{"na.30", "any.30", "gt.30"});
  CHECK(bed.apply(topology()).empty());
  CHECK(rises(bed, DropReason::vlan_not_member, "a10", "2-all.30") == 1);
}

TEST_CASE("vlan: a bridge without modes leaves tags alone") {
  std::string yaml = topology();
  for (size_t at = yaml.find("vlan: {"); at != std::string::npos; at = yaml.find("vlan: {")) {
    const size_t end = yaml.find('}', at);
    const bool first = yaml[at - 1] == '{';
    yaml.erase(first ? at : at - 2, end + 1 - (first ? at : at - 2));
  }
  Bed bed(yaml);
  for (const std::string shape : {"", ".10", ".20.7", ".p0"}) {
    Ways all;
    for (const char* way : {"b10", "a20", "tr", "na", "any", "vx10", "vx20", "gt"}) all.insert(way + shape);
    CHECK(send(bed, "a10", "1-all" + shape) == all);
  }
  CHECK(show(bed.gateway(), "ports")[0]["vlan"].is_null());
}

TEST_CASE("vlan: shown") {
  Bed bed(topology());
  const nlohmann::json ports = show(bed.gateway(), "ports");
  std::map<std::string, nlohmann::json> shown;
  for (const auto& row : ports) shown[row["name"].get<std::string>()] = row["vlan"];
  CHECK(shown["a10"] == "access 10");
  CHECK(shown["tr"] == "trunk 10,20");
  CHECK(shown["na"] == "native 10, trunk 20,30-31");
  CHECK(shown["any"].is_null());
  CHECK(show(bed.gateway(), "tunnels")[0]["vlan"] == "trunk all");
}

}  // namespace causeway::test
