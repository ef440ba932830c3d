// What the log says of neighbors, tunnels, VTEPs, MACs and limits (control/gateway/event_log.h).
#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "control/gateway/event_log.h"
#include "control/process/state_changes.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/support/log_lines.h"

namespace causeway::test {
namespace {

using Lines = std::vector<std::string>;
using namespace std::chrono_literals;

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }

std::string topology(const std::string& neighbors = "", const std::string& parameters = "",
                     const std::string& lan0 = "") {
  return R"(
version: 1
ethernets:
  lan0: {)" +
         lan0 + R"(}
  lan1: {}
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: [172.31.0.1/24]
    neighbors: [)" +
         neighbors + R"(]
tunnels:
  gn0: {mode: geneve, id: 50, local: 172.31.0.1, remote: 172.31.0.2}
bridges:
  br0: {interfaces: [lan0, lan1, gn0], parameters: {)" +
         parameters + "}}\n";
}

constexpr const char* kStatic = "{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}";

// The control thread's timer, until the log has a line or two seconds and a half are over.
Lines wait_for_line(Bed& bed, LogLines& log) {
  const auto end = std::chrono::steady_clock::now() + 2500ms;
  Lines lines;
  while (lines.empty() && std::chrono::steady_clock::now() < end) {
    bed.gateway().tick();
    bed.run();
    lines = log.take();
    std::this_thread::sleep_for(5ms);
  }
  return lines;
}

// Who follows, as "kind object state peer".
struct Told final : StateChanges::Listener {
  Lines lines;
  Told() { state_changes().listen(this); }
  ~Told() { state_changes().listen(nullptr); }
  void take(const StateChange& change) override {
    lines.push_back(fmt::format("{} {} {}{}{}", change.kind, change.object, change.state,
                                change.peer.empty() ? "" : " ", change.peer));
  }
  Lines take_all() { return std::exchange(lines, {}); }
};

}  // namespace

TEST_CASE("events: who follows hears of each, however often; the log of some") {
  LogLines log;
  Bed bed(topology());
  Told told;
  log.take();
  bed.send("up0", frame("arp.is-at.2"));
  CHECK(told.take_all() == Lines{"neighbor up0 found 172.31.0.2", "tunnel gn0 up 172.31.0.2"});
  bed.send("up0", frame("arp.is-at-moved.2"));
  CHECK(told.take_all() == Lines{"neighbor up0 changed 172.31.0.2"});
  log.take();
  constexpr int kTimes = 20;
  for (int i = 0; i < kTimes; ++i) {
    bed.port("lan0").set_link(i % 2 == 1);
    bed.gateway().tick();
  }
  Lines expected;
  for (int i = 0; i < kTimes; ++i) expected.push_back(i % 2 == 1 ? "link lan0 up" : "link lan0 down");
  CHECK(told.take_all() == expected);
  CHECK(log.take().size() < kTimes);
  bed.port("up0").set_link(false);
  bed.gateway().tick();
  const Lines down = told.take_all();
  CHECK(std::ranges::count(down, "link up0 down") == 1);
  CHECK(std::ranges::count(down, "tunnel gn0 down 172.31.0.2") == 1);
  bed.disappear("lan1");
  bed.gateway().tick();
  CHECK(std::ranges::count(told.take_all(), "device lan1 gone") == 1);
}

TEST_CASE("events: what happens with every frame is told when the log says it") {
  LogLines log;
  Bed bed(topology(kStatic, "max-macs: 1"));
  bed.send("lan0", frame("eth.1-all"));
  Told told;
  for (int i = 0; i < 10; ++i) bed.send("lan1", frame("eth.2-1"));
  CHECK(told.take_all() == Lines{"mac br0 limited"});
}

TEST_CASE("events: a neighbor found, with another MAC; its tunnel up") {
  LogLines log;
  Bed bed(topology());
  log.take();
  bed.send("up0", frame("arp.is-at.2"));
  CHECK(log.take() == Lines{"info: up0: neighbor 172.31.0.2 found: 02:00:00:00:00:02", "info: gn0: up, to 172.31.0.2"});
  bed.send("up0", frame("arp.is-at.2"));
  CHECK(log.take().empty());
  bed.send("up0", frame("arp.is-at-moved.2"));
  CHECK(log.take() ==
        Lines{"info: up0: neighbor 172.31.0.2 has another MAC: 02:00:00:00:77:77, before 02:00:00:00:00:02"});
}

TEST_CASE("events: a neighbor that never answers") {
  LogLines log;
  Bed bed(topology());
  log.take();
  CHECK(wait_for_line(bed, log) == Lines{"warning: up0: neighbor 172.31.0.2 doesn't answer"});
}

TEST_CASE("events: a tunnel down with its link, and up again") {
  LogLines log;
  Bed bed(topology(kStatic));
  const Lines start = log.take();
  CHECK(std::ranges::count(start, "info: gn0: up, to 172.31.0.2") == 1);
  bed.port("up0").set_link(false);
  bed.gateway().tick();
  const auto about = [](Lines lines, const std::string& name) {
    std::erase_if(lines, [&](const std::string& line) { return line.find(": " + name + ": ") == std::string::npos; });
    return lines;
  };
  CHECK(about(log.take(), "gn0") == Lines{"warning: gn0: down, to 172.31.0.2: no route"});
  bed.port("up0").set_link(true);
  bed.gateway().tick();
  CHECK(about(log.take(), "gn0") == Lines{"info: gn0: up, to 172.31.0.2"});
}

TEST_CASE("events: a link that goes down is a warning, one that comes up is none") {
  LogLines log;
  Bed bed(topology());
  log.take();
  bed.port("lan0").set_link(false);
  bed.gateway().tick();
  CHECK(log.take() == Lines{"warning: lan0: link down"});
  bed.port("lan0").set_link(true);
  bed.gateway().tick();
  CHECK(log.take() == Lines{"info: lan0: link up"});
}

TEST_CASE("events: a VTEP learnt") {
  LogLines log;
  Bed bed(R"(
version: 1
ethernets:
  lan0: {}
  up0: {macaddress: 02:00:00:00:00:01, addresses: [172.31.0.1/24]}
tunnels:
  vx0: {mode: vxlan, id: 300, link: up0, local: 172.31.0.1, remote: 239.129.1.1}
bridges:
  br0: {interfaces: [lan0, vx0]}
)");
  log.take();
  for (int i = 0; i < 3; ++i) bed.send("up0", frame("group4.far-to-all"));
  const Lines lines = log.take();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with("info: vx0: VTEP 1"));
  CHECK(lines[0].ends_with(" learnt"));
}

