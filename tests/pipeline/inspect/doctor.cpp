// `causewayctl doctor`: broken set-ups are named, with who and where and the cure; of others there is nothing to say.
#include "control/doctor/doctor.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/stopped_clock.h"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

const Bytes& frame(const std::string& name) { return pipeline_frames()["doctor." + name]; }

struct Setup {
  std::string lan0 = "{mtu: 1400}";
  std::string up0{};  // more of its keys
  std::string vx0 = "id: 100, remote: 172.31.0.2";
};

std::string yaml(const Setup& setup) {
  return R"(
version: 1
ethernets:
  lan0: )" +
         setup.lan0 + R"(
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: [172.31.0.1/24]
    neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]
)" + setup.up0 +
         R"(
tunnels:
  vx0: {mode: vxlan, local: 172.31.0.1, )" +
         setup.vx0 + R"(}
bridges:
  br0: {interfaces: [lan0, vx0]}
)";
}

std::string text_of(const Findings& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += std::string(finding.name) + " " + finding.object + ": " + finding.what + " | " + finding.seen + " | " +
            finding.cure + "\n";
  }
  return text;
}

Findings findings_in(Bed& bed, const RecentCounts& counts = {}) {
  bed.gateway().take_drop_examples();
  return examine(bed.gateway(), counts);
}

// The one there is.
Finding finding_in(Bed& bed) {
  const Findings findings = findings_in(bed);
  CAPTURE(text_of(findings));
  REQUIRE(findings.size() == 1);
  CHECK_FALSE(findings.front().seen.empty());
  CHECK_FALSE(findings.front().cure.empty());
  return findings.front();
}

Finding finding_of(const Setup& setup, const std::string& port, const std::string& name) {
  Bed bed(yaml(setup));
  bed.send(port, frame(name));
  return finding_in(bed);
}

bool says(const std::string& text, const std::vector<std::string>& words) {
  return std::ranges::all_of(words, [&](const std::string& word) { return text.find(word) != std::string::npos; });
}

}  // namespace

TEST_CASE("doctor: the peer's VNI differs") {
  const Finding finding = finding_of({}, "up0", "vni-101");
  CHECK(finding.name == "unknown-vni");
  CHECK(finding.severity == Severity::wrong);
  CHECK(finding.object == "vx0");
  CHECK(finding.what == "172.31.0.2 sends VNI 101, but vx0 has VNI 100");
  CHECK(says(finding.seen, {"1 frame so far", "at up0", "from 172.31.0.2", "inner MAC 02:00:00:00:01:02"}));
  CHECK(finding.cure == "`tunnels.vx0.id: 101` here, or 100 at the peer");
}

TEST_CASE("doctor: our VNI differs") {
  const Finding finding = finding_of({.vx0 = "id: 7, remote: 172.31.0.2"}, "up0", "there");
  CHECK(finding.what == "172.31.0.2 sends VNI 100, but vx0 has VNI 7");
  CHECK(finding.cure == "`tunnels.vx0.id: 100` here, or 7 at the peer");
}

TEST_CASE("doctor: a VNI of somebody with whom there is no tunnel") {
  Bed bed(yaml({.vx0 = "id: 7, remote: 172.31.0.2"}));
  bed.send("up0", frame("source-9"));
  CHECK(finding_in(bed).what == "172.31.0.9 sends VNI 100, which no tunnel here has");
}

TEST_CASE("doctor: the peer sends to UDP port 8472") {
  const Finding finding = finding_of({}, "up0", "port-8472");
  CHECK(finding.name == "udp-port");
  CHECK(finding.object == "vx0");
  CHECK(finding.what == "172.31.0.2 sends to UDP port 8472, but vx0 has 4789");
  CHECK(finding.cure == "`tunnels.vx0.port: 8472` here, or 4789 at the peer");
}

