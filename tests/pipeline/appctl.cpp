// What ovs-appctl is told of a gateway: the same as ovs-vswitchd 3.1 told of a bridge with the same ports and MACs.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "control/daemon.h"
#include "control/unixctl/commands.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/unit/unixctl/recorded.h"

namespace causeway::test {
namespace {

using nlohmann::json;
using unixctl::Answer;

constexpr const char* kYaml = R"(
version: 1
ethernets:
  br0: {}
  p1: {}
  p2: {}
  up0: {macaddress: 02:00:00:00:00:01, addresses: [172.31.0.1/24], routes: [{to: 10.0.0.0/8, via: 172.31.0.9}],
        neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]}
tunnels: {tun0: {mode: geneve, id: 123, local: 172.31.0.1, remote: 172.31.0.2}}
bridges: {br0: {interfaces: [br0, p1, p2, tun0], parameters: {max-macs: 8192}}}
)";

MacAddress mac(uint8_t last) { return {{2, 0, 0, 0, 0, last}}; }

// Ports and MACs of the recording.
struct Talk {
  Bed bed{kYaml};
  EventLoop loop;
  Daemon daemon{loop, bed.gateway(), {}, "none.yaml"};
  bool stopped = false;
  unixctl::Context context{
      .gateway = bed.gateway(),
      .version = "1.2.3",
      .port_numbers =
          [](const std::string& bridge) {
            return bridge == "br0" ? unixctl::PortNumbers{{"p1", 1}, {"p2", 2}, {"tun0", 7}} : unixctl::PortNumbers{};
          },
      .ask = [this](json request) { return daemon.handle(std::move(request)).whole; },
      .stop = [this] { stopped = true; }};

  void learn(const char* port, uint16_t vlan, uint8_t last, uint16_t age_s) {
    Gateway& gateway = bed.gateway();
    gateway.fdb().learn(gateway.bridges().find("br0")->index, mac_vlan(mac(last), vlan),
                        gateway.adjacencies_of(port).front(), static_cast<uint16_t>(gateway.now_s() - age_s));
  }
  Answer answer(const std::string& command, const json& arguments = json::array()) {
    Answer whole = unixctl::answer(context, command, arguments);
    while (whole.more && whole.more(whole.text)) continue;
    return whole;
  }
  std::string text(const std::string& command, const json& arguments = json::array()) {
    const Answer whole = answer(command, arguments);
    INFO(whole.text);
    CHECK_FALSE(whole.failed);
    return whole.text;
  }
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::multiset<std::string> unordered(const std::string& text) {
  const std::vector<std::string> lines = lines_of(text);
  return {lines.begin(), lines.end()};
}

std::string replaced(const std::string& text, const char* what, const char* by) {
  return std::regex_replace(text, std::regex(what), by);
}

// Numbers, and what stands where nobody counts.
std::string without_numbers(const std::string& text) { return replaced(text, R"([0-9]+(\.[0-9]+)?|\?)", "N"); }

bool has_line(const std::string& text, const std::string& line) {
  return std::ranges::count(lines_of(text), line) == 1;
}

// The frames of the recording have come, and MACs been set and taken away.
void repeat_recording(Talk& talk) {
  for (const std::string& line : lines_of(unixctl::kFdbShow)) {
    std::istringstream words(line);
    std::string port, vlan, mac, age;
    words >> port >> vlan >> mac >> age;
    if (age == "Age" || age == "static") continue;
    const auto last = static_cast<uint8_t>(std::stoul(mac.substr(15), nullptr, 16));
    const std::string interface = port == "LOCAL" ? "br0" : "p" + port;
    talk.learn(interface.c_str(), static_cast<uint16_t>(std::stoul(vlan)), last,
               static_cast<uint16_t>(std::stoul(age)));
  }
}

}  // namespace

