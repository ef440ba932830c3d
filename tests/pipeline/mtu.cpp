// Frames too big for their way out and what their senders are told; SYNs whose MSS is lowered; paths that routers say
// are narrow.
#include <nlohmann/json.hpp>

#include "control/underlay/path_mtu.h"
#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {
namespace {

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }
using Sequence = std::vector<Bytes>;

// Host 1 is behind lan0, 2 behind gn0, 3 behind gn6, 4 behind gre0, 5 behind lan1. `lan0`, `gn0`: more of their keys.
std::string topology(const std::string& lan0 = "", const std::string& gn0 = "", unsigned underlay_mtu = 1500) {
  std::string yaml = R"(
version: 1
ethernets:
  lan0: {)" + lan0 + R"(}
  lan1: {mtu: 1400}
  up0:
    macaddress: 02:00:00:00:00:01
    mtu: )" + std::to_string(underlay_mtu) +
                     R"(
    addresses: [172.31.0.1/24)" +
                     (underlay_mtu >= 1280 ? R"(, "fd00:31::1/64")" : "") + R"(]
    neighbors:
      - {to: 172.31.0.2, macaddress: 02:00:00:00:00:02}
      - {to: 172.31.0.3, macaddress: 02:00:00:00:00:03}
)";
  if (underlay_mtu >= 1280) yaml += "      - {to: \"fd00:31::2\", macaddress: 02:00:00:00:00:02}\n";
  yaml += "tunnels:\n  gn0: {mode: geneve, id: 50, local: 172.31.0.1, remote: 172.31.0.2" + gn0 + "}\n";
  if (underlay_mtu >= 1280) yaml += "  gn6: {mode: geneve, id: 51, local: \"fd00:31::1\", remote: \"fd00:31::2\"}\n";
  yaml += R"(  gn3: {mode: geneve, id: 52, local: 172.31.0.1, remote: 172.31.0.3}
  gre0: {mode: gretap, key: 7, local: 172.31.0.1, remote: 172.31.0.2}
bridges:
  br0:
    interfaces: [lan0, lan1, gn0, gn3, gre0)" +
          std::string(underlay_mtu >= 1280 ? ", gn6" : "") + R"(]
    static-macs:
)";
  const std::pair<int, const char*> hosts[] = {{1, "lan0"}, {2, "gn0"}, {3, "gn6"}, {4, "gre0"}, {5, "lan1"}};
  for (const auto& [number, port] : hosts) {
    if (number == 3 && underlay_mtu < 1280) continue;
    for (const char* vlan : {"", ", vlan: 5"}) {
      yaml += "      - {mac: 02:00:00:00:01:0" + std::to_string(number) + ", port: " + port + vlan + "}\n";
    }
  }
  return yaml;
}

// A frame that dies as too big, and the answer that comes out where it went in.
void check_told(Bed& bed, const std::string& name, const Bytes& answer, const std::vector<uint16_t>& chain = {}) {
  CAPTURE(name);
  const Counts before = bed.counts();
  bed.send("lan0", frame(name), chain);
  const Counts rise = bed.counts() - before;
  const Sequence got = bed.take_bytes("lan0");
  REQUIRE(got.size() == 1);
  CHECK(to_hex(got[0]) == to_hex(answer));
  CHECK(bed.nothing_sent());
  CHECK(to_text(rise) == "too_big 1");
  CHECK(rise.rx == 1);
  CHECK(rise.rx_drops == 1);
  CHECK(rise.to_control == 0);
  CHECK(rise.from_control == 1);
  CHECK(rise.tx == 1);
}

nlohmann::json tunnel(Bed& bed, const std::string& name) {
  for (const auto& row : show(bed.gateway(), "tunnels")) {
    if (row["name"] == name) return row;
  }
  return {};
}

// What came out of up0, without outer headers: GENEVE over IPv4 without options.
Sequence take_inner(Bed& bed) {
  Sequence inner;
  for (const Bytes& outer : bed.take_bytes("up0")) {
    REQUIRE(outer.size() > 50);
    inner.emplace_back(outer.begin() + 50, outer.end());
  }
  return inner;
}

}  // namespace