TEST_CASE("doctor: the peer's tunnel is down") {
  const Finding finding = finding_of({}, "up0", "no-port");
  CHECK(finding.name == "refused");
  CHECK(finding.what == "vx0: 172.31.0.2 refuses its packets to 172.31.0.2");
  CHECK(says(finding.seen, {"port unreachable", "UDP port 4789"}));
  CHECK(says(finding.cure, {"is the tunnel there, and up?", "tunnels.vx0.port"}));
}

TEST_CASE("doctor: the peer says nothing at all, or what it says isn't understood") {
  StoppedClock clock;
  Bed bed(yaml({}));
  const auto send_for = [&](const std::string& answer) {
    for (int i = 0; i < 14; ++i) {
      bed.send("lan0", frame("here"));
      if (!answer.empty()) bed.send("up0", frame(answer));
      clock.advance(3s);
      bed.gateway().tick();
    }
  };
  send_for("");
  const Finding finding = finding_in(bed);
  CHECK(finding.name == "silent");
  CHECK(finding.severity == Severity::hint);  // a site without anybody who talks looks the same
  CHECK(finding.what == "vx0 sends to 172.31.0.2 and hears nothing from there");
  send_for("vni-101");
  const Findings both = findings_in(bed);
  CAPTURE(text_of(both));
  REQUIRE(both.size() == 2);
  CHECK(both[0].name == "silent");
  CHECK(both[0].severity == Severity::wrong);
  CHECK(both[0].seen == "what comes from there dies here: unknown_vni");
  CHECK(both[1].name == "unknown-vni");
}

TEST_CASE("doctor: a packet is too big for the tunnel") {
  const Finding finding = finding_of({}, "lan0", "long");
  CHECK(finding.name == "too-big");
  CHECK(finding.object == "vx0");
  CHECK(finding.what == "10.8.0.1 at lan0 sends frames of 1502 bytes; vx0 carries IP packets of 1450");
  CHECK(says(finding.cure, {"an MTU of 1450 for the sender", "tunnels.vx0.mss-clamp: auto"}));
}

TEST_CASE("doctor: the underlay is narrower than it says") {
  const Finding finding = finding_of({.lan0 = "{mtu: 1300}"}, "up0", "narrow");
  CHECK(finding.name == "path-narrow");
  CHECK(finding.object == "vx0");
  CHECK(finding.what == "vx0: the way to 172.31.0.2 carries packets of 1400 bytes, up0 says 1500");
  CHECK(finding.cure == "`ethernets.up0.mtu: 1400`, or a larger MTU on the way");
}

TEST_CASE("doctor: the kernel takes less than the underlay's MTU") {
  Bed bed(yaml({}));
  bed.port("up0").set_longest(100);
  bed.send("lan0", frame("here"));
  const Finding finding = finding_in(bed);
  CHECK(finding.name == "port-narrow");
  CHECK(finding.what == "up0: the kernel refuses to send frames of 132 bytes there");
}

TEST_CASE("doctor: the remote is absent") {
  StoppedClock clock;
  Bed bed(yaml({.vx0 = "id: 100, remote: 172.31.0.3"}));
  for (int i = 0; i < 20; ++i) {
    bed.run();
    clock.advance(1s);
    bed.gateway().tick();
  }
  const Finding finding = finding_in(bed);
  CHECK(finding.name == "next-hop");
  CHECK(finding.object == "vx0");
  CHECK(finding.what == "vx0: 172.31.0.3 doesn't answer at up0");
  CHECK(says(finding.cure, {"show neighbors"}));
}

TEST_CASE("doctor: there is no route to the remote") {
  Bed bed(yaml({.vx0 = "id: 100, remote: 192.0.2.9"}));
  const Finding finding = finding_in(bed);
  CHECK(finding.name == "no-route");
  CHECK(finding.what == "vx0: no route to 192.0.2.9");
  CHECK(says(finding.cure, {"routes"}));
}

