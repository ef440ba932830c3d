// The underlay's own business over IPv4: ARP, ICMP echo, next hops that are resolved, lost and moved, frames that wait.
#include <nlohmann/json.hpp>

#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"
#include "tests/pipeline/bed/stream.h"

namespace causeway::test {
namespace {

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }
using Sequence = std::vector<Bytes>;

// A tunnel to 172.31.0.2, or to 192.0.2.5 behind the router 172.31.0.9.
std::string topology(const std::string& remote = "172.31.0.2", const std::string& neighbors = "") {
  return R"(
version: 1
ethernets:
  lan0: {}
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: [172.31.0.1/24]
    routes: [{to: default, via: 172.31.0.9}]
    neighbors: [)" +
         neighbors + R"(]
tunnels:
  gn0: {mode: geneve, id: 50, local: 172.31.0.1, remote: )" +
         remote + R"(}
bridges:
  br0: {interfaces: [lan0, gn0]}
)";
}

std::string neighbor_state(Bed& bed) {
  const nlohmann::json list = show(bed.gateway(), "neighbors");
  return list.empty() ? "" : list[0]["state"].get<std::string>();
}

// Gives `count` frames of the stream to lan0, one by one.
void send_stream(Bed& bed, size_t first, size_t count) {
  const Sequence stream = pipeline_frames().sequence("stream");
  for (size_t i = 0; i < count; ++i) bed.send("lan0", stream.at(first + i));
}