TEST_CASE("mtu: the sender of a frame too big is told what fits") {
  Bed bed(topology());
  const unsigned buffers = bed.buffers();
  unsigned told = 0;
  for (const std::string& name : pipeline_frames().names("told.")) {
    if (!name.ends_with(".frame")) continue;
    const Bytes& answer = frame(name.substr(0, name.rfind('.')) + ".answer");
    check_told(bed, name, answer);
    if (told % 7 == 0) check_told(bed, name, answer, {100, 13, 500});
    ++told;
  }
  CHECK(told == 27);
  CHECK(bed.buffers() == buffers);
}

TEST_CASE("mtu: of a super-packet whose segments don't fit, the first bytes are quoted") {
  Bed bed(topology());
  for (const char* name : {"super.v4", "super.v6"}) {
    CAPTURE(name);
    const bool ipv6 = name == std::string("super.v6");
    Intent intent;
    intent.csum_start = ipv6 ? 54 : 34;
    intent.csum_offset = 16;
    intent.gso_size = 1448;
    intent.gso_type = ipv6 ? GsoType::tcp6 : GsoType::tcp4;
    rte_mbuf* const m = to_mbuf(bed.pool(), frame(name), {200, 4000});
    set_intent(m, intent, kNeedsChecksum | kNeedsSegment);
    bed.deliver("lan0", m);
    bed.run();
    CHECK(bed.take_bytes("lan0") == Sequence{frame(std::string(name) + ".answer")});
    CHECK(bed.nothing_sent());
  }
  CHECK(to_text(bed.counts()) == "too_big 2");
}

TEST_CASE("mtu: a remote's frame is answered through its tunnel") {
  Bed bed(topology());
  bed.send("up0", frame("told-remote.frame"));
  const Sequence got = bed.take_bytes("up0");
  REQUIRE(got.size() == 1);
  check_outer(got[0], frame("told-remote.answer"));
  CHECK(bed.nothing_sent());
}

TEST_CASE("mtu: some frames' senders must not be told") {
  Bed bed(topology());
  for (const std::string& name : pipeline_frames().names("silent.")) {
    CAPTURE(name);
    const Counts before = bed.counts();
    bed.send("lan0", frame(name));
    CHECK(to_text(bed.counts() - before) == "too_big 1");
    CHECK(bed.nothing_sent());
  }
  bed.send("lan0", frame("silent-flood"));
  CHECK(bed.take_bytes("lan0").empty());
}

TEST_CASE("mtu: nobody would believe less than the smallest MTU") {
  for (const unsigned mtu : {600U, 1300U, 1330U}) {
    Bed bed(topology("", "", mtu));
    for (const char* family : {".v4", ".v6"}) {
      const std::string name = "narrow." + std::to_string(mtu) + family;
      CAPTURE(name);
      bed.send("lan0", frame(name));
      const bool answered = pipeline_frames().contains(name + ".answer");
      CHECK(bed.take_bytes("lan0") == (answered ? Sequence{frame(name + ".answer")} : Sequence{}));
      CHECK(bed.nothing_sent());
    }
    CHECK(to_text(bed.counts()) == "too_big 2");
  }
}

TEST_CASE("mtu: a flood of frames too big costs a hundred answers a second") {
  Bed bed(topology());
  const unsigned buffers = bed.buffers();
  const uint16_t first_s = bed.gateway().now_s();
  for (int i = 0; i < 1000; ++i) bed.send("lan0", frame("told.gn0.v4.frame"));
  const unsigned seconds = static_cast<uint16_t>(bed.gateway().now_s() - first_s) + 1U;
  const size_t answers = bed.take("lan0").size();
  CHECK(answers >= 100);
  CHECK(answers <= 100 * seconds);
  CHECK(to_text(bed.counts()) == "too_big 1000");
  CHECK(bed.buffers() == buffers);
  // Another port's senders have a hundred of their own.
  bed.send("up0", frame("told-remote.frame"));
  CHECK(bed.take("up0").size() == 1);
}