TEST_CASE("doctor: VLANs of a bridge don't meet") {
  Bed bed(yaml({.lan0 = "{mtu: 1400, vlan: {mode: access, tag: 10}}",
                .vx0 = "id: 100, remote: 172.31.0.2, vlan: {mode: access, tag: 20}"}));
  const Findings findings = findings_in(bed);
  CAPTURE(text_of(findings));
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].name == "vlans-apart");
  CHECK(findings[0].what == "lan0 carries access 10, of which no other interface of br0 carries any");
  CHECK(says(findings[0].cure, {"ethernets.lan0.vlan"}));
  CHECK(findings[1].object == "vx0");
  CHECK(says(findings[1].cure, {"tunnels.vx0.vlan"}));
}

TEST_CASE("doctor: VLANs meet in one split-horizon group alone") {
  Bed bed(R"(
version: 1
ethernets:
  a1: {group: a, vlan: {mode: access, tag: 10}}
  a2: {group: a, vlan: {mode: access, tag: 10}}
  a3: {group: a, vlan: {mode: access, tag: 20}}
  b1: {group: b, vlan: {mode: access, tag: 20}}
  i1: {isolated: true, vlan: {mode: access, tag: 30}}
  n1: {vlan: {mode: access, tag: 30}}
bridges:
  br0: {interfaces: [a1, a2, a3, b1, i1, n1]}
)");
  const Findings findings = findings_in(bed);
  CAPTURE(text_of(findings));
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].name == "vlans-apart");
  CHECK(findings[0].object == "a1");
  CHECK(findings[1].object == "a2");
}

TEST_CASE("doctor: the look at VLANs is bounded, however many bridges there are") {
  std::string tunnels;
  std::string bridges;
  for (int bridge = 0; bridge < 2; ++bridge) {
    bridges += fmt::format("  br{}: {{interfaces: [", bridge);
    for (int tag = 1; tag <= 501; ++tag) {
      tunnels +=
          fmt::format("  vx{}x{}: {{mode: vxlan, id: {}, remote: 172.31.0.2, vlan: {{mode: access, tag: {}}}}}\n",
                      bridge, tag, 1000 * bridge + tag, tag);
      bridges += fmt::format("{}vx{}x{}", tag == 1 ? "" : ", ", bridge, tag);
    }
    bridges += "]}\n";
  }
  Bed bed(R"(
version: 1
ethernets:
  up0: {addresses: [172.31.0.1/24], neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]}
tunnels:
)" + tunnels +
          "bridges:\n" + bridges);
  const Findings findings = findings_in(bed);
  CHECK(std::ranges::count(findings, "vlans-apart", &Finding::name) == 501);
}

TEST_CASE("doctor: a VLAN that the port doesn't carry") {
  const Finding finding = finding_of({.lan0 = "{mtu: 1400, vlan: {mode: access, tag: 10}}"}, "lan0", "vlan-20");
  CHECK(finding.name == "vlan-not-member");
  CHECK(finding.what == "02:00:00:00:01:01 sends frames of VLAN 20 to lan0, which carries access 10");
}

TEST_CASE("doctor: the source isn't allowed") {
  const Finding finding = finding_of({.up0 = "    allow-from: [172.31.0.2/32]\n"}, "up0", "source-9");
  CHECK(finding.name == "source-not-allowed");
  CHECK(finding.object == "up0");
  CHECK(says(finding.what, {"172.31.0.9", "allow-from"}));
  CHECK(finding.cure == "add 172.31.0.9 to `ethernets.up0.allow-from`, if it may send");
}

TEST_CASE("doctor: the source is no remote") {
  const Finding finding = finding_of({}, "up0", "source-9");
  CHECK(finding.name == "unknown-source");
  CHECK(finding.what == "172.31.0.9 sends into vx0, whose remote is 172.31.0.2");
}

TEST_CASE("doctor: the MAC isn't bound") {
  const Finding finding =
      finding_of({.lan0 = "{mtu: 1400, bindings: [{mac: 02:00:00:00:01:01}]}"}, "lan0", "other-host");
  CHECK(finding.name == "mac-not-bound");
  CHECK(finding.object == "lan0");
  CHECK(says(finding.what, {"02:00:00:00:01:07"}));
  CHECK(finding.cure == "add 02:00:00:00:01:07 to `ethernets.lan0.bindings`, if it may speak there");
}

