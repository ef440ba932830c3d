// Who and how much is taken from a port: allow-lists, limits on MACs and floods, GENEVE options that nobody knows.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "control/view/stats.h"
#include "control/view/view.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/udp.h"
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

using nlohmann::json;

std::string topology(const std::string& first, const std::string& bridge = "") {
  return "version: 1\nethernets: {p1: {" + first +
         "}, p2: {}, p3: {}}\nbridges: {br0: {interfaces: [p1, p2, p3], parameters: {" + bridge + "}}}\n";
}

constexpr uint8_t kSpoofedByte = 0x55;

// 02:HI:00:NN:NN:NN
Bytes station_frame(uint32_t source, uint32_t destination, uint8_t high = 0) {
  Bytes bytes(60, 0);
  const auto write = [&](size_t at, uint32_t number, uint8_t second) {
    bytes[at] = 0x02;
    bytes[at + 1] = second;
    for (size_t i = 0; i < 3; ++i) bytes[at + 3 + i] = static_cast<uint8_t>(number >> (8 * (2 - i)));
  };
  write(0, destination, 0);
  write(6, source, high);
  bytes[12] = 0x88;
  bytes[13] = 0xb5;  // local experiments (IEEE 802 section 9.2)
  return bytes;
}

// Two ports and two tunnels.
std::string tunnel_topology(const std::string& remote, const std::string& limit = "", const std::string& bridge = "") {
  return "version: 1\nethernets:\n  p2: {}\n  p3: {}\n  up0:\n    macaddress: 02:00:00:00:00:01\n"
         "    addresses: [172.31.0.1/24]\n    neighbors:\n"
         "      - {to: 172.31.0.2, macaddress: 02:00:00:00:00:02}\n"
         "      - {to: 172.31.0.3, macaddress: 02:00:00:00:00:03}\n"
         "      - {to: 172.31.0.4, macaddress: 02:00:00:00:00:04}\n"
         "tunnels:\n  vx0: {mode: vxlan, id: 100, local: 172.31.0.1, remote: " +
         remote + (limit.empty() ? "" : ", ") + limit +
         "}\n  vx1: {mode: vxlan, id: 101, local: 172.31.0.1, remote: 172.31.0.4}\n"
         "bridges: {br0: {interfaces: [p2, p3, vx0, vx1], parameters: {" +
         bridge + "}}}\n";
}

// station_frame in one of these tunnels, from 172.31.0.REMOTE: scapy's outer headers.
Bytes tunnelled(uint32_t source, uint32_t destination, uint8_t remote, uint8_t vni = 100, uint8_t high = 0) {
  Bytes bytes = pipeline_frames()["decap.vxlan.right.accept"];
  constexpr size_t kOuterBytes = 50;
  bytes.resize(kOuterBytes);
  const Bytes inner = station_frame(source, destination, high);
  bytes.insert(bytes.end(), inner.begin(), inner.end());
  auto* const ip = reinterpret_cast<Ipv4Header*>(&bytes[14]);
  ip->total_bytes.set(static_cast<uint16_t>(bytes.size() - 14));
  ip->source = be32(0xac1f'0000U + remote);
  ip->checksum = ipv4_checksum(*ip);
  reinterpret_cast<UdpHeader*>(&bytes[34])->length_bytes.set(static_cast<uint16_t>(bytes.size() - 34));
  bytes[48] = vni;
  return bytes;
}

json row_of(Bed& bed, const std::string& table, const std::string& name) {
  for (const json& row : show(bed.gateway(), table)) {
    if (row["name"] == name) return row;
  }
  return {};
}

// A whole second is ahead.
void wait_for_a_second(Bed& bed) {
  const uint16_t second = bed.gateway().now_s();
  while (bed.gateway().now_s() == second) bed.run();
}

size_t macs_behind(Bed& bed, const std::string& port) {
  size_t count = 0;
  for (const json& row : show(bed.gateway(), "fdb")) count += row["port"] == port;
  return count;
}

}  // namespace

