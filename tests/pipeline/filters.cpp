// Who and how much is taken from a port: allow-lists, limits on MACs and floods, GENEVE options that nobody knows.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "control/show.h"
#include "tests/pipeline/bed.h"

namespace causeway::test {
namespace {

using nlohmann::json;

std::string topology(const std::string& first, const std::string& bridge = "") {
  return "version: 1\nethernets: {p1: {" + first +
         "}, p2: {}, p3: {}}\nbridges: {br0: {interfaces: [p1, p2, p3], parameters: {" + bridge + "}}}\n";
}

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

json port_row(Bed& bed, const std::string& name) {
  for (const json& row : show(bed.gateway(), "ports")) {
    if (row["name"] == name) return row;
  }
  return {};
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
  CHECK(port_row(bed, "p1")["max_macs"] == 3);
  CHECK(port_row(bed, "p1")["macs_refused"] == 7);
  CHECK(port_row(bed, "p2")["max_macs"].is_null());
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
  CHECK(bed.gateway().add_static_mac("br0", {{{0x02, 0, 0, 0, 0, 0x77}}, "p1", 0}).empty());
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
  const uint16_t second = bed.gateway().now_s();
  while (bed.gateway().now_s() == second) bed.run();  // a whole second ahead
  for (int n = 0; n < 200; ++n) bed.send("p1", station_frame(1, 98));
  for (int n = 0; n < 200; ++n) bed.send("p1", station_frame(1, 2));
  const size_t flooded = bed.take_bytes("p3").size();
  CHECK((flooded == 50 || flooded == 100));  // a second may have ended
  CHECK(bed.counts().of(DropReason::flood_limit) == 200 - flooded);
  CHECK(bed.take_bytes("p2").size() == flooded + 200);
  for (int n = 0; n < 200; ++n) bed.send("p2", station_frame(2, 98));
  CHECK(bed.take_bytes("p3").size() == 200);
}

TEST_CASE("filters: two million spoofed MACs leave the table bounded and the honest talking") {
  for (const char* limit : {"", "max-macs: 1000"}) {
    CAPTURE(limit);
    Bed bed(topology(limit, "max-macs: 20000"));
    bed.send("p2", station_frame(2, 3));
    bed.send("p3", station_frame(3, 2));
    bed.nothing_sent();
    constexpr uint32_t kSpoofed = 1'000'000;  // each round
    size_t honest = 0;
    for (uint32_t n = 0; n < kSpoofed;) {
      for (int i = 0; i < 60; ++i) bed.deliver("p1", station_frame(n++, 98, 0x55));
      bed.deliver("p2", station_frame(2, 3));
      bed.deliver("p3", station_frame(3, 2));
      bed.run();
      for (const Bytes& bytes : bed.take_bytes("p3")) honest += bytes[5] == 3 ? 1 : 0;
      for (const Bytes& bytes : bed.take_bytes("p2")) honest += bytes[5] == 2 ? 1 : 0;
      bed.take_bytes("p1");
    }
    CHECK(honest == 2 * ((kSpoofed + 59) / 60));
    CHECK(bed.counts().all_drops() == 0);
    const auto& state = bed.gateway().fdb().bridge(bed.gateway().bridges().find("br0")->index);
    CHECK(state.macs == (*limit == '\0' ? 20000 : 1002));
    // Somebody who comes after them: learnt if the port was bounded, flooded to otherwise.
    bed.send("p2", station_frame(4, 3));
    bed.nothing_sent();
    bed.send("p3", station_frame(3, 4));
    CHECK(bed.take_bytes("p2") == std::vector<Bytes>{station_frame(3, 4)});
    CHECK(state.macs == (*limit == '\0' ? 20000 : 1003));
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