TEST_CASE("doctor: the same MAC on both sides") {
  StoppedClock clock;
  Bed bed(yaml({}));
  bed.gateway().tick();
  for (int i = 0; i < 6; ++i) {
    bed.send(i % 2 == 0 ? "lan0" : "up0", frame(i % 2 == 0 ? "here" : "here-from-there"));
    bed.wait_a_tick();
  }
  clock.advance(6s);
  bed.gateway().tick();
  const Finding finding = finding_in(bed);
  CHECK(finding.name == "mac-on-both-sides");
  CHECK(finding.object == "br0");
  CHECK(says(finding.what, {"02:00:00:00:01:01", "lan0", "vx0 (172.31.0.2)"}));
  CHECK(says(finding.cure, {"another MAC", "loop"}));
}

TEST_CASE("doctor: somebody has our address, too") {
  const Finding finding = finding_of({}, "up0", "our-address");
  CHECK(finding.name == "address-twice");
  CHECK(finding.what == "02:00:00:00:00:07 has 172.31.0.1, too, which is our own address");
}

TEST_CASE("doctor: more MACs at a port than may be learnt there, until they are gone") {
  Bed bed(yaml({.lan0 = "{mtu: 1400, max-macs: 1}"}));
  bed.send("lan0", frame("here"));
  CHECK(text_of(findings_in(bed)).empty());  // as many as there may be, and no more
  bed.send("lan0", frame("other-host"));
  const Finding finding = finding_in(bed);
  CHECK(finding.name == "limit");
  CHECK(finding.severity == Severity::wrong);
  CHECK(finding.object == "lan0");
  CHECK(says(finding.seen, {"1 of 1"}));
  CHECK(says(finding.cure, {"`ethernets.lan0.max-macs`"}));
  RecentCounts counts;
  counts.next(bed.gateway());
  CHECK_FALSE(findings_in(bed, counts).empty());
  counts.next(bed.gateway());
  CHECK(text_of(findings_in(bed, counts)).empty());
  bed.wait_a_tick();
  bed.send("lan0", frame("other-host"));
  CHECK_FALSE(findings_in(bed, counts).empty());
}

TEST_CASE("doctor: ports that are missing or down") {
  Bed bed(yaml({}));
  bed.port("lan0").set_link(false);
  bed.gateway().tick();
  CHECK(findings_in(bed).front().name == "port-down");
  bed.disappear("lan0");
  bed.gateway().tick();
  CHECK(findings_in(bed).front().name == "port-missing");
}

TEST_CASE("doctor: one worker has all the work, until it has none") {
  Bed bed(yaml({}) + "system: {workers: 2}\n");
  for (int burst = 0; burst < 200; ++burst) {
    for (int i = 0; i < 50; ++i) bed.deliver("lan0", frame("here"));
    bed.run();
  }
  RecentCounts counts;
  counts.next(bed.gateway());
  const Findings findings = findings_in(bed, counts);
  CAPTURE(text_of(findings));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].name == "one-worker");
  CHECK(findings[0].what == "worker 0 of 2 carries nearly all there is");
  CHECK(says(findings[0].seen, {"10000 of the last 10000 packets"}));
  counts.next(bed.gateway());
  CHECK(text_of(findings_in(bed, counts)).empty());
}

TEST_CASE("doctor: a flow cache is too small, until the flows are gone") {
  Bed bed(yaml({}) + "system: {flow-cache: 1024}\n");
  bed.send("up0", frame("there"));
  Bytes from_many = frame("here-again");
  from_many[9] = 0x77;
  for (int host = 0; host < 8192; ++host) {
    from_many[10] = static_cast<uint8_t>(host >> 8);
    from_many[11] = static_cast<uint8_t>(host);
    bed.send("lan0", from_many);  // is learnt
    bed.send("lan0", from_many);  // is a flow
  }
  RecentCounts counts;
  counts.next(bed.gateway());
  const Findings findings = findings_in(bed, counts);
  CAPTURE(text_of(findings));
  REQUIRE(findings.size() == 1);
  CHECK(findings[0].name == "limit");
  CHECK(findings[0].cure == "`system.flow-cache`");
  counts.next(bed.gateway());
  CHECK(text_of(findings_in(bed, counts)).empty());
}

