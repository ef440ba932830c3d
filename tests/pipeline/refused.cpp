// Peers and routers that refuse a tunnel's packets: what show and the log say of it.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/underlay/refusals.h"
#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/support/log_lines.h"

namespace causeway::test {
namespace {

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }
using Lines = std::vector<std::string>;

constexpr const char* kTopology = R"(
version: 1
ethernets:
  lan0: {}
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: [172.31.0.1/24, "fd00:31::1/64"]
    neighbors:
      - {to: 172.31.0.2, macaddress: 02:00:00:00:00:02}
      - {to: "fd00:31::2", macaddress: 02:00:00:00:00:02}
tunnels:
  gn0: {mode: geneve, id: 50, local: 172.31.0.1, remote: 172.31.0.2}
  gn6: {mode: geneve, id: 51, local: "fd00:31::1", remote: "fd00:31::2"}
  gre0: {mode: gretap, key: 7, local: 172.31.0.1, remote: 172.31.0.2}
  gre6: {mode: gretap, key: 8, local: "fd00:31::1", remote: "fd00:31::2"}
  nv0: {mode: nvgre, id: 5000, local: 172.31.0.1, remote: 172.31.0.2}
  er0: {mode: erspan, id: 70, local: 172.31.0.1, remote: 172.31.0.2}
  er1: {mode: erspan, erspan-type: 1, local: 172.31.0.1, remote: 172.31.0.2}
  keys0: {mode: vxlan, keys: {input: 60, output: 61}, local: 172.31.0.1, remote: 172.31.0.2}
bridges:
  br0: {interfaces: [lan0, gn0, gn6, gre0, gre6, nv0, keys0]}
)";

nlohmann::json tunnel(Bed& bed, const std::string& name) {
  for (const auto& row : show(bed.gateway(), "tunnels")) {
    if (row["name"] == name) return row;
  }
  return {};
}

// Names of the tunnels that are not up.
Lines refused(Bed& bed) {
  Lines names;
  for (const auto& row : show(bed.gateway(), "tunnels")) {
    if (row["state"] == "refused") names.push_back(row["name"]);
    if (row["state"] != "refused") CHECK(row["state"] == "up");
  }
  return names;
}

}  // namespace

TEST_CASE("refused: what a peer or router says of a tunnel's packet") {
  unsigned words = 0;
  for (const std::string& name : pipeline_frames().names("refused.")) {
    if (name.find("heard") != std::string::npos) continue;
    CAPTURE(name);
    ++words;
    Bed bed(kTopology);
    CHECK(refused(bed).empty());
    bed.send("up0", frame(name));
    const size_t dot = name.find('.', 8);
    const std::string who = name.substr(8, dot - 8);
    std::string reason = name.substr(dot + 1, name.find('.', dot + 1) - dot - 1);
    std::ranges::replace(reason, '-', ' ');
    CHECK(refused(bed) == Lines{who});
    const auto refusals = tunnel(bed, who)["refusals"];
    REQUIRE(refusals.size() == 1);
    CHECK(refusals[0]["remote"] == tunnel(bed, who)["remote"]);
    CHECK(refusals[0]["reason"] == reason);
    CHECK(bed.counts().all_drops() == 0);
    CHECK(bed.nothing_sent());
  }
  CHECK(words == 19);
}

TEST_CASE("refused: what no tunnel of ours has sent is no word about one") {
  Bed bed(kTopology);
  for (const std::string& name : pipeline_frames().names("refused-lie.")) {
    CAPTURE(name);
    const Counts before = bed.counts();
    bed.send("up0", frame(name));
    CHECK(to_text(bed.counts() - before) == "control_ignored 1");
    CHECK(refused(bed).empty());
    CHECK(bed.nothing_sent());
  }
}

TEST_CASE("refused: until frames come from there") {
  Bed bed(kTopology);
  bed.send("up0", frame("refused.gn0.port-unreachable"));
  bed.gateway().tick();
  CHECK(refused(bed) == Lines{"gn0"});
  bed.send("up0", frame("refused.heard.gn0"));
  bed.gateway().tick();
  CHECK(refused(bed).empty());
  bed.send("up0", frame("refused.gn0.port-unreachable"));
  CHECK(refused(bed) == Lines{"gn0"});
}

TEST_CASE("refused: for a while after the last word") {
  using namespace std::chrono_literals;
  const Refusals::Clock::time_point start{1000h};
  Refusals refusals;
  TunnelError error;
  error.tunnel.remote = IpAddress::v4(172, 31, 0, 2);
  const auto packets = [](AdjacencyIndex) { return uint64_t{5}; };
  refusals.learn(3, error, 5, start);
  refusals.learn(3, error, 5, start + 15s);
  refusals.expire(packets, start + 34s);
  CHECK(refusals.find(3, error.tunnel.remote) != nullptr);
  CHECK(refusals.find(3, IpAddress::v4(172, 31, 0, 3)) == nullptr);  // the end is another tunnel's by now
  refusals.expire(packets, start + 35s);
  CHECK(refusals.find(3, error.tunnel.remote) == nullptr);
}

TEST_CASE("refused: the log names tunnel, remote and who said so, once") {
  LogLines log;
  Bed bed(kTopology);
  log.take();
  for (int i = 0; i < 100; ++i) bed.send("up0", frame("refused.gn0.port-unreachable"));
  bed.send("up0", frame("refused.gre6.protocol-unreachable"));
  bed.send("up0", frame("refused.gn6.time-exceeded"));
  CHECK(log.take() == Lines{"warning: gn0: 172.31.0.2 refuses its packets to 172.31.0.2: port unreachable, nobody "
                            "listens on UDP port 6081 "
                            "there",
                            "warning: gre6: fd00:31::2 refuses its packets to fd00:31::2: protocol unreachable",
                            "warning: gn6: fd00:99::9 refuses its packets to fd00:31::2: time exceeded"});
}

}  // namespace causeway::test