TEST_CASE("mtu: SYNs announce what fits through the tunnel, both ways") {
  Bed bed(topology("", ", mss-clamp: auto"));
  for (const std::string& name : pipeline_frames().names("syn.")) {
    if (!name.ends_with(".in")) continue;
    CAPTURE(name);
    const Bytes& wanted = frame(name.substr(0, name.size() - 3) + ".out");
    for (const int copies : {1, 5}) {  // a short run, a long one
      for (int i = 0; i < copies; ++i) bed.deliver("lan0", frame(name));
      bed.run();
      CHECK(take_inner(bed) == Sequence(static_cast<size_t>(copies), wanted));
    }
  }
  for (const std::string& name : pipeline_frames().names("syn-received.")) {
    if (!name.ends_with(".in")) continue;
    CAPTURE(name);
    bed.send("up0", frame(name));
    CHECK(bed.take_bytes("lan0") == Sequence{frame(name.substr(0, name.size() - 3) + ".out")});
  }
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("mtu: a SYN's checksum that is still to be filled covers the new MSS") {
  for (const char* name : {"v4.odd", "v4.linux", "v6.linux"}) {
    CAPTURE(name);
    Bed bed(topology("", ", mss-clamp: auto"));
    const std::string in = std::string("syn.") + name + ".in";
    const bool ipv6 = name[1] == '6';
    Bytes bytes = frame(in);
    Intent intent;
    intent.csum_start = ipv6 ? 54 : 34;
    intent.csum_offset = 16;
    // The pseudo-header's sum, as a kernel leaves it: from scapy's right checksum, taken off what is summed.
    const auto start = static_cast<size_t>(intent.csum_start);
    uint32_t sum = 0;
    for (size_t i = start; i < bytes.size(); i += 2) {
      if (i != start + 16) sum += static_cast<uint32_t>(~read16(bytes, i) & 0xffff);
    }
    sum += static_cast<uint32_t>(~read16(bytes, start + 16) & 0xffff);
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    write16(bytes, start + 16, static_cast<uint16_t>(sum));
    rte_mbuf* const m = to_mbuf(bed.pool(), bytes);
    set_intent(m, intent, kNeedsChecksum);
    bed.deliver("lan0", m);
    bed.run();
    CHECK(take_inner(bed) == Sequence{frame(std::string("syn.") + name + ".out")});
  }
}

TEST_CASE("mtu: the lower of two clamps counts, and a file changes them") {
  const auto announced = [](Bed& bed) {
    bed.send("lan0", frame("syn-mss.1460"));
    return take_inner(bed);
  };
  Bed bed(topology());
  CHECK(announced(bed) == Sequence{frame("syn-mss.1460")});
  CHECK(bed.apply(topology("mss-clamp: 1400")).empty());
  CHECK(announced(bed) == Sequence{frame("syn-mss.1400")});
  CHECK(bed.apply(topology("mss-clamp: 1400", ", mss-clamp: 1360")).empty());
  CHECK(announced(bed) == Sequence{frame("syn-mss.1360")});
  CHECK(bed.apply(topology("mss-clamp: 1360", ", mss-clamp: 1400")).empty());
  CHECK(announced(bed) == Sequence{frame("syn-mss.1360")});
  CHECK(bed.apply(topology("mss-clamp: auto")).empty());
  CHECK(announced(bed) == Sequence{frame("syn-mss.1460")});  // its MTU is 1500
  CHECK(bed.apply(topology("", ", mss-clamp: auto")).empty());
  bed.send("up0", frame("pmtu.gn0"));
  CHECK(announced(bed) == Sequence{frame("syn-mss.1310")});
}

TEST_CASE("mtu: SYNs that are flooded are clamped for each way of their own") {
  std::string yaml = topology("", ", mss-clamp: auto");
  yaml.erase(yaml.find("    static-macs:"));
  Bed bed(yaml);
  bed.send("lan0", frame("syn.v4.in"));
  CHECK(bed.take_bytes("lan1") == Sequence{frame("syn.v4.in")});
  unsigned clamped = 0;
  unsigned plain = 0;
  for (const Bytes& outer : bed.take_bytes("up0")) {
    const auto ends_with = [&outer](const Bytes& inner) {
      return outer.size() > inner.size() && std::equal(inner.begin(), inner.end(), outer.end() - inner.size());
    };
    clamped += ends_with(frame("syn.v4.out")) ? 1 : 0;
    plain += ends_with(frame("syn.v4.in")) ? 1 : 0;
  }
  CHECK(clamped == 1);  // gn0
  CHECK(plain == 3);    // gn3, gn6, gre0
}

TEST_CASE("mtu: a router's word about a tunnel's packet narrows its path") {
  Bed bed(topology());
  CHECK(tunnel(bed, "gn0")["mtu"] == 1450);
  CHECK(tunnel(bed, "gn0")["path_mtu"].is_null());
  bed.send("up0", frame("pmtu.gn0.1450"));
  CHECK(tunnel(bed, "gn0")["mtu"] == 1400);
  CHECK(tunnel(bed, "gn0")["path_mtu"] == 1450);
  bed.send("up0", frame("pmtu.gn0"));
  CHECK(tunnel(bed, "gn0")["mtu"] == 1350);
  CHECK(tunnel(bed, "gn0")["path_mtu"] == 1400);
  CHECK(tunnel(bed, "gre0")["path_mtu"] == 1400);  // to the same remote
  CHECK(tunnel(bed, "gn3")["path_mtu"].is_null());
  CHECK(tunnel(bed, "gn6")["path_mtu"].is_null());
  bed.send("up0", frame("pmtu.gn0.1450"));  // wider again: by age alone
  CHECK(tunnel(bed, "gn0")["path_mtu"] == 1400);
  bed.send("up0", frame("pmtu.gn0.1300"), {60, 20, 30});  // headers in several segments are not read
  CHECK(tunnel(bed, "gn0")["path_mtu"] == 1400);
  bed.send("up0", frame("pmtu.gn6"));
  CHECK(tunnel(bed, "gn6")["mtu"] == 1330);
  CHECK(to_text(bed.counts()) == "control_ignored 1");
  CHECK(bed.nothing_sent());
}

TEST_CASE("mtu: routers that quote little, or know no MTU") {
  for (const auto& [name, tunnel_name, path_mtu] :
       {std::tuple{"pmtu.gn0.short-quote", "gn0", 1400}, std::tuple{"pmtu.gn6.short-quote", "gn6", 1400},
        std::tuple{"pmtu.gre0", "gre0", 1400}, std::tuple{"pmtu.gre0.short-quote", "gre0", 1400},
        std::tuple{"pmtu.gn0.100", "gn0", 1330}, std::tuple{"pmtu.gn0.0", "gn0", 1330},
        std::tuple{"pmtu.gn0.1300", "gn0", 1330}, std::tuple{"pmtu.gn0.100", "gre0", 1322},
        std::tuple{"pmtu.gre0.100", "gre0", 1322}, std::tuple{"pmtu.gre0.100", "gn0", 1330},
        std::tuple{"pmtu.gn6.1280", "gn6", 1350}}) {
    CAPTURE(name);
    Bed bed(topology());
    bed.send("up0", frame(name));
    CHECK(tunnel(bed, tunnel_name)["path_mtu"] == path_mtu);
    CHECK(tunnel(bed, tunnel_name)["mtu"] >= 1280);  // less, and IPv6 inside is dead
    CHECK(bed.counts().all_drops() == 0);
  }
}

TEST_CASE("mtu: an underlay may be narrower than anybody is believed") {
  Bed bed(topology("", "", 1300));
  bed.send("up0", frame("pmtu.gn0.100"));
  CHECK(tunnel(bed, "gn0")["mtu"] == 1250);
}

TEST_CASE("mtu: a tunnel that carries VLANs keeps room for a tag") {
  Bed bed(topology("", ", vlan: {mode: trunk}"));
  bed.send("up0", frame("pmtu.gn0.100"));
  CHECK(tunnel(bed, "gn0")["mtu"] == 1284);
}

TEST_CASE("mtu: path-mtu: off believes nobody, and others between the same ends go on") {
  Bed bed(topology("", ", path-mtu: off"));
  bed.send("up0", frame("pmtu.gn0"));
  CHECK(to_text(bed.counts()) == "control_ignored 1");
  CHECK(tunnel(bed, "gre0")["path_mtu"].is_null());
  bed.send("up0", frame("pmtu.gre0"));
  CHECK(tunnel(bed, "gre0")["path_mtu"] == 1400);
  CHECK(tunnel(bed, "gn0")["path_mtu"].is_null());
  CHECK(tunnel(bed, "gn0")["mtu"] == 1450);
  CHECK(bed.apply(topology("", ", path-mtu: auto")).empty());
  CHECK(tunnel(bed, "gn0")["path_mtu"] == 1400);
  CHECK(bed.apply(topology("", ", path-mtu: off")).empty());
  CHECK(tunnel(bed, "gn0")["mtu"] == 1450);
}

TEST_CASE("mtu: a path that narrows in many steps is published in a few") {
  Bed bed(topology());
  bed.send("up0", frame("pmtu.gn0.1450"));
  for (const int mtu : {1440, 1430, 1420, 1410, 1400, 1390}) {
    bed.send("up0", frame("pmtu-steps." + std::to_string(mtu)));
  }
  CHECK(tunnel(bed, "gn0")["path_mtu"] == 1410);  // for this second
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("mtu: what no tunnel sent narrows nothing") {
  Bed bed(topology());
  for (const std::string& name : pipeline_frames().names("pmtu-lie.")) {
    CAPTURE(name);
    const Counts before = bed.counts();
    bed.send("up0", frame(name));
    CHECK(to_text(bed.counts() - before) == "control_ignored 1");
    CHECK(bed.nothing_sent());
    for (const char* each : {"gn0", "gn3", "gn6", "gre0"}) CHECK(tunnel(bed, each)["path_mtu"].is_null());
  }
}

TEST_CASE("mtu: a path is narrow for ten minutes after the last word") {
  using namespace std::chrono_literals;
  PathMtus paths;
  const PathMtus::Clock::time_point start{1000h};
  const Path path{IpAddress::v4(172, 31, 0, 1), IpAddress::v4(172, 31, 0, 2)};
  const Path other{IpAddress::v4(172, 31, 0, 1), IpAddress::v4(172, 31, 0, 3)};
  CHECK(paths.learn(path, 1400, start));
  CHECK(paths.learn(other, 1450, start + 1min));
  CHECK_FALSE(paths.learn(path, 1400, start + 5min));   // the same: for longer
  CHECK_FALSE(paths.learn(other, 1460, start + 9min));  // wider: not for longer
  CHECK(paths.expire(start + 10min).empty());
  CHECK(paths.expire(start + 11min) == std::vector{other});
  CHECK_FALSE(paths.find(other));
  CHECK(paths.find(path) == 1400);
  CHECK(paths.learn(path, 1300, start + 14min));
  CHECK(paths.expire(start + 23min).empty());
  CHECK(paths.find(path) == 1300);
  CHECK(paths.expire(start + 24min) == std::vector{path});
  CHECK_FALSE(paths.find(path));
  // No more than a few changes a second.
  CHECK(paths.learn(path, 1500, start + 1h));
  for (uint16_t mtu = 1499; mtu > 1495; --mtu) CHECK(paths.learn(path, mtu, start + 1h));
  CHECK_FALSE(paths.learn(path, 1400, start + 1h));
  CHECK(paths.find(path) == 1496);
  CHECK(paths.learn(path, 1400, start + 1h + 1s));
}

}  // namespace causeway::test