TEST_CASE("doctor: wider members are a hint, behind what is wrong") {
  Bed bed(yaml({.lan0 = "{}"}));
  const Finding finding = finding_in(bed);
  CHECK(finding.severity == Severity::hint);
  CHECK(finding.what == "br0: lan0 takes packets of 1500 bytes, vx0 carries 1450");
  bed.send("up0", frame("vni-101"));
  const Findings findings = findings_in(bed);
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].severity == Severity::wrong);
}

TEST_CASE("doctor: the keys of VLAN interfaces stand under vlans") {
  Bed bed(R"(
version: 1
ethernets:
  lan0: {mtu: 1400}
  up0: {macaddress: 02:00:00:00:00:01}
vlans:
  lan0.7: {id: 7, link: lan0, mtu: 1380, vlan: {mode: access, tag: 10}}
  up0.5: {id: 5, link: up0, addresses: [172.31.0.1/24], neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]}
tunnels:
  vx0: {mode: vxlan, id: 100, local: 172.31.0.1, remote: 172.31.0.2, vlan: {mode: access, tag: 20}}
bridges:
  br0: {interfaces: [lan0.7, vx0]}
)");
  bed.send("up0", frame("narrow-vlan-5"));
  const Findings findings = findings_in(bed);
  CAPTURE(text_of(findings));
  REQUIRE(findings.size() == 4);
  CHECK(findings[0].name == "path-narrow");
  CHECK(says(findings[0].cure, {"`vlans.up0.5.mtu: 1400`"}));
  CHECK(findings[1].name == "vlans-apart");
  CHECK(says(findings[1].cure, {"`vlans.lan0.7.vlan`"}));
  CHECK(says(findings[2].cure, {"`tunnels.vx0.vlan`"}));
  CHECK(findings[3].name == "mtu");
  CHECK(says(findings[3].cure, {"`vlans.lan0.7.mtu: 1350`"}));
}

TEST_CASE("doctor: nothing to say of what is well") {
  SECTION("with traffic both ways") {
    Bed bed(yaml({}));
    for (const char* name : {"here", "here-again"}) {
      bed.send("lan0", frame(name));
      bed.send("up0", frame("there"));
    }
    CHECK(text_of(findings_in(bed)).empty());
  }
  SECTION("VLANs that meet") {
    Bed bed(yaml({.lan0 = "{mtu: 1400, vlan: {mode: access, tag: 10}}",
                  .vx0 = "id: 100, remote: 172.31.0.2, vlan: {mode: trunk, trunks: [10, 20]}"}));
    bed.send("lan0", frame("here"));
    CHECK(text_of(findings_in(bed)).empty());
  }
  SECTION("who is bound and allowed, after long idleness") {
    StoppedClock clock;
    Bed bed(yaml(
        {.lan0 = "{mtu: 1400, bindings: [{mac: 02:00:00:00:01:01}]}", .up0 = "    allow-from: [172.31.0.2/32]\n"}));
    bed.send("lan0", frame("here"));
    bed.send("up0", frame("there"));
    for (int i = 0; i < 20; ++i) {
      clock.advance(6s);
      bed.gateway().tick();
      bed.run();
    }
    CHECK(text_of(findings_in(bed)).empty());
  }
  SECTION("a multicast group") {
    Bed bed(yaml({.vx0 = "id: 100, remote: 239.1.1.1"}));
    bed.send("lan0", frame("here"));
    CHECK(text_of(findings_in(bed)).empty());
  }
}

}  // namespace causeway::test