TEST_CASE("events: MACs that a bridge or a port learns no more") {
  for (const auto& [bridge, port, line] :
       {std::tuple{"max-macs: 1", "", "warning: br0: max-macs: no more than 1 MACs are learnt"},
        std::tuple{"", "max-macs: 1", "warning: lan0: max-macs: no more than 1 MACs are learnt behind it"}}) {
    LogLines log;
    Bed bed(topology(kStatic, bridge, port));
    log.take();
    bed.send("lan0", frame("eth.1-all"));
    CHECK(log.take().empty());
    for (int i = 0; i < 10; ++i) {
      bed.send("lan0", frame("eth.2-all"));
      bed.send("lan0", frame("eth.3-all"));
    }
    CHECK(log.take() == Lines{line});
  }
}

TEST_CASE("events: a MAC that moves to and fro") {
  LogLines log;
  Bed bed(topology(kStatic));
  log.take();
  for (int i = 0; i < 12; ++i) {
    bed.wait_a_tick();
    bed.send(i % 2 == 0 ? "lan0" : "lan1", frame("eth.1-all"));
  }
  CHECK(log.take().empty());
  bed.gateway().tick();
  CHECK(log.take() == Lines{"warning: br0: " + std::string("02:00:00:00:01:01") +
                            " moves to and fro between lan0 and lan1: 11 times in 5 s"});
}

TEST_CASE("events: floods over a limit") {
  LogLines log;
  Bed bed(topology(kStatic, "", "flood-rate: 1"));
  log.take();
  for (int i = 0; i < 50; ++i) bed.deliver("lan0", frame("eth.1-all"));
  bed.run();
  bed.gateway().tick();
  const Lines lines = log.take();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with("warning: flood-rate: 4"));  // 48 or 49, as the second turns
  CHECK(lines[0].ends_with(" frames over a port's or tunnel's limit dropped"));
}

TEST_CASE("events: ten thousand tunnels are no ten thousand lines") {
  LogLines log;
  Bed bed(topology(kStatic));
  std::string yaml = topology(kStatic);
  std::string more;
  for (int i = 0; i < 3000; ++i) {
    more += "  t" + std::to_string(i) + ": {mode: vxlan, id: " + std::to_string(i + 100) +
            ", local: 172.31.0.1, remote: 172.31.0.2}\n";
  }
  yaml.insert(yaml.find("bridges:"), more);
  log.take();
  CHECK(bed.apply(yaml).empty());
  CHECK(log.take().size() < 25);
}

}  // namespace causeway::test
