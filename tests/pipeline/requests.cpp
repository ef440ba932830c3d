// What the daemon makes of requests (control/daemon.h), and lists that are read bit by bit while they change.
#include <set>

#include "control/api/verbs.h"
#include "control/config/address_text.h"
#include "control/daemon.h"
#include "control/process/log.h"
#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/support/log_lines.h"

namespace causeway::test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr const char* kYaml = R"(
version: 1
ethernets: {lan0: {}, lan1: {}}
bridges: {br0: {interfaces: [lan0, lan1], parameters: {max-macs: 200000}}}
)";

struct Service {
  Bed bed{"version: 1"};
  EventLoop loop;
  Background background{loop};
  Daemon daemon{loop, bed.gateway(), load_yaml("version: 1").system, "/nonexistent/gateway.yaml"};

  Service() { REQUIRE(daemon.changes().start("gateway.yaml", kYaml).empty()); }

  json ask(const json& request) {
    json answer;
    await_reply(background, daemon.handle(request),
                [&](const ApiReply& reply) { answer = reply.line.empty() ? reply.whole : json::parse(reply.line); });
    for (int i = 0; i < 5000 && answer.is_null(); ++i) loop.run_once(1ms);
    return answer;
  }
  std::string error(const json& request) { return ask(request).at("errors").at(0).get<std::string>(); }
};

json fdb(const std::string& action, const json& vlan) {
  json request{{"verb", "fdb"}, {"action", action}, {"bridge", "br0"}, {"mac", "02:00:00:00:00:05"}, {"port", "lan0"}};
  if (!vlan.is_null()) request["vlan"] = vlan;
  return request;
}

MacVlan mac_number(uint32_t number) {
  std::array<uint8_t, 6> bytes{2,
                               0,
                               static_cast<uint8_t>(number >> 24),
                               static_cast<uint8_t>(number >> 16),
                               static_cast<uint8_t>(number >> 8),
                               static_cast<uint8_t>(number)};
  MacAddress mac;
  std::copy(bytes.begin(), bytes.end(), mac.bytes.begin());
  return mac_vlan(mac, 0);
}

// The port of each MAC that a stream has told; none twice.
struct Told {
  std::map<std::string, std::string> ports;
  bool twice = false;
  void add(const json& row) { twice = twice || !ports.emplace(row.at("mac"), row.at("port")).second; }
};

}  // namespace

TEST_CASE("requests: a VLAN that is none is refused, whatever is to be done there") {
  Service service;
  for (const char* action : {"add", "del", "flush"}) {
    for (const json& vlan :
         {json(70000), json(65536), json(4095), json(-1), json(1.5), json(true), json("5"), json(uint64_t{1} << 63)}) {
      CAPTURE(action, vlan.dump());
      CHECK(service.error(fdb(action, vlan)) == "vlan: " + vlan.dump() + " is no VLAN (0 to 4094)");
    }
  }
  CHECK(show(service.bed.gateway(), "fdb").empty());
  CHECK(service.ask(fdb("add", 4094)) == api_ok(json::object()));
  CHECK(show(service.bed.gateway(), "fdb").at(0).at("vlan") == 4094);
  CHECK(service.ask(fdb("add", {})).at("ok") == true);
  CHECK(service.ask(fdb("del", 4094)).at("ok") == true);
  CHECK(show(service.bed.gateway(), "fdb").size() == 1);
}

TEST_CASE("requests: a file that leaves nothing of what runs is refused unless it is meant so") {
  Service service;
  const std::string refusal =
      "cut.yaml: error: nothing would be left of what runs (2 ethernets, 1 bridges, 0 tunnels); if that is meant, say "
      "--empty";
  for (const char* text :
       {"version: 1\n", "version: 1\nethernets:\n", "version: 1\nsystem: {workers: 1}\nethernets: {}\n"}) {
    CHECK(service.error({{"verb", "apply"}, {"file", "cut.yaml"}, {"text", text}}) == refusal);
  }
  CHECK(show(service.bed.gateway(), "ports").size() == 2);
  // What it would do can be asked all the same.
  CHECK(service.ask({{"verb", "plan"}, {"file", "cut.yaml"}, {"text", "version: 1"}})
            .at("result")
            .at("operations")
            .size() >= 3);
  CHECK(service.ask({{"verb", "apply"}, {"file", "cut.yaml"}, {"text", "version: 1"}, {"empty", true}}).at("ok") ==
        true);
  CHECK(show(service.bed.gateway(), "ports").empty());
  CHECK(service.ask({{"verb", "apply"}, {"file", "cut.yaml"}, {"text", "version: 1"}}).at("ok") ==
        true);  // nothing ran
}