TEST_CASE("filters: an underlay takes tunnels only from whom it names") {
  std::string yaml = every_tunnel();
  const std::string addresses = "addresses: [172.31.0.1/24, \"fd00:31::1/64\"]";
  yaml.replace(yaml.find(addresses), addresses.size(), addresses + "\n    allow-from: [172.31.0.0/30, 192.0.2.0/24]");
  Bed bed(yaml);
  bed.send("up0", pipeline_frames()["decap.vxlan.right.accept"]);
  CHECK(bed.take_bytes("lan0").size() == 1);
  bed.send("up0", pipeline_frames()["decap.vxlan.right.accept"]);  // known by now
  CHECK(bed.take_bytes("lan0").size() == 1);
  CHECK(bed.counts().all_drops() == 0);
  bed.send("up0", pipeline_frames()["decap.ipv6.right.accept"]);  // fd00:31::2 is nobody's
  CHECK(to_text(bed.counts()) == "source_not_allowed 1");
  yaml.replace(yaml.find("172.31.0.0/30"), 13, "172.31.0.8/30");
  CHECK(bed.apply(yaml).empty());
  bed.nothing_sent();
  bed.send("up0", pipeline_frames()["decap.vxlan.right.accept"]);
  CHECK(bed.take_bytes("lan0").empty());
  CHECK(to_text(bed.counts()) == "source_not_allowed 2");
}

TEST_CASE("filters: a port's max-macs bounds what is learnt behind it") {
  Bed bed(topology("max-macs: 3"));
  for (uint32_t n = 1; n <= 10; ++n) bed.send("p1", station_frame(n, 99));
  for (uint32_t n = 11; n <= 20; ++n) bed.send("p2", station_frame(n, 99));
  CHECK(macs_behind(bed, "p1") == 3);
  CHECK(macs_behind(bed, "p2") == 10);
  CHECK(row_of(bed, "ports", "p1")["max_macs"] == 3);
  CHECK(row_of(bed, "ports", "p1")["macs_refused"] == 7);
  CHECK(row_of(bed, "ports", "p2")["max_macs"].is_null());
  // One that moves away makes room, one that moves here takes some.
  bed.send("p2", station_frame(1, 99));
  bed.send("p1", station_frame(11, 99));
  CHECK(macs_behind(bed, "p1") == 3);
  bed.send("p1", station_frame(12, 99));
  CHECK(macs_behind(bed, "p1") == 3);
  CHECK(macs_behind(bed, "p2") == 10);
  // Those that are gone count no more, nor does a static entry.
  bed.gateway().fdb().remove_if([](const Fdb::Entry& entry) { return !entry.is_static; });
  bed.run();
  CHECK(bed.gateway().add_static_mac("br0", {{{0x02, 0, 0, 0, 0, 0x77}}, "p1", 0}).text() == "");
  bed.wait_a_tick();
  for (uint32_t n = 31; n <= 40; ++n) bed.send("p1", station_frame(n, 99));
  CHECK(macs_behind(bed, "p1") == 4);
  CHECK(bed.apply(topology("max-macs: 5")).empty());
  bed.wait_a_tick();
  for (uint32_t n = 31; n <= 40; ++n) bed.send("p1", station_frame(n, 99));
  CHECK(macs_behind(bed, "p1") == 6);
  CHECK(bed.apply(topology("")).empty());
  bed.wait_a_tick();
  for (uint32_t n = 31; n <= 40; ++n) bed.send("p1", station_frame(n, 99));
  CHECK(macs_behind(bed, "p1") == 11);
}

TEST_CASE("filters: a port's flood-rate bounds what is flooded, not what is known") {
  Bed bed(topology("flood-rate: 50"));
  bed.send("p2", station_frame(2, 99));
  bed.nothing_sent();
  wait_for_a_second(bed);
  for (int n = 0; n < 200; ++n) bed.send("p1", station_frame(1, 98));
  for (int n = 0; n < 200; ++n) bed.send("p1", station_frame(1, 2));
  const size_t flooded = bed.take_bytes("p3").size();
  CHECK((flooded == 50 || flooded == 100));  // a second may have ended
  CHECK(bed.counts().of(DropReason::flood_limit) == 200 - flooded);
  CHECK(bed.take_bytes("p2").size() == flooded + 200);
  for (int n = 0; n < 200; ++n) bed.send("p2", station_frame(2, 98));
  CHECK(bed.take_bytes("p3").size() == 200);
}

TEST_CASE("filters: a flood-rate that was used up is there again in the next second") {
  Bed bed(topology("flood-rate: 5"));
  for (int n = 0; n < 20; ++n) bed.send("p1", station_frame(1, 98));
  CHECK(bed.counts().of(DropReason::flood_limit) >= 10);
  bed.nothing_sent();
  wait_for_a_second(bed);
  bed.send("p1", station_frame(1, 98));
  CHECK(bed.take_bytes("p3").size() == 1);
}

