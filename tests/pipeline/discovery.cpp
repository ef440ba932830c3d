// IPv6 on the underlay: neighbor discovery, ICMPv6 echo, frames that wait for a neighbor.
#include <nlohmann/json.hpp>
#include <thread>

#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"
#include "tests/pipeline/bed/stopped_clock.h"
#include "tests/pipeline/bed/stream.h"

namespace causeway::test {
namespace {

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }
using Sequence = std::vector<Bytes>;

std::string topology(const std::string& neighbors = "") {
  return R"(
version: 1
ethernets:
  lan0: {}
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: ["fd00:31::1/64"]
    neighbors: [)" +
         neighbors + R"(]
tunnels:
  vx0: {mode: vxlan, id: 50, local: "fd00:31::1", remote: "fd00:31::2"}
bridges:
  br0: {interfaces: [lan0, vx0]}
)";
}

constexpr const char* kStatic = "{to: \"fd00:31::2\", macaddress: 02:00:00:00:00:02}";

void send_stream(Bed& bed, size_t first, size_t count) {
  const Sequence stream = pipeline_frames().sequence("stream6");
  for (size_t i = 0; i < count; ++i) bed.send("lan0", stream.at(first + i));
}

std::string state(Bed& bed) { return show(bed.gateway(), "neighbors").at(0)["state"].get<std::string>(); }

// One turn of the control thread's timer: what it sends, reports on our address's group apart.
Sequence tick(Bed& bed, Sequence* reports = nullptr) {
  bed.gateway().tick();
  bed.run();
  Sequence sent = bed.take_bytes("up0");
  const auto is_report = [](const Bytes& bytes) { return bytes[20] == 0; };  // behind a router alert
  if (reports != nullptr) std::ranges::copy_if(sent, std::back_inserter(*reports), is_report);
  std::erase_if(sent, is_report);
  return sent;
}

// When `question` is sent within `span`, in milliseconds from now on.
std::vector<int> asked_at(Bed& bed, StoppedClock& clock, const std::string& question, int span) {
  std::vector<int> times;
  constexpr int kTick = 250;
  for (int ms = 0; ms < span; ms += kTick) {
    for (const Bytes& bytes : tick(bed)) {
      if (bytes == frame(question)) times.push_back(ms);
    }
    clock.advance(std::chrono::milliseconds(kTick));
  }
  return times;
}

// Reports, as soon as there are `count`.
Sequence reports(Bed& bed, size_t count) {
  Sequence all;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);
  while (all.size() < count && std::chrono::steady_clock::now() < end) {
    tick(bed, &all);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return all;
}

// A neighbor that has answered, its announcements behind it.
void meet(Bed& bed) {
  bed.send("up0", frame("nd.is-at.2"));
  REQUIRE(state(bed) == "reachable");
  bed.nothing_sent();
}

}  // namespace

TEST_CASE("discovery: an unresolved next hop is solicited, frames wait and leave in order") {
  for (const char* answer : {"nd.is-at.2", "nd.unsolicited.2", "nd.asks-us.2"}) {
    CAPTURE(answer);
    Bed bed(topology());
    bed.run();
    CHECK(bed.take_bytes("up0") == Sequence{frame("nd.who-is.2")});
    CHECK(state(bed) == "incomplete");
    send_stream(bed, 0, 5);
    CHECK(bed.nothing_sent());
    bed.send("up0", frame("nd.is-at.2.no-option"));  // says nothing
    CHECK(bed.nothing_sent());
    bed.send("up0", frame(answer));
    Sequence sent = bed.take_bytes("up0");
    if (answer == std::string("nd.asks-us.2")) {
      REQUIRE(sent.size() == 6);
      CHECK(sent.front() == frame("nd.our-answer.2"));
      sent.erase(sent.begin());
    }
    check_stream(sent, "stream6.to-2", 0, 5);
    // Only who answers a question is known to hear us.
    CHECK(state(bed) == (answer == std::string("nd.is-at.2") ? "reachable" : "probing"));
    CHECK(to_text(bed.counts()) == "control_ignored 1");
  }
}

