// Tunnels over a multicast group: memberships on the underlay, flood and learn.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "control/view/view.h"
#include "dataplane/wire/checksum.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"
#include "tests/pipeline/bed/stopped_clock.h"

namespace causeway::test {
namespace {

using nlohmann::json;
using Sequence = std::vector<Bytes>;

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }

std::string address(int family) { return family == 4 ? "172.31.0.1/24" : "\"fd00:31::1/64\""; }

std::string topology(int family, const std::string& more = "", const std::string& parameters = "") {
  const std::string ends =
      family == 4 ? "local: 172.31.0.1, remote: 239.129.1.1" : "local: \"fd00:31::1\", remote: \"ff05::1:2345\"";
  return R"(
version: 1
ethernets:
  lan0: {}
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: [)" +
         address(family) + R"(]
    neighbors: [)" +
         (family == 4 ? "{to: 172.31.0.2" : "{to: \"fd00:31::2\"") + R"(, macaddress: 02:00:00:00:00:02}]
tunnels:
  vx0: {mode: vxlan, id: 300, link: up0, ttl: 5, )" +
         ends + more + R"(}
bridges:
  br0: {interfaces: [lan0, vx0], parameters: {)" +
         parameters + "}}\n";
}

std::string without_tunnel(int family) {
  return "version: 1\nethernets: {lan0: {}, up0: {macaddress: 02:00:00:00:00:01, addresses: [" + address(family) +
         "]}}\nbridges: {br0: {interfaces: [lan0]}}\n";
}

// IGMP, or ICMPv6 behind a router alert.
bool is_membership_message(const Bytes& bytes) {
  return bytes[12] == 0x08 ? bytes[13] == 0 && bytes[23] == 2 : bytes[12] == 0x86 && bytes[20] == 0;
}

// A report without what it says of our address's own group (tests/pipeline/discovery.cpp); nothing if that is all.
std::optional<Bytes> without_own_group(const Bytes& report) {
  if (report == frame("mld1.own.is")) return {};
  for (const std::string kind : {"join", "is"}) {
    if (report == frame("mld2.own." + kind)) return {};
    if (report == frame("mld2.both." + kind)) return frame("mld2." + kind);
  }
  return report;
}

// What the underlay hears of memberships in one turn of the control thread's timer.
Sequence heard_now(Bed& bed) {
  Sequence all;
  bed.gateway().tick();
  bed.run();
  for (Bytes& bytes : bed.take_bytes("up0")) {
    if (!is_membership_message(bytes)) continue;
    if (auto report = without_own_group(bytes)) all.push_back(*std::move(report));
  }
  return all;
}

// The same within `ms`, the gateway's clock going on; or as soon as there are `count` frames.
Sequence heard(Bed& bed, size_t count, int ms) {
  Sequence all;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  while (all.size() < count && std::chrono::steady_clock::now() < end) {
    std::ranges::move(heard_now(bed), std::back_inserter(all));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return all;
}

// Has told of its groups.
void join_all(Bed& bed, StoppedClock& clock) {
  for (int i = 0; i < 3; ++i) {
    heard_now(bed);
    clock.advance(std::chrono::seconds(1));
  }
}

json rows(Bed& bed, const std::string& what) {
  json list = show(bed.gateway(), what);
  const auto own = std::ranges::find_if(
      list, [](const json& row) { return row.contains("group") && row["group"] == "ff02::1:ff00:1"; });
  if (own != list.end()) list.erase(own);
  return list;
}

json row(Bed& bed, const std::string& what) {
  const json list = rows(bed, what);
  REQUIRE(list.size() == 1);
  return list[0];
}

}  // namespace

TEST_CASE("group: a tunnel joins, and leaves when it goes") {
  for (const int family : {4, 6}) {
    CAPTURE(family);
    const std::string protocol = family == 4 ? "igmp3" : "mld2";
    Bed bed(topology(family));
    CHECK(heard(bed, 2, 1500) == Sequence(2, frame(protocol + ".join")));
    CHECK(heard(bed, 1, 100).empty());
    const json member = row(bed, "multicast");
    CHECK(member["port"] == "up0");
    CHECK(member["group"] == (family == 4 ? "239.129.1.1" : "ff05::1:2345"));
    CHECK(member["protocol"] == (family == 4 ? "IGMPv3" : "MLDv2"));
    CHECK(bed.apply(without_tunnel(family)).empty());
    CHECK(heard(bed, 2, 1500) == Sequence(2, frame(protocol + ".leave")));
    CHECK(rows(bed, "multicast").empty());
  }
}

TEST_CASE("group: a daemon that ends says so") {
  Bed bed(topology(4));
  heard(bed, 2, 1500);
  bed.gateway().say_goodbye();
  bed.run();
  CHECK(bed.take_bytes("up0") == Sequence{frame("igmp3.leave")});
}

TEST_CASE("group: queries are answered") {
  for (const int family : {4, 6}) {
    CAPTURE(family);
    const std::string protocol = family == 4 ? "igmp3" : "mld2";
    Bed bed(topology(family));
    heard(bed, 2, 1500);
    bed.send("up0", frame(protocol + ".query"));
    CHECK(heard(bed, 1, 500) == Sequence{frame(protocol + ".is")});
    CHECK(heard(bed, 1, 100).empty());
    CHECK(row(bed, "multicast")["querier"] == (family == 4 ? "172.31.0.9" : "fe80::9"));
    CHECK(bed.counts().all_drops() == 0);
  }
}

TEST_CASE("group: a querier has its answer within the time it gives") {
  const std::pair<std::string, int> queries[] = {
      {"igmp3.query", 100}, {"igmp3.query-slow", 24'800}, {"igmp2.query", 100}, {"igmp2.query-of-version-1", 10'000},
      {"mld2.query", 50},   {"mld2.query-slow", 32'776},  {"mld1.query", 50},   {"mld1.query-slow", 60'000}};
  for (const auto& [query, ms] : queries) {
    CAPTURE(query);
    StoppedClock clock;
    Bed bed(topology(query[0] == 'i' ? 4 : 6));
    join_all(bed, clock);
    for (int round = 0; round < 20; ++round) {  // the time is a random one
      CAPTURE(round);
      bed.send("up0", frame(query));
      clock.advance(std::chrono::milliseconds(ms));
      CHECK(heard_now(bed) == Sequence{frame(query.substr(0, query.find('.')) + ".is")});
    }
  }
}

TEST_CASE("group: a patient querier doesn't put off the answer to an impatient one") {
  for (const bool patient_first : {false, true}) {
    CAPTURE(patient_first);
    StoppedClock clock;
    Bed bed(topology(4));
    join_all(bed, clock);
    bed.send("up0", frame(patient_first ? "igmp3.query-slow" : "igmp3.query"));
    bed.send("up0", frame(patient_first ? "igmp3.query" : "igmp3.query-slow"));
    clock.advance(std::chrono::milliseconds(100));
    CHECK(heard_now(bed) == Sequence{frame("igmp3.is")});
  }
}

TEST_CASE("group: queries of one group, and bad ones") {
  Bed bed(topology(4));
  heard(bed, 2, 1500);
  bed.send("up0", frame("igmp3.query-of-it"));
  CHECK(heard(bed, 1, 500) == Sequence{frame("igmp3.is")});
  bed.send("up0", frame("igmp3.query-of-another"));
  CHECK(heard(bed, 1, 200).empty());
  CHECK(bed.counts().all_drops() == 0);
  bed.send("up0", frame("igmp3.query-broken"));
  CHECK(heard(bed, 1, 200).empty());
  CHECK(to_text(bed.counts()) == "control_ignored 1");
  Bed bed6(topology(6));
  heard(bed6, 2, 1500);
  bed6.send("up0", frame("mld2.query-routed"));
  CHECK(heard(bed6, 1, 200).empty());
  CHECK(to_text(bed6.counts()) == "control_ignored 1");
}

TEST_CASE("group: an older querier gets older reports") {
  for (const std::string query : {"igmp2.query", "igmp2.query-without-alert", "mld1.query"}) {
    CAPTURE(query);
    const int family = query[0] == 'i' ? 4 : 6;
    const std::string protocol = query.substr(0, query.find('.'));
    Bed bed(topology(family));
    heard(bed, 2, 1500);
    bed.send("up0", frame(query));
    CHECK(heard(bed, 1, 500) == Sequence{frame(protocol + ".is")});
    CHECK(row(bed, "multicast")["protocol"] == (family == 4 ? "IGMPv2" : "MLDv1"));
    CHECK(bed.apply(without_tunnel(family)).empty());
    CHECK(heard(bed, 2, 1500) == Sequence(2, frame(protocol + ".leave")));
  }
}

TEST_CASE("group: floods go to the group, answers to who was heard") {
  for (const int family : {4, 6}) {
    CAPTURE(family);
    const std::string group = fmt::format("group{}", family);
    Bed bed(topology(family));
    heard(bed, 2, 1500);
    bed.send("lan0", frame("group.near-to-all"));
    bed.send("lan0", frame("group.near-to-far"));  // unknown yet
    auto out = bed.take_bytes("up0");
    REQUIRE(out.size() == 2);
    check_outer(out[0], frame(group + ".near-to-all"));
    check_outer(out[1], frame(group + ".near-to-unknown"));
    CHECK(row(bed, "tunnels")["vteps"].empty());

    bed.send("up0", frame(group + ".far-to-all"));
    CHECK(bed.take_bytes("lan0") == Sequence{frame("group.far-to-all")});
    bed.send("lan0", frame("group.near-to-far"));
    out = bed.take_bytes("up0");
    REQUIRE(out.size() == 1);
    check_outer(out[0], frame(group + ".near-to-far"));
    bed.send("up0", frame(group + ".far-to-near"));
    CHECK(bed.take_bytes("lan0") == Sequence{frame("group.far-to-near")});

    const json tunnel = row(bed, "tunnels");
    REQUIRE(tunnel["vteps"].size() == 1);
    CHECK(tunnel["vteps"][0]["remote"] == (family == 4 ? "172.31.0.2" : "fd00:31::2"));
    CHECK(tunnel["vteps"][0]["mtu"] == (family == 4 ? 1450 : 1430));
    CHECK(tunnel["rx_packets"] == 2);
    CHECK(tunnel["tx_packets"] == 3);
    const json fdb = show(bed.gateway(), "fdb");
    CHECK(std::ranges::any_of(fdb, [&](const json& entry) {
      return entry["mac"] == "02:00:00:00:01:32" && entry["port"] == "vx0" &&
             entry["remote"] == (family == 4 ? "172.31.0.2" : "fd00:31::2");
    }));
    const Counts before = bed.counts();
    bed.send("up0", frame(group + ".other-vni"));
    CHECK(to_text(bed.counts() - before) == "unknown_vni 1");
    bed.send("up0", frame(group + ".router-says-1400"));
    CHECK(row(bed, "tunnels")["vteps"][0]["mtu"] == (family == 4 ? 1350 : 1330));
    CHECK(row(bed, "tunnels")["mtu"] == (family == 4 ? 1450 : 1430));  // to the group
  }
}

TEST_CASE("group: an answer finds its way before the FDB does") {
  Bed bed(topology(4));
  heard(bed, 2, 1500);
  bed.send("up0", frame("group4.far-to-all"));
  bed.take_bytes("lan0");
  bed.gateway().fdb().remove_if([](const Fdb::Entry&) { return true; });
  bed.run();
  // The worker alone, without the control thread: far is heard, and answered at once.
  Worker& worker = *bed.gateway().workers().front();
  bed.gateway().tables().quiescence.online(0);
  bed.deliver("up0", frame("group4.far-to-near"));
  worker.run_once();
  bed.deliver("lan0", frame("group.near-to-far"));
  worker.run_once();
  bed.gateway().tables().quiescence.offline(0);
  const auto out = bed.take_bytes("up0");
  REQUIRE(out.size() == 1);
  check_outer(out[0], frame("group4.near-to-far"));
  bed.run();
}

TEST_CASE("group: whom allow-from doesn't name is not heard") {
  Bed bed(topology(4, ", allow-from: [172.31.0.0/31, 172.31.0.3/32]"));
  heard(bed, 2, 1500);
  bed.send("up0", frame("group4.far-to-all"));
  CHECK(bed.take_bytes("lan0").empty());
  CHECK(to_text(bed.counts()) == "source_not_allowed 1");
  bed.send("up0", frame("group4.three-to-all"));
  CHECK(bed.take_bytes("lan0").size() == 1);
  CHECK(to_text(bed.counts()) == "source_not_allowed 1");
}

TEST_CASE("group: our own frames that come back teach nothing") {
  Bed bed(topology(4));
  heard(bed, 2, 1500);
  bed.send("up0", frame("group4.near-to-all"));
  CHECK(bed.take_bytes("lan0").empty());
  CHECK(to_text(bed.counts()) == "impossible_source 1");
  CHECK(row(bed, "tunnels")["vteps"].empty());
}

TEST_CASE("group: sources that no host has are nobody's VTEP") {
  for (const int family : {4, 6}) {
    Bed bed(topology(family));
    heard(bed, 2, 1500);
    uint64_t forged = 0;
    for (const std::string& name : pipeline_frames().names(fmt::format("group{}.forged.", family))) {
      CAPTURE(name);
      bed.send("up0", frame(name));
      CHECK(bed.nothing_sent());
      CHECK(to_text(bed.counts()) == fmt::format("impossible_source {}", ++forged));
    }
    CHECK(forged == 9);
    CHECK(row(bed, "tunnels")["vteps"].empty());
    CHECK(show(bed.gateway(), "fdb").empty());
  }
}

TEST_CASE("group: after it has left, a host hears nothing of the group") {
  Bed bed(topology(4));
  heard(bed, 2, 1500);
  CHECK(bed.apply(without_tunnel(4)).empty());
  const Counts before = bed.counts();
  bed.send("up0", frame("group4.far-to-all"));
  CHECK(to_text(bed.counts() - before) == "not_for_us 1");
}

namespace {

// group4.far-to-all, from one of many.
Bytes from_stranger(unsigned number) {
  Bytes bytes = frame("group4.far-to-all");
  auto* ip = reinterpret_cast<Ipv4Header*>(bytes.data() + 14);
  ip->source = be32(0xac1f0064 + number);  // 172.31.0.100 and up: the first on the link, the rest behind no router
  ip->checksum = ipv4_checksum(*ip);
  return bytes;
}

size_t vteps(Bed& bed) { return row(bed, "tunnels")["vteps"].size(); }

}  // namespace

TEST_CASE("group: of more VTEPs than it may learn a tunnel receives all the same") {
  Bed bed(topology(4));
  heard(bed, 2, 1500);
  bed.nothing_sent();
  for (unsigned number = 1; number <= Tunnels::kMaxVteps + 100; ++number) {
    bed.send("up0", from_stranger(number));
    REQUIRE(bed.take_bytes("lan0").size() == 1);
  }
  CHECK(to_text(bed.counts()) == "");
  CHECK(vteps(bed) == Tunnels::kMaxVteps);
  CHECK(bed.nothing_sent());  // nobody sends to them, and so nobody asks for them
  // Our own frames that come back are no VTEP's now either.
  bed.send("up0", frame("group4.near-to-all"));
  CHECK(bed.take_bytes("lan0").empty());
  CHECK(to_text(bed.counts()) == "impossible_source 1");
}

TEST_CASE("group: strangers that are silent make room for who comes later") {
  Bed bed(topology(4));
  heard(bed, 2, 1500);
  for (unsigned number = 1; number <= Tunnels::kMaxVteps + 1; ++number) bed.send("up0", from_stranger(number));
  CHECK(vteps(bed) == Tunnels::kMaxVteps);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(12);
  while (vteps(bed) == Tunnels::kMaxVteps && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    bed.gateway().tick();
    bed.run();
  }
  CHECK(vteps(bed) == 0);
  bed.nothing_sent();
  bed.send("up0", frame("group4.far-to-all"));
  CHECK(vteps(bed) == 1);
}

TEST_CASE("group: VTEPs are forgotten when they fall silent") {
  Bed bed(topology(4, "", "ageing-time: 1"));
  heard(bed, 2, 1500);
  for (unsigned number = 1; number <= 5; ++number) bed.send("up0", from_stranger(number));
  CHECK(vteps(bed) == 5);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(8);
  while (vteps(bed) != 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    bed.gateway().tick();
    bed.run();
    bed.nothing_sent();
  }
  CHECK(vteps(bed) == 0);
  bed.send("up0", from_stranger(6));
  CHECK(vteps(bed) == 1);
}

TEST_CASE("group: a changed tunnel forgets whom it knew and meets them again") {
  Bed bed(topology(4));
  heard(bed, 2, 1500);
  bed.send("up0", frame("group4.far-to-all"));
  CHECK(row(bed, "tunnels")["vteps"].size() == 1);
  std::string other = topology(4);
  other.replace(other.find("ttl: 5"), 6, "ttl: 6");
  CHECK(bed.apply(other).empty());
  CHECK(row(bed, "tunnels")["vteps"].empty());
  CHECK(bed.apply(topology(4)).empty());
  bed.nothing_sent();
  bed.send("up0", frame("group4.far-to-all"));
  bed.send("lan0", frame("group.near-to-far"));
  const auto out = bed.take_bytes("up0");
  REQUIRE(!out.empty());
  check_outer(out.back(), frame("group4.near-to-far"));
}

}  // namespace causeway::test