TEST_CASE("ovs-appctl: requests are answered as ovs-vswitchd answered them") {
  // Ours have other words: they name the port, or another datapath.
  const std::set<std::string> others{R"({"id":0,"method":"version","params":[]})",
                                     R"({"id":0,"method":"fdb/add","params":["br0","none","0","02:00:00:00:00:09"]})",
                                     R"({"id":0,"method":"dpctl/show","params":["none"]})"};
  const auto level = spdlog::get_level();
  Talk talk;
  for (const unixctl::Exchange& exchange : unixctl::kExchanges) {
    INFO(exchange.request);
    repeat_recording(talk);
    const json request = json::parse(exchange.request);
    const json expected = json::parse(exchange.answer);
    const Answer answer = talk.answer(request.at("method"), request.at("params"));
    CHECK(answer.failed == !expected.value("error", json()).is_null());
    if (others.contains(exchange.request)) continue;
    const std::string text = expected.at(answer.failed ? "error" : "result");
    CHECK(answer.text + (answer.text.empty() || answer.text.back() == '\n' ? "" : "\n") == text);
  }
  spdlog::set_level(level);
  CHECK(talk.text("version") == "causewayd (Causeway) 1.2.3");
  CHECK(talk.answer("fdb/add", {"br0", "none", "0", "02:00:00:00:00:09"}).text == "none is no interface of br0");
  CHECK(talk.answer("fdb/add", {"br0", "p1", "5000", "02:00:00:00:00:09"}).text == "vlan: 5000 is no VLAN (0 to 4094)");
  CHECK(talk.answer("fdb/add", {"br0", "p1", "x", "02:00:00:00:00:09"}).text == "bad VLAN");
  CHECK(talk.answer("fdb/show", {7}).text == R"("fdb/show" command has non-string argument)");
}

TEST_CASE("ovs-appctl: fdb/show and fdb/stats-show tell what ovs-vswitchd told of the same MACs") {
  Talk talk;
  repeat_recording(talk);
  talk.text("fdb/add", {"br0", "p1", "0", "02:00:00:00:00:03"});
  talk.text("fdb/add", {"br0", "p2", "10", "02:00:00:00:00:02"});
  talk.text("fdb/del", {"br0", "10", "02:00:00:00:00:02"});
  repeat_recording(talk);
  const std::string shown = talk.text("fdb/show", {"br0"});
  CHECK(lines_of(shown).front() == lines_of(unixctl::kFdbShow).front());
  CHECK(unordered(shown) == unordered(unixctl::kFdbShow));
  CHECK(talk.text("fdb/stats-show", {"br0"}) == unixctl::kFdbStatistics);
  talk.text("fdb/flush", {"br0"});
  CHECK(talk.text("fdb/show", {"br0"}) == unixctl::kFdbShowFlushed);
  CHECK(talk.text("fdb/stats-show", {"br0"}) == unixctl::kFdbStatisticsFlushed);
}

TEST_CASE("ovs-appctl: an interface that the database doesn't know stands in fdb/show by its name") {
  Talk talk;
  talk.context.port_numbers = [](const std::string&) { return unixctl::PortNumbers{}; };
  talk.learn("tun0", 0, 1, 5);
  CHECK(has_line(talk.text("fdb/show", {"br0"}), " tun0     0  02:00:00:00:00:01    5"));
}