TEST_CASE("filters: a tunnel's max-macs bounds what is learnt behind all its remotes") {
  Bed bed(tunnel_topology("[172.31.0.2, 172.31.0.3]", "max-macs: 3"));
  const auto learnt = [&] { return macs_behind(bed, "vx0"); };
  for (uint32_t n = 1; n <= 3; ++n) bed.send("up0", tunnelled(n, 99, 2));
  for (uint32_t n = 4; n <= 5; ++n) bed.send("up0", tunnelled(n, 99, 3));
  CHECK(learnt() == 3);
  CHECK(row_of(bed, "tunnels", "vx0")["max_macs"] == 3);
  CHECK(row_of(bed, "tunnels", "vx0")["macs_refused"] == 2);
  CHECK(row_of(bed, "tunnels", "vx1")["max_macs"].is_null());
  // From one remote to the other there always is room, and none more behind it.
  bed.send("up0", tunnelled(1, 99, 3));
  bed.send("up0", tunnelled(6, 99, 2));
  CHECK(learnt() == 3);
  bed.nothing_sent();
  bed.send("p2", station_frame(9, 1));
  const auto out = bed.take_bytes("up0");
  REQUIRE(out.size() == 1);
  CHECK(out[0][33] == 3);                // the outer destination's last byte
  bed.send("p2", station_frame(2, 99));  // goes away from there
  bed.wait_a_tick();
  bed.send("up0", tunnelled(6, 99, 3));
  CHECK(learnt() == 3);
  // Another limit, more remotes, none.
  CHECK(bed.apply(tunnel_topology("[172.31.0.2, 172.31.0.3, 172.31.0.4]", "max-macs: 5")).empty());
  bed.wait_a_tick();
  for (uint32_t n = 11; n <= 14; ++n) bed.send("up0", tunnelled(n, 99, 2));
  for (uint32_t n = 15; n <= 18; ++n) bed.send("up0", tunnelled(n, 99, 4));
  CHECK(learnt() == 5);
  CHECK(bed.apply(tunnel_topology("172.31.0.2")).empty());
  bed.wait_a_tick();
  for (uint32_t n = 11; n <= 18; ++n) bed.send("up0", tunnelled(n, 99, 2));
  CHECK(learnt() == 8);
}

TEST_CASE("filters: max-macs of a tunnel over a group holds for all its VTEPs") {
  Bed bed(tunnel_topology("239.129.1.1", "max-macs: 3"));
  for (uint32_t n = 1; n <= 2; ++n) bed.send("up0", tunnelled(n, 99, 2));
  for (uint32_t n = 3; n <= 4; ++n) bed.send("up0", tunnelled(n, 99, 3));
  CHECK(row_of(bed, "tunnels", "vx0")["vteps"].size() == 2);
  CHECK(macs_behind(bed, "vx0") == 3);
  bed.gateway().fdb().remove_if([](const Fdb::Entry&) { return true; });
  bed.wait_a_tick();
  for (uint32_t n = 5; n <= 9; ++n) bed.send("up0", tunnelled(n, 99, 4));
  CHECK(macs_behind(bed, "vx0") == 3);
  CHECK(row_of(bed, "tunnels", "vx0")["macs_refused"] == 3);
}

TEST_CASE("filters: a tunnel's flood-rate bounds what all its remotes flood") {
  Bed bed(tunnel_topology("[172.31.0.2, 172.31.0.3]", "flood-rate: 50"));
  bed.send("p2", station_frame(2, 99));
  bed.nothing_sent();
  wait_for_a_second(bed);
  for (uint8_t remote : {2, 3}) {
    for (int n = 0; n < 100; ++n) bed.send("up0", tunnelled(1, 98, remote));
    for (int n = 0; n < 100; ++n) bed.send("up0", tunnelled(1, 2, remote));
  }
  const size_t flooded = bed.take_bytes("p3").size();
  CHECK((flooded == 50 || flooded == 100));  // a second may have ended
  CHECK(bed.counts().of(DropReason::flood_limit) == 200 - flooded);
  CHECK(bed.take_bytes("p2").size() == flooded + 200);
  bed.nothing_sent();
  for (int n = 0; n < 100; ++n) bed.send("up0", tunnelled(1, 98, 4, 101));  // vx1's
  CHECK(bed.take_bytes("p3").size() == 100);
}