TEST_CASE("requests: plan, apply, a bad file, one that fails") {
  Service service;
  const std::string with_port =
      std::string(kYaml).replace(std::string(kYaml).find("lan1: {}"), 8, "lan1: {}, lan2: {}");
  const json planned = service.ask({{"verb", "plan"}, {"file", "a.yaml"}, {"text", with_port}});
  CHECK(planned.at("result").at("operations").at(0).get<std::string>().starts_with("+ ethernet lan2"));
  CHECK_FALSE(service.bed.has_port("lan2"));
  CHECK(service.ask({{"verb", "apply"}, {"file", "a.yaml"}, {"text", with_port}}).at("result").at("operations") ==
        planned.at("result").at("operations"));
  CHECK(service.bed.has_port("lan2"));
  CHECK(
      service.ask({{"verb", "apply"}, {"file", "a.yaml"}, {"text", with_port}}).at("result").at("operations").empty());
  CHECK(service.error({{"verb", "apply"}, {"file", "a.yaml"}, {"text", "version: 1\nethernets: {lan0: {zap: 1}}\n"}})
            .starts_with("a.yaml:2:20: error: ethernets.lan0.zap: unknown key"));
  service.bed.fail_opening("lan3", "no such thing");
  const std::string failing = std::string(kYaml).replace(std::string(kYaml).find("lan1: {}"), 8, "lan1: {}, lan3: {}");
  CHECK(service.error({{"verb", "apply"}, {"file", "a.yaml"}, {"text", failing}})
            .starts_with("a.yaml:3:33: error: ethernets.lan3: "));
  CHECK(service.error({{"verb", "reload"}}) ==
        "/nonexistent/gateway.yaml: error: cannot be opened: No such file or directory");
  for (const json& wrong : {json{{"verb", "apply"}, {"file", "a"}}, json{{"verb", "apply"}, {"file", "a"}, {"text", 5}},
                            json{{"verb", "show"}}, json{{"verb", "stats"}, {"per_worker", 1}}}) {
    CHECK_THROWS_AS(service.daemon.handle(wrong), json::exception);  // the server answers that
  }
}

TEST_CASE("requests: the configuration that runs is a file that changes nothing") {
  Service service;
  const std::string text = R"(
version: 1
ethernets:
  lan0: {mtu: 1400, vlan: {mode: trunk, trunks: [5, 7-9]}, bindings: [{mac: 02:00:00:00:00:05, addresses: [10.5.0.1]}]}
  lan1: {flood-rate: 6}
  up0: {macaddress: 02:00:00:00:00:01, addresses: [172.31.0.1/24, "fd00:31::1/64"], routes: [{to: default, via: 172.31.0.9}]}
bridges: {br0: {interfaces: [lan1, vx0, lan0], parameters: {ageing-time: 5}, static-macs: [{mac: 02:00:00:00:00:07, port: lan1}]}}
tunnels: {vx0: {mode: vxlan, id: 5, local: 172.31.0.1, remote: [172.31.0.3, 172.31.0.2], tos: inherit}}
)";
  REQUIRE(service.ask({{"verb", "apply"}, {"file", "a.yaml"}, {"text", text}}).at("ok") == true);
  std::string yaml;
  const json shown = service.ask({{"verb", "config"}});
  for (const json& line : shown.at("result").at("lines")) yaml += line.get<std::string>() + "\n";
  CAPTURE(yaml);
  CHECK(yaml.find("172.31.0.3") != std::string::npos);
  for (const char* verb : {"plan", "apply"}) {
    const json reply = service.ask({{"verb", verb}, {"file", "shown.yaml"}, {"text", yaml}});
    CAPTURE(reply.dump());
    CHECK(reply.at("result").at("operations").empty());
  }
  // It is what runs, not what somebody wanted.
  service.bed.fail_opening("lan3", "no such thing");
  REQUIRE(service.ask({{"verb", "apply"}, {"file", "a.yaml"}, {"text", text + "vlans: {}\n"}}).at("ok") == true);
  const std::string failing = std::string(text).replace(text.find("  lan1:"), 0, "  lan3: {}\n");
  REQUIRE(service.ask({{"verb", "apply"}, {"file", "a.yaml"}, {"text", failing}}).at("ok") == false);
  CHECK(service.ask({{"verb", "plan"}, {"file", "a.yaml"}, {"text", yaml}}).at("result").at("operations").empty());
}