TEST_CASE("ovs-appctl: a bridge that goes while it is told ends the text") {
  for (const char* command : {"fdb/show", "fdb/stats-show", "dpif/show"}) {
    Talk talk;
    repeat_recording(talk);
    Answer answer = unixctl::answer(talk.context, command, command[0] == 'f' ? json::array({"br0"}) : json::array());
    REQUIRE(answer.more(answer.text));
    REQUIRE(talk.bed.apply("version: 1").empty());
    int bits = 0;
    while (answer.more(answer.text)) REQUIRE(++bits < 100'000);
  }
}

TEST_CASE("ovs-appctl: ports are told in ovs-vswitchd's lines") {
  Talk talk;
  const std::string recorded = unixctl::kDpifShow;
  const std::vector<std::string> ours = lines_of(talk.text("dpif/show"));
  CHECK(without_numbers(ours.front()) == replaced(without_numbers(lines_of(recorded).front()), "dummy", "netdev"));
  CHECK(ours.at(1) == lines_of(recorded).at(1));
  for (const char* port : {"    br0 65534/", "    p1 1/", "    p2 2/"}) {
    const auto is_ports = [port](const std::string& line) { return line.starts_with(port); };
    CHECK(std::ranges::count_if(ours, is_ports) == 1);
    CHECK(std::ranges::count_if(lines_of(recorded), is_ports) == 1);
  }
  CHECK(ours.back() == replaced(replaced(lines_of(recorded).back(), "7/6081", "7/none"), "remote_ip",
                                "local_ip=172.31.0.1, remote_ip"));

  const std::string ports = unixctl::kDpctlShowStatistics;
  const std::set<std::string> known = [&] {
    const auto lines = unordered(replaced(without_numbers(ports), "dummy@ovs-dummy", "netdev@ovs-netdev"));
    return std::set<std::string>(lines.begin(), lines.end());
  }();
  const std::vector<std::string> told = lines_of(without_numbers(talk.text("dpctl/show", {"-s"})));
  CHECK(told.size() == 3 + 4 * 5);  // br0, p1, p2, up0
  for (const std::string& line : told) {
    INFO(line);
    CHECK((known.contains(line) || line.starts_with("  port N: ")));
  }
  CHECK(lines_of(talk.text("dpctl/show", {"ovs-netdev"})).size() == 3 + 4);
  CHECK(talk.answer("dpctl/show", {"none"}).text == "ovs-vswitchd: opening datapath none failed (No such device)");
}

TEST_CASE("ovs-appctl: the underlay is told in ovs-vswitchd's lines") {
  Talk talk;
  const std::string neighbors = replaced(unixctl::kNeighbors, "br0", "up0");
  const std::vector<std::string> known = lines_of(neighbors);
  CHECK(lines_of(talk.text("tnl/neigh/show")) == std::vector<std::string>(known.begin(), known.begin() + 3));
  const std::string routes = talk.text("ovs/route/show");
  CHECK(lines_of(routes).front() == lines_of(unixctl::kRoutes).front());
  const std::vector<std::string> recorded = lines_of(replaced(unixctl::kRoutes, "br0", "up0"));
  CHECK(has_line(routes, replaced(recorded.at(1), "User", "Cached")));
  CHECK(has_line(routes, recorded.at(2)));
  CHECK(has_line(routes, "Cached: 172.31.0.1/32 dev up0 SRC 172.31.0.1 local"));
}

TEST_CASE("ovs-appctl: workers are told in the lines of pmd threads") {
  Talk talk;
  talk.bed.send("p1", pipeline_frames()["eth.1-2"]);
  const auto known = unordered(without_numbers(unixctl::kPmdStatistics));
  const std::vector<std::string> statistics = lines_of(without_numbers(talk.text("dpif-netdev/pmd-stats-show")));
  CHECK(statistics.front() == "pmd thread worker_id N:");
  for (size_t i = 1; i < statistics.size(); ++i) {
    INFO(statistics[i]);
    CHECK(known.contains(statistics[i]));
  }
  CHECK(has_line(talk.text("dpif-netdev/pmd-stats-show"), "  packets received: 1"));
  const auto queues = unordered(replaced(unixctl::kQueues, " 0 %", "NOT AVAIL"));
  const std::string told = talk.text("dpif-netdev/pmd-rxq-show");
  for (const std::string& line : lines_of(told)) {
    INFO(line);
    CHECK((queues.contains(line) || line == "pmd thread worker_id 0:" || line.find("br0") != std::string::npos ||
           line.find("up0") != std::string::npos));
  }
  CHECK(has_line(told, "  port: p1                queue-id:  0 (enabled)   pmd usage: NOT AVAIL"));
  CHECK(talk.text("dpif-netdev/pmd-stats-show", {"-pmd", "7"}).empty());
  CHECK(talk.answer("dpif-netdev/pmd-stats-show", {"-pmd"}).text == "-pmd needs a number");
}

TEST_CASE("ovs-appctl: drops are told in the lines of coverage counters") {
  Talk talk;
  talk.bed.send("p1", Bytes(10));
  talk.context.drop_rates.sample([&] {
    unixctl::DropRates::Totals totals{};
    totals.at(static_cast<size_t>(DropReason::frame_too_short)) = 1;
    return totals;
  }());
  const std::vector<std::string> lines = lines_of(talk.text("coverage/show"));
  const std::vector<std::string> recorded = lines_of(unixctl::kCoverage);
  REQUIRE(lines.size() == 3);
  CHECK(replaced(lines.front(), "hash=[0-9a-f]{8}", "") == replaced(recorded.front(), "hash=[0-9a-f]{8}", ""));
  CHECK(lines.at(1) == "frame_too_short            0.2/sec     0.017/sec        0.0000/sec   total: 1");
  for (const char* place : {"/sec", "total: "}) CHECK(lines.at(1).rfind(place) == recorded.at(1).rfind(place));
  CHECK(without_numbers(lines.back()) == without_numbers(recorded.back()));
}

TEST_CASE("ovs-appctl: the commands have ovs-vswitchd's names and arguments, and exit ends the daemon") {
  Talk talk;
  CHECK(talk.text("list-commands") == unixctl::kCommands);
  CHECK(std::regex_match(talk.text("memory/show"), std::regex("([a-z]+:[0-9]+ ?)+")));
  CHECK_FALSE(talk.stopped);
  CHECK(talk.text("exit", {"--cleanup"}).empty());
  CHECK(talk.stopped);
}

}  // namespace causeway::test