// Lets probes go unanswered until the neighbor has failed: four, half a second apart.
void let_it_fail(Bed& bed) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (neighbor_state(bed) != "failed" && std::chrono::steady_clock::now() < end) {
    bed.gateway().tick();
    bed.run();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

TEST_CASE("host: an unresolved next hop is asked for, frames wait and leave in order") {
  Bed bed(topology());
  bed.run();
  CHECK(bed.take_bytes("up0") == Sequence{frame("arp.who-is.2")});
  CHECK(neighbor_state(bed) == "incomplete");
  send_stream(bed, 0, 5);
  CHECK(bed.nothing_sent());
  CHECK(bed.counts().all_drops() == 0);
  CHECK(bed.counts().to_control == 5);
  bed.send("up0", frame("arp.is-at.2"));
  check_stream(bed.take_bytes("up0"), "stream.to-2", 0, 5);
  CHECK(neighbor_state(bed) == "reachable");
  send_stream(bed, 5, 3);
  check_stream(bed.take_bytes("up0"), "stream.to-2", 5, 3);
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("host: no more than sixteen frames wait, the oldest give way") {
  Bed bed(topology());
  bed.run();
  bed.nothing_sent();
  send_stream(bed, 0, 40);
  CHECK(to_text(bed.counts()) == "neighbor_unresolved 24");
  bed.send("up0", frame("arp.is-at.2"));
  check_stream(bed.take_bytes("up0"), "stream.to-2", 24, 16);
}

TEST_CASE("host: frames that arrive in one burst with the answer keep their order") {
  Bed bed(topology());
  bed.run();
  bed.nothing_sent();
  send_stream(bed, 0, 3);
  const Sequence stream = pipeline_frames().sequence("stream");
  bed.deliver("up0", frame("arp.is-at.2"));
  for (size_t i = 3; i < 8; ++i) bed.deliver("lan0", stream.at(i));
  bed.run();
  check_stream(bed.take_bytes("up0"), "stream.to-2", 0, 8);
}

TEST_CASE("host: a next hop that does not answer is asked four times, then its frames die") {
  Bed bed(topology());
  send_stream(bed, 0, 3);
  let_it_fail(bed);
  CHECK(neighbor_state(bed) == "failed");
  // The four, and one more that goes on asking.
  Sequence sent = bed.take_bytes("up0");
  std::erase(sent, frame("arp.announced"));
  CHECK(sent == Sequence(5, frame("arp.who-is.2")));
  CHECK(to_text(bed.counts()) == "neighbor_unresolved 3");
  send_stream(bed, 3, 2);
  CHECK(to_text(bed.counts()) == "neighbor_unresolved 5");
  CHECK(show(bed.gateway(), "tunnels")[0]["state"] == "neighbor_unresolved");
  bed.send("up0", frame("arp.is-at.2"));  // late, but welcome
  send_stream(bed, 5, 1);
  check_stream(bed.take_bytes("up0"), "stream.to-2", 5, 1);
}

TEST_CASE("host: traffic follows a neighbor's new MAC at once") {
  for (const char* news : {"arp.is-at-moved.2", "arp.gratuitous-moved.2"}) {
    CAPTURE(news);
    Bed bed(topology());
    bed.send("up0", frame("arp.is-at.2"));
    bed.nothing_sent();
    send_stream(bed, 0, 2);
    check_stream(bed.take_bytes("up0"), "stream.to-2", 0, 2);
    bed.send("up0", frame(news));
    CHECK(bed.nothing_sent());
    send_stream(bed, 2, 2);
    check_stream(bed.take_bytes("up0"), "stream.to-2-moved", 2, 2);
  }
}

TEST_CASE("host: the next hop of a far remote is the router") {
  Bed bed(topology("192.0.2.5"));
  bed.run();
  CHECK(bed.take_bytes("up0") == Sequence{frame("arp.who-is.9")});
  send_stream(bed, 0, 2);
  bed.send("up0", frame("arp.is-at.9"));
  check_stream(bed.take_bytes("up0"), "stream.to-far", 0, 2);
}

TEST_CASE("host: a static neighbor is neither asked for nor moved") {
  Bed bed(topology("172.31.0.2", "{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}"));
  bed.run();
  CHECK(bed.nothing_sent());
  send_stream(bed, 0, 1);
  check_stream(bed.take_bytes("up0"), "stream.to-2", 0, 1);
  const Counts before = bed.counts();
  bed.send("up0", frame("arp.is-at-moved.2"));
  CHECK(to_text(bed.counts() - before) == "control_ignored 1");
  send_stream(bed, 1, 1);
  check_stream(bed.take_bytes("up0"), "stream.to-2", 1, 1);
}

TEST_CASE("host: what is inside a tunnel says nothing about the underlay") {
  Bed bed(topology());
  bed.send("up0", frame("arp.is-at.2"));
  bed.nothing_sent();
  const Counts before = bed.counts();
  bed.send("up0", frame("lie.outer"));
  const Counts rise = bed.counts() - before;
  CHECK(bed.take_bytes("lan0") == Sequence{frame("lie.inner")});
  CHECK(rise.to_control == 0);
  CHECK(rise.all_drops() == 0);
  send_stream(bed, 0, 1);
  check_stream(bed.take_bytes("up0"), "stream.to-2", 0, 1);
  // Nor does a bridge port.
  bed.send("lan0", frame("lie.inner"));
  bed.nothing_sent();
  send_stream(bed, 1, 1);
  check_stream(bed.take_bytes("up0"), "stream.to-2", 1, 1);
}

TEST_CASE("host: ARP for our address is answered") {
  Bed bed(topology("172.31.0.3", "{to: 172.31.0.3, macaddress: 02:00:00:00:00:03}"));
  for (const char* request : {"arp.asks-us.2", "arp.asks-us-unpadded", "arp.asks-us-unicast"}) {
    CAPTURE(request);
    bed.send("up0", frame(request));
    CHECK(bed.take_bytes("up0") == Sequence{frame("arp.our-answer.2")});
  }
  bed.send("up0", frame("arp.probe"));
  CHECK(bed.take_bytes("up0") == Sequence{frame("arp.probe-answer")});
  CHECK(bed.counts().all_drops() == 0);
  CHECK(bed.counts().to_control == 4);
  CHECK(bed.counts().from_control == 4);
}

TEST_CASE("host: ICMP echo is answered") {
  Bed bed(topology("172.31.0.3", "{to: 172.31.0.3, macaddress: 02:00:00:00:00:03}"));
  for (const char* size : {"0", "1", "56", "57", "1400"}) {
    CAPTURE(size);
    bed.send("up0", frame("echo.request." + std::string(size)));
    CHECK(bed.take_bytes("up0") == Sequence{frame("echo.reply." + std::string(size))});
  }
  bed.send("up0", frame("echo.request.1400"), {100, 13, 500});
  CHECK(bed.take_bytes("up0") == Sequence{frame("echo.reply.1400")});
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("host: what asks nothing of us is counted as ignored") {
  Bed bed(topology("172.31.0.3", "{to: 172.31.0.3, macaddress: 02:00:00:00:00:03}"));
  for (const std::string& name : pipeline_frames().names("ignored.")) {
    CAPTURE(name);
    const Counts before = bed.counts();
    bed.send("up0", frame(name));
    const Counts rise = bed.counts() - before;
    CHECK(to_text(rise) == "control_ignored 1");
    CHECK(bed.nothing_sent());
  }
}

TEST_CASE("host: no route, then one") {
  const std::string without = [] {
    std::string yaml = topology("192.0.2.5");
    const std::string routes = "    routes: [{to: default, via: 172.31.0.9}]\n";
    yaml.erase(yaml.find(routes), routes.size());
    const std::string members = "[lan0, gn0]";
    return yaml.insert(yaml.find(members) + members.size(), ", static-macs: [{mac: 02:00:00:00:01:02, port: gn0}]");
  }();
  Bed bed(without);
  send_stream(bed, 0, 2);
  CHECK(to_text(bed.counts()) == "no_route 2");
  CHECK(show(bed.gateway(), "tunnels")[0]["state"] == "no_route");
  CHECK(bed.apply(topology("192.0.2.5")).empty());
  bed.send("up0", frame("arp.is-at.9"));
  bed.nothing_sent();
  send_stream(bed, 2, 1);
  check_stream(bed.take_bytes("up0"), "stream.to-far", 2, 1);
}

TEST_CASE("host: a changed tunnel keeps the neighbor it had") {
  Bed bed(topology());
  bed.send("up0", frame("arp.is-at.2"));
  bed.nothing_sent();
  std::string yaml = topology();
  yaml.replace(yaml.find("mode: geneve"), 12, "isolated: false, mode: geneve");
  CHECK(bed.apply(yaml).empty());
  CHECK(neighbor_state(bed) == "reachable");
  send_stream(bed, 0, 40);
  check_stream(bed.take_bytes("up0"), "stream.to-2", 0, 40);
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("host: three times after its start, and after its link comes back, the gateway says where it is") {
  Bed bed(topology("172.31.0.2", "{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}"));
  const auto announced = [&] {
    Sequence sent;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2500);
    while (std::chrono::steady_clock::now() < end) {
      bed.gateway().tick();
      bed.run();
      std::ranges::move(bed.take_bytes("up0"), std::back_inserter(sent));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return sent;
  };
  CHECK(announced() == Sequence(3, frame("arp.announced")));
  bed.port("up0").set_link(false);
  bed.gateway().tick();
  bed.run();
  CHECK(bed.take_bytes("up0").empty());
  bed.port("up0").set_link(true);
  CHECK(announced() == Sequence(3, frame("arp.announced")));
}

}  // namespace causeway::test