TEST_CASE("requests: a MAC table that grows and changes while it is read: who is there all the time is told once") {
  constexpr uint32_t kMacs = 3000;
  Service service;
  Gateway& gateway = service.bed.gateway();
  const auto end_of = [&](const char* port) { return gateway.adjacencies_of(port).front(); };
  const BridgeIndex bridge = gateway.bridges().find("br0")->index;
  for (uint32_t i = 0; i < kMacs; ++i) gateway.fdb().learn(bridge, mac_number(i), end_of("lan0"), 0);

  const RowStream rows = show_reply(gateway, "fdb").rows;
  REQUIRE(rows);
  Told told;
  const auto add = [&told](const json& row) { told.add(row); };
  while (told.ports.size() < kMacs / 3) REQUIRE(rows(add));
  const std::set<std::string> told_before = [&] {
    std::set<std::string> macs;
    for (const auto& [mac, port] : told.ports) macs.insert(mac);
    return macs;
  }();
  // Twice it gets another table; a tenth moves, a tenth goes.
  for (uint32_t i = kMacs; i < 20'000; ++i) gateway.fdb().learn(bridge, mac_number(i), end_of("lan1"), 0);
  for (uint32_t i = 0; i < kMacs; i += 10) gateway.fdb().learn(bridge, mac_number(i), end_of("lan1"), 0);
  for (uint32_t i = 5; i < kMacs; i += 10) gateway.fdb().remove(bridge, mac_number(i));
  service.bed.run();
  while (rows(add)) continue;

  CHECK_FALSE(told.twice);
  for (uint32_t i = 0; i < kMacs; ++i) {
    const std::string mac = to_string(mac_of(mac_number(i)));
    CAPTURE(i, mac);
    if (i % 10 == 5) {
      if (!told_before.contains(mac)) CHECK_FALSE(told.ports.contains(mac));
    } else {
      REQUIRE(told.ports.contains(mac));
      if (!told_before.contains(mac)) CHECK(told.ports[mac] == (i % 10 == 0 ? "lan1" : "lan0"));
    }
  }
}

TEST_CASE("requests: what a user who is no admin may not ask") {
  LogLines log;
  Service service;
  const Peer reader{.uid = 12345, .pid = 6};
  // At once where there are no admins. A handler that finds a field missing was asked.
  const auto is_refused = [&](const json& request) {
    try {
      const json reply = service.daemon.handle(request, reader).whole;
      return reply.dump().find("only root, the daemon's own user and `system.admins` may") != std::string::npos;
    } catch (const json::exception&) {
      return false;
    }
  };
  std::set<std::string_view> refused;
  for (const Verb& verb : kVerbs) {
    if (is_refused({{"verb", std::string(verb.name)}})) refused.insert(verb.name);
  }
  CHECK(refused == std::set<std::string_view>{"apply", "set", "reload", "upgrade", "rollback", "confirm", "save", "fdb",
                                              "capture", "offloads"});
  CHECK(is_refused({{"verb", "log"}, {"level", "off"}}));
  CHECK(log_level() == "info");
  log.take();
  CHECK(service.daemon.handle({{"verb", "save"}}, {.uid = 12346, .pid = 7}).whole.at("errors") ==
        json{"save: only root, the daemon's own user and `system.admins` may; uid 12346 may look"});
  CHECK(log.take() == std::vector<std::string>{"warning: control socket: save forbidden to uid 12346, process 7"});
}

TEST_CASE("requests: the log's level, asked for and set") {
  using Lines = std::vector<std::string>;
  LogLines log;
  Service service;
  const auto level = [&](const json& wanted) {
    json request{{"verb", "log"}};
    if (!wanted.is_null()) request["level"] = wanted;
    return service.ask(request).at("result");
  };
  log.take();
  CHECK(level({}) == json{{"level", "info"}});
  CHECK(log.take().empty());
  CHECK(level("error") == json{{"level", "error"}});
  CHECK(log.take() == Lines{"info: log: level error, was info"});
  service.bed.port("lan0").set_link(false);
  service.bed.gateway().tick();
  CHECK(log.take().empty());
  CHECK(level({}) == json{{"level", "error"}});
  CHECK(service.error({{"verb", "log"}, {"level", "loud"}}) ==
        "level: expected trace, debug, info, warning, error, critical or off, not 'loud'");
  CHECK(level("info") == json{{"level", "info"}});
  CHECK(log.take() == Lines{"info: log: level info, was error"});
  service.bed.port("lan0").set_link(true);
  service.bed.gateway().tick();
  CHECK(log.take() == Lines{"info: lan0: link up"});
}

TEST_CASE("requests: ports and tunnels that come and go while they are listed") {
  Service service;
  Gateway& gateway = service.bed.gateway();
  const RowStream rows = show_reply(gateway, "ports").rows;
  std::vector<std::string> names;
  const auto add = [&names](const json& row) { names.push_back(row.at("name")); };
  REQUIRE(rows(add));
  const std::string changed = R"(
version: 1
ethernets: {aaa0: {}, lan1: {}, lan5: {}}
bridges: {br0: {interfaces: [lan1, lan5]}}
)";
  REQUIRE(service.daemon.changes().start("b.yaml", changed).empty());
  while (rows(add)) continue;
  CHECK(names == std::vector<std::string>{"lan0", "lan1", "lan5"});
}

}  // namespace causeway::test