// 2,000,000 of them, each from a MAC of its own, while two hosts talk. `behind` is where they come from, `learnt` how
// many of all MACs the bridge then knows.
void check_spoofed(const std::string& yaml, const std::string& behind, uint32_t learnt) {
  CAPTURE(yaml);
  Bed bed(yaml);
  bed.send("p2", station_frame(2, 3));
  bed.send("p3", station_frame(3, 2));
  bed.nothing_sent();
  constexpr uint32_t kSpoofed = 2'000'000;
  const bool tunnel = behind == "up0";
  Bytes spoofed = tunnel ? tunnelled(0, 98, 2, 100, kSpoofedByte) : station_frame(0, 98, kSpoofedByte);
  const size_t source = spoofed.size() - 60 + 6;
  const Bytes there = station_frame(2, 3);
  const Bytes back = station_frame(3, 2);
  size_t honest = 0;
  size_t strayed = 0;  // of their frames: anywhere else
  for (uint32_t n = 0; n < kSpoofed;) {
    for (int i = 0; i < 40; ++i, ++n) {
      for (size_t byte = 0; byte < 3; ++byte) spoofed[source + 3 + byte] = static_cast<uint8_t>(n >> (8 * (2 - byte)));
      bed.deliver(behind, spoofed);
    }
    bed.deliver("p2", there);
    bed.deliver("p3", back);
    bed.run();
    for (const Bytes& bytes : bed.take_bytes("p3")) honest += bytes == there ? 1 : 0;
    for (const Bytes& bytes : bed.take_bytes("p2")) honest += bytes == back ? 1 : 0;
    strayed += bed.take_bytes(behind).size();
  }
  CHECK(honest == 2 * (kSpoofed / 40));
  CHECK(strayed == 0);
  CHECK(bed.counts().all_drops() == 0);
  const auto& state = bed.gateway().fdb().bridge(bed.gateway().bridges().find("br0")->index);
  CHECK(state.macs == learnt);
  CHECK(state.moves == 0);
  CHECK(macs_behind(bed, "p2") == 1);
  CHECK(macs_behind(bed, "p3") == 1);
  // Somebody who comes after them: learnt where they were bounded, flooded to otherwise.
  const bool room = learnt < 20000;
  bed.send("p2", station_frame(4, 3));
  bed.nothing_sent();
  bed.send("p3", station_frame(3, 4));
  CHECK(bed.take_bytes("p2") == std::vector<Bytes>{station_frame(3, 4)});
  if (room) CHECK(bed.take_bytes(behind).empty());
  CHECK(state.macs == (room ? learnt + 1 : learnt));
}

TEST_CASE("filters: two million spoofed MACs leave the table bounded and the honest talking") {
  SECTION("the bridge's limit") { check_spoofed(topology("", "max-macs: 20000"), "p1", 20000); }
  SECTION("the port's") { check_spoofed(topology("max-macs: 1000", "max-macs: 20000"), "p1", 1002); }
  SECTION("the tunnel's") {
    check_spoofed(tunnel_topology("172.31.0.2", "max-macs: 1000", "max-macs: 20000"), "up0", 1002);
  }
}

TEST_CASE("filters: GENEVE options that nobody knows are counted by class") {
  Bed bed(every_tunnel());
  const auto counted = [&] { return stats(bed.gateway(), false)["unknown_geneve_options"]; };
  CHECK(counted().empty());
  bed.send("up0", pipeline_frames()["decap.options.known-not-wanted.accept"]);
  CHECK(counted() == json{{"0x0999", 1}});
  bed.send("up0", pipeline_frames()["decap.options.in-another-order-and-more.accept"]);
  bed.send("up0", pipeline_frames()["decap.geneve.options-three.accept"]);
  CHECK(counted() == json{{"0x0999", 2}, {"0xfff0", 3}});
  bed.send("up0", pipeline_frames()["decap.options.both.accept"]);
  CHECK(counted() == json{{"0x0999", 2}, {"0xfff0", 3}});
  // Bounded: a table of 64.
  Bytes many = pipeline_frames()["decap.options.known-not-wanted.accept"];
  for (uint16_t number = 0; number < 100; ++number) {
    many[50] = static_cast<uint8_t>(0x20 + number / 256);
    many[51] = static_cast<uint8_t>(number);
    bed.send("up0", many);
  }
  const json all = counted();
  CHECK(all.size() == UnknownOptions::kClasses + 1);
  CHECK(all["others"] == 100 - (UnknownOptions::kClasses - 2));
}

}  // namespace causeway::test