TEST_CASE("discovery: one who may have gone is asked alone, and answers without its MAC") {
  Bed bed(topology());
  meet(bed);
  bed.send("up0", frame("nd.moved.2.no-override"));  // another one with its address?
  CHECK(state(bed) == "probing");
  const Sequence sent = tick(bed);
  REQUIRE(sent.size() == 2);  // and that we are here
  CHECK(sent[1] == frame("nd.who-is.2.unicast"));
  bed.send("up0", frame("nd.is-at.2.no-option"));
  CHECK(state(bed) == "reachable");
  send_stream(bed, 0, 1);
  check_stream(bed.take_bytes("up0"), "stream6.to-2", 0, 1);
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("discovery: four questions unanswered, half a second apart, then it has failed") {
  StoppedClock clock;
  Bed bed(topology());
  send_stream(bed, 0, 3);
  CHECK(bed.take_bytes("up0") == Sequence{frame("nd.who-is.2")});
  CHECK(asked_at(bed, clock, "nd.who-is.2", 2000) == std::vector{500, 1000, 1500});
  CHECK(state(bed) == "incomplete");
  CHECK(asked_at(bed, clock, "nd.who-is.2", 250) == std::vector{0});
  CHECK(state(bed) == "failed");
  CHECK(to_text(bed.counts()) == "neighbor_unresolved 3");
  bed.send("up0", frame("nd.is-at.2"));
  send_stream(bed, 3, 1);
  check_stream(bed.take_bytes("up0"), "stream6.to-2", 3, 1);
}

TEST_CASE("discovery: who has failed is asked ever less often, but twice a minute") {
  StoppedClock clock;
  Bed bed(topology());
  asked_at(bed, clock, "nd.who-is.2", 2000);
  CHECK(asked_at(bed, clock, "nd.who-is.2", 110'000) == std::vector{0, 3000, 9000, 21'000, 45'000, 75'000, 105'000});
}

TEST_CASE("discovery: who has answered is asked again half a minute later, each time") {
  StoppedClock clock;
  Bed bed(topology());
  meet(bed);
  for (int round = 0; round < 3; ++round) {
    CAPTURE(round);
    CHECK(asked_at(bed, clock, "nd.who-is.2.unicast", 30'250) == std::vector{30'000});
    CHECK(state(bed) == "probing");
    bed.send("up0", frame("nd.is-at.2"));
    CHECK(state(bed) == "reachable");
  }
}

TEST_CASE("discovery: who has answered once and answers no more is lost") {
  StoppedClock clock;
  Bed bed(topology());
  meet(bed);
  CHECK(asked_at(bed, clock, "nd.who-is.2.unicast", 32'250) == std::vector{30'000, 30'500, 31'000, 31'500});
  CHECK(state(bed) == "failed");
  send_stream(bed, 0, 1);
  CHECK(to_text(bed.counts()) == "neighbor_unresolved 1");
}

TEST_CASE("discovery: traffic follows a neighbor's new MAC at once") {
  for (const char* news : {"nd.moved.2", "nd.moved.2.unsolicited", "nd.asks-us.2.moved"}) {
    CAPTURE(news);
    Bed bed(topology());
    meet(bed);
    send_stream(bed, 0, 2);
    check_stream(bed.take_bytes("up0"), "stream6.to-2", 0, 2);
    bed.send("up0", frame(news));
    const bool asked = news == std::string("nd.asks-us.2.moved");
    CHECK(bed.take_bytes("up0") == (asked ? Sequence{frame("nd.our-answer.2.moved")} : Sequence{}));
    send_stream(bed, 2, 2);
    check_stream(bed.take_bytes("up0"), "stream6.to-2-moved", 2, 2);
  }
}

TEST_CASE("discovery: a static neighbor is neither asked for nor moved") {
  Bed bed(topology(kStatic));
  bed.run();
  CHECK(bed.nothing_sent());
  bed.send("up0", frame("nd.moved.2"));
  CHECK(to_text(bed.counts()) == "control_ignored 1");
  bed.send("up0", frame("nd.asks-us.2.moved"));
  CHECK(bed.take_bytes("up0") == Sequence{frame("nd.our-answer.2.moved")});
  send_stream(bed, 0, 1);
  check_stream(bed.take_bytes("up0"), "stream6.to-2", 0, 1);
}

TEST_CASE("discovery: who asks for our address is answered") {
  Bed bed(topology(kStatic));
  const std::pair<const char*, const char*> questions[] = {{"nd.asks-us.2", "nd.our-answer.2"},
                                                           {"nd.asks-us.unicast", "nd.our-answer.2"},
                                                           {"nd.asks-us.no-option", "nd.our-answer.2"},
                                                           {"nd.asks-us.link-local", "nd.our-answer.link-local"},
                                                           {"nd.probe", "nd.probe-answer"}};
  for (const auto& [question, answer] : questions) {
    CAPTURE(question);
    bed.send("up0", frame(question));
    CHECK(bed.take_bytes("up0") == Sequence{frame(answer)});
  }
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("discovery: three times after its start the gateway says where it is") {
  Bed bed(topology(kStatic));
  CHECK(tick(bed) == Sequence{frame("nd.probe-answer")});
  CHECK(tick(bed).empty());
  Sequence sent;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(3500);
  while (std::chrono::steady_clock::now() < end) {
    for (Bytes& bytes : tick(bed)) sent.push_back(std::move(bytes));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  CHECK(sent == Sequence(2, frame("nd.probe-answer")));
}

TEST_CASE("discovery: an IPv6 underlay has a link-local address") {
  std::string yaml = topology();
  yaml.replace(yaml.find("neighbors: []"), 13, "routes: [{to: default, via: \"fe80::9\"}]");
  yaml.replace(yaml.find("remote: \"fd00:31::2\""), 20, "remote: \"fd00:77::2\"");
  Bed bed(yaml);
  bed.run();
  CHECK(bed.take_bytes("up0") == Sequence{frame("nd.who-is.link-local-router")});
  bed.send("up0", frame("nd.asks-our-link-local"));
  CHECK(bed.take_bytes("up0") == Sequence{frame("nd.our-link-local")});
  CHECK(show(bed.gateway(), "ports").at(1)["addresses"] == nlohmann::json{"fd00:31::1/64", "fe80::ff:fe00:1/64"});
  // Not beside one that the file gives.
  yaml.replace(yaml.find("\"fd00:31::1/64\""), 15, "\"fd00:31::1/64\", \"fe80::77/64\"");
  CHECK(bed.apply(yaml).empty());
  const Counts before = bed.counts();
  bed.send("up0", frame("nd.asks-our-link-local"));
  CHECK(to_text(bed.counts() - before) == "control_ignored 1");
}

TEST_CASE("discovery: switches are told that solicitations are for us") {
  Bed bed(topology(kStatic));
  CHECK(reports(bed, 2) == Sequence(2, frame("mld2.own.join")));
  bed.send("up0", frame("mld2.query"));
  CHECK(reports(bed, 1) == Sequence{frame("mld2.own.is")});
  std::string yaml = topology();
  yaml.replace(yaml.find("fd00:31::1/64"), 13, "fd00:31::77/64");
  yaml.erase(yaml.find("tunnels:"));
  CHECK(bed.apply(yaml + "bridges: {br0: {interfaces: [lan0]}}\n").empty());
  CHECK(reports(bed, 1) == Sequence{frame("mld2.own.changes")});
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("discovery: ICMPv6 echo is answered") {
  Bed bed(topology(kStatic));
  for (const char* size : {"0", "1", "56", "57", "1400"}) {
    CAPTURE(size);
    bed.send("up0", frame("echo6.request." + std::string(size)));
    CHECK(bed.take_bytes("up0") == Sequence{frame("echo6.reply." + std::string(size))});
  }
  bed.send("up0", frame("echo6.request.1400"), {100, 13, 500});
  CHECK(bed.take_bytes("up0") == Sequence{frame("echo6.reply.1400")});
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("discovery: what asks nothing of us, or must not be believed, is counted as ignored") {
  Bed bed(topology());
  bed.run();
  bed.nothing_sent();
  for (const std::string& name : pipeline_frames().names("nd-ignored.")) {
    CAPTURE(name);
    const Counts before = bed.counts();
    bed.send("up0", frame(name));
    CHECK(to_text(bed.counts() - before) == "control_ignored 1");
    CHECK(bed.nothing_sent());
    CHECK(state(bed) == "incomplete");
  }
}

}  // namespace causeway::test
