// A session with a real ovsdb-server, driven by ovs-vsctl as people do. Each test has a server of its own, in a
// directory of its own.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iostream>
#include <memory>
#include <random>
#include <string>

#include "control/import/ovs.h"
#include "tests/unit/ovsdb/bed.h"

namespace causeway::ovsdb::test {
namespace {

constexpr const char* kSchema = "/usr/share/openvswitch/vswitch.ovsschema";

pid_t start_program(const std::vector<std::string>& words, const std::string& folder) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const std::string output = folder + "/output";
  const pid_t pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setenv("OVS_RUNDIR", folder.c_str(), 1);
  setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  const int fd = open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

int status_of(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class RealServer {
 public:
  RealServer() {
    create();
    start();
  }
  ~RealServer() { kill_it(); }
  RealServer(const RealServer&) = delete;
  RealServer& operator=(const RealServer&) = delete;

  std::string socket() const { return folder_.socket(); }
  void create() {
    std::filesystem::remove(database());
    REQUIRE(status_of(program({"ovsdb-tool", "create", database(), kSchema})) == 0);
  }
  void start() {
    std::filesystem::remove(socket());
    server_ = program({"ovsdb-server", "--no-chdir", "--remote=punix:" + socket(),
                       "--unixctl=" + (folder_.path / "ctl").string(), database()});
    const auto deadline = steady_clock::now() + 30s;
    while (!std::filesystem::exists(socket()) && steady_clock::now() < deadline) usleep(2'000);
    REQUIRE(std::filesystem::exists(socket()));
  }
  void send_signal(int number) const { REQUIRE(kill(server_, number) == 0); }
  void kill_it() {
    if (server_ <= 0) return;
    kill(server_, SIGKILL);
    status_of(server_);
    server_ = 0;
  }
  pid_t program(const std::vector<std::string>& words) const { return start_program(words, folder_.path); }
  int vsctl(std::vector<std::string> words) const {
    words.insert(words.begin(), {"ovs-vsctl", "--db=unix:" + socket(), "--timeout=20"});
    return status_of(program(words));
  }
  void change(std::vector<std::string> words) const {
    words.insert(words.begin(), "--no-wait");
    INFO(json(words).dump());
    REQUIRE(vsctl(words) == 0);
  }
  std::string output() const {
    std::ifstream file(folder_.path / "output");
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  std::string database() const { return folder_.path / "db"; }

  Folder folder_;
  pid_t server_ = 0;
};

struct RealBed {
  RealServer server;
  EventLoop loop;
  Background background{loop};
  std::unique_ptr<Watcher> watcher = std::make_unique<Watcher>(loop, background, server.socket());

  Session& session() const { return watcher->session; }
  const Database& last() const { return watcher->last; }
  bool becomes(const std::function<bool()>& so) { return until(loop, so); }
  std::string root() const { return last().at("Open_vSwitch").begin()->first; }
};

// What a session finds that comes anew.
Database fresh(RealBed& bed) {
  Watcher reader(bed.loop, bed.background, bed.server.socket());
  REQUIRE(until(bed.loop, [&] { return reader.session.state().complete; }));
  return reader.session.database();
}

json map_of(const std::vector<std::pair<std::string, std::string>>& pairs) {
  json members = json::array();
  for (const auto& [key, value] : pairs) members.push_back(json::array({key, value}));
  return json::array({"map", members});
}

// A bridge with `count` ports, in one transaction.
json ports_of_a_bridge(int count) {
  json ports = json::array(), operations = json::array();
  for (int i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    const json options = map_of({{"remote_ip", "192.0.2.1"}, {"key", number}});
    const json ids = map_of({{"attached-mac", "02:00:00:00:00:01"}, {"iface-id", "interface-" + number}});
    operations.push_back(
        {{"op", "insert"},
         {"table", "Interface"},
         {"uuid-name", "i" + number},
         {"row", {{"name", "p" + number}, {"type", "vxlan"}, {"options", options}, {"external_ids", ids}}}});
    operations.push_back({{"op", "insert"},
                          {"table", "Port"},
                          {"uuid-name", "p" + number},
                          {"row", {{"name", "p" + number}, {"interfaces", {"named-uuid", "i" + number}}}}});
    ports.push_back({"named-uuid", "p" + number});
  }
  operations.push_back({{"op", "insert"},
                        {"table", "Bridge"},
                        {"uuid-name", "b"},
                        {"row", {{"name", "many"}, {"ports", {"set", ports}}}}});
  operations.push_back({{"op", "mutate"},
                        {"table", "Open_vSwitch"},
                        {"where", json::array()},
                        {"mutations", json::array({json::array({"bridges", "insert", {"named-uuid", "b"}})})}});
  return operations;
}

double milliseconds(steady_clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

}  // namespace

TEST_CASE("a dump is taken while another has the lock") {
  RealBed bed;
  bed.server.change({"init"});
  bed.server.change({"add-br", "sw1"});
  REQUIRE(bed.watcher->ready(bed.loop));
  REQUIRE(bed.becomes([&] { return bed.last().at("Bridge").size() == 1; }));
  Database rows;
  CHECK(read_ovs_database(bed.server.socket(), 20s, rows).text().empty());
  CHECK(row_named(rows, "Interface", "sw1").at("type") == "internal");
  bed.loop.run_once(50ms);
  CHECK(bed.session().state().ready());
}

TEST_CASE("a dump that can't be had is an error, in time") {
  RealServer server;
  Database rows;
  CHECK(read_ovs_database(server.socket() + "x", 20s, rows).text() == "cannot connect: No such file or directory");
  server.send_signal(SIGSTOP);
  CHECK(read_ovs_database(server.socket(), 200ms, rows).text() ==
        "no answer within 200 ms: waiting for the server's schema");
  CHECK(rows.empty());
}

TEST_CASE("ovs-vsctl's changes arrive, and what is written is what it waits for") {
  RealBed bed;
  REQUIRE(bed.watcher->ready(bed.loop));
  CHECK(bed.last().at("Open_vSwitch").empty());
  bed.server.change({"init"});
  REQUIRE(bed.becomes([&] { return bed.last().at("Open_vSwitch").size() == 1; }));

  // Without --no-wait: it ends when cur_cfg is what it asked for, and takes ofport and error for what became of it.
  const pid_t vsctl = bed.server.program({"ovs-vsctl", "--db=unix:" + bed.server.socket(), "--timeout=20", "add-br",
                                          "sw1", "--", "add-port", "sw1", "tun1", "--", "set", "interface", "tun1",
                                          "type=geneve", "options:remote_ip=192.0.2.1", "options:key=123"});
  REQUIRE(bed.becomes([&] { return bed.last().at("Interface").size() == 2; }));
  CHECK(row_named(bed.last(), "Interface", "tun1").at("options") == json{{"key", "123"}, {"remote_ip", "192.0.2.1"}});
  json operations = json::array();
  for (const auto& [uuid, row] : bed.last().at("Interface")) {
    const bool good = row.at("name") == "sw1";
    const json values = good ? json{{"ofport", 65534}} : json{{"ofport", -1}, {"error", "no such thing"}};
    operations.push_back(
        {{"op", "update"}, {"table", "Interface"}, {"where", {{"_uuid", "==", {"uuid", uuid}}}}, {"row", values}});
  }
  const json root = bed.last().at("Open_vSwitch").at(bed.root());
  CHECK(root.at("next_cfg") == 1);
  operations.push_back({{"op", "update"},
                        {"table", "Open_vSwitch"},
                        {"where", {{"_uuid", "==", {"uuid", bed.root()}}}},
                        {"row", {{"cur_cfg", root.at("next_cfg")}}}});
  const int told = bed.watcher->told;
  json results;
  REQUIRE(bed.session()
              .transact(operations,
                        [&](const json& all, const Error& error) {
                          CHECK(error.text().empty());
                          results = all;
                        })
              .text()
              .empty());
  REQUIRE(bed.becomes([&] { return !results.is_null(); }));
  CHECK(results == json::parse(R"([{"count":1},{"count":1},{"count":1}])"));
  CHECK(status_of(vsctl) == 0);
  CHECK(bed.server.output().find("Error detected while setting up 'tun1': no such thing") != std::string::npos);
  CHECK(bed.server.output().find("'sw1'") == std::string::npos);
  run_for(bed.loop, 50ms);
  CHECK(bed.watcher->told == told);  // our own writing is no news

  std::string why;
  json bad = {{{"op", "insert"}, {"table", "Nope"}, {"row", json::object()}}};
  REQUIRE(bed.session().transact(bad, [&](const json&, const Error& error) { why = error.text(); }).text().empty());
  REQUIRE(bed.becomes([&] { return !why.empty(); }));
  CHECK(why == "syntax error: Parsing ovsdb operation 2 of 2 failed: No table named Nope.");
  CHECK(bed.session().state().ready());
}

TEST_CASE("after many changes the replica is what a fresh dump says") {
  RealBed bed;
  REQUIRE(bed.watcher->ready(bed.loop));
  bed.server.change({"init"});
  bed.server.change({"add-br", "sw1"});
  for (int i = 0; i < 4; ++i) bed.server.change({"add-port", "sw1", "p" + std::to_string(i)});
  std::mt19937 random(7);
  const auto pick = [&](int below) { return std::to_string(random() % static_cast<unsigned>(below)); };
  for (int i = 0; i < 25; ++i) {
    const std::string port = "p" + pick(4), key = "options:k" + pick(3);
    const std::vector<std::vector<std::string>> changes = {
        {"set", "port", port, "trunks=" + pick(5) + "," + std::to_string(5 + random() % 5)},
        {"set", "port", port, "tag=" + pick(9)},
        {"clear", "port", port, "tag"},
        {"remove", "port", port, "trunks", pick(9)},
        {"set", "interface", port, key + "=" + pick(2)},
        {"remove", "interface", port, "options", "k" + pick(3)},
        {"set", "open", ".", "external_ids:x=\"a{\\\"[" + pick(99) + "\""},
        {"set", "interface", port, "ofport=" + pick(99)},
        {"del-port", "sw1", port, "--", "add-port", "sw1", port, "--", "set", "port", port, "tag=" + pick(9)},
        {"set", "bridge", "sw1", "other_config:a=" + pick(9), "fail_mode=standalone"},
        {"clear", "bridge", "sw1", "other_config", "fail_mode"},
    };
    bed.server.change(changes[random() % changes.size()]);
    bed.loop.run_once(0ms);
  }
  Database expected = fresh(bed);
  // Of these the session has what was there at its own beginning.
  const auto without_initial = [](Database database) {
    for (auto& [uuid, row] : database.at("Interface")) row.erase("ofport"), row.erase("error");
    for (auto& [uuid, row] : database.at("Open_vSwitch")) row.erase("cur_cfg");
    return database;
  };
  expected = without_initial(expected);
  CHECK(bed.becomes([&] { return without_initial(bed.last()) == expected; }));
  CHECK(expected.at("Port").size() == 5);
}

TEST_CASE("another holder of the lock is waited for, and a thief stops the writing") {
  RealServer server;
  server.change({"init"});
  const pid_t holder = server.program({"ovsdb-client", "lock", "unix:" + server.socket(), "ovs_vswitchd"});
  const auto deadline = steady_clock::now() + 30s;
  while (server.output().find("\"locked\":true") == std::string::npos && steady_clock::now() < deadline) usleep(2'000);

  EventLoop loop;
  Background background(loop);
  Watcher watcher(loop, background, server.socket());
  const std::string why = "another process has the lock ovs_vswitchd";
  REQUIRE(until(loop, [&] { return watcher.session.state().why_not == why; }));
  server.change({"add-br", "sw1"});
  run_for(loop, 100ms);
  CHECK(watcher.told == 0);
  CHECK(watcher.session.transact(json::array(), [](const json&, const Error&) {}).text() == why);
  kill(holder, SIGKILL);
  status_of(holder);
  REQUIRE(watcher.ready(loop));
  CHECK(row_named(watcher.last, "Bridge", "sw1").at("ports").size() == 1);

  const int told = watcher.told;
  const pid_t thief = server.program({"ovsdb-client", "steal", "unix:" + server.socket(), "ovs_vswitchd"});
  REQUIRE(until(loop, [&] { return watcher.session.state().why_not == why; }));
  server.change({"add-br", "sw2"});
  run_for(loop, 100ms);
  CHECK(watcher.told == told);
  kill(thief, SIGKILL);
  status_of(thief);
  REQUIRE(until(loop, [&] { return watcher.told > told; }));
  CHECK(row_named(watcher.last, "Bridge", "sw2").at("ports").size() == 1);
}

TEST_CASE("a server killed and started again is read anew; meanwhile what it said stays") {
  RealBed bed;
  bed.server.change({"init", "--", "add-br", "sw1"});
  REQUIRE(bed.watcher->ready(bed.loop));
  REQUIRE(bed.becomes([&] { return bed.last().at("Bridge").size() == 1; }));
  for (int i = 0; i < 2; ++i) {
    bed.server.kill_it();
    REQUIRE(bed.becomes([&] { return !bed.session().state().ready(); }));
    CHECK(bed.becomes([&] { return bed.session().state().why_not == "cannot connect: Connection refused"; }));
    CHECK(bed.session().database().at("Bridge").size() == 1);
    CHECK(bed.session().transact(json::array(), [](const json&, const Error&) {}).text() ==
          "cannot connect: Connection refused");
    const int told = bed.watcher->told;
    bed.server.start();
    REQUIRE(bed.becomes([&] { return bed.watcher->told > told; }));
    CHECK(bed.session().state().ready());
    CHECK(bed.last().at("Bridge").size() == 1);
  }
}

TEST_CASE("a server that stands still holds nobody up") {
  RealBed bed;
  bed.server.change({"init"});
  REQUIRE(bed.watcher->ready(bed.loop));
  REQUIRE(bed.becomes([&] { return bed.last().at("Open_vSwitch").size() == 1; }));
  bed.server.send_signal(SIGSTOP);
  int ticks = 0, sent = 0, answered = 0;
  const auto timer = bed.loop.every(10ms, [&] { ++ticks; });
  const auto ends = steady_clock::now() + 3s;
  steady_clock::duration longest{};
  while (steady_clock::now() < ends) {
    const auto begin = steady_clock::now();
    const json operation = {{"op", "comment"}, {"comment", std::string(20'000, 'x')}};
    REQUIRE(bed.session()
                .transact({operation}, [&](const json&, const Error& error) { answered += error ? 0 : 1; })
                .text()
                .empty());
    longest = std::max(longest, steady_clock::now() - begin);
    ++sent;
    run_for(bed.loop, 30ms);
  }
  bed.loop.cancel(timer);
  CHECK(longest < 500ms);
  CHECK(ticks > 50);
  CHECK(answered == 0);
  CHECK(bed.session().unsent_bytes() > 0);
  CHECK(bed.session().state().ready());  // nothing says that it will not go on
  bed.server.send_signal(SIGCONT);
  REQUIRE(bed.becomes([&] { return answered == sent; }));
  CHECK(bed.session().unsent_bytes() == 0);
}

TEST_CASE("an emptied database is told as an empty one") {
  RealBed bed;
  bed.server.change({"init", "--", "add-br", "sw1", "--", "add-port", "sw1", "p1"});
  REQUIRE(bed.watcher->ready(bed.loop));
  REQUIRE(bed.becomes([&] { return bed.last().at("Port").size() == 2; }));
  bed.server.change({"del-br", "sw1"});
  REQUIRE(bed.becomes([&] { return bed.last().at("Port").empty(); }));
  CHECK(bed.last().at("Bridge").empty());
}

TEST_CASE("a new database in the old one's place is told as an empty one") {
  RealBed bed;
  bed.server.change({"init", "--", "add-br", "sw1"});
  REQUIRE(bed.watcher->ready(bed.loop));
  REQUIRE(bed.becomes([&] { return bed.last().at("Bridge").size() == 1; }));
  bed.server.kill_it();
  bed.server.create();
  REQUIRE(bed.becomes([&] { return !bed.session().state().ready(); }));
  CHECK(bed.last().at("Bridge").size() == 1);
  const int told = bed.watcher->told;
  bed.server.start();
  REQUIRE(bed.becomes([&] { return bed.watcher->told > told; }));
  for (const auto& [name, rows] : bed.last()) CHECK(rows.empty());
}

TEST_CASE("two thousand ports come and go") {
  RealBed bed;
  bed.server.change({"init"});
  REQUIRE(bed.watcher->ready(bed.loop));
  REQUIRE(bed.becomes([&] { return bed.last().at("Open_vSwitch").size() == 1; }));
  REQUIRE(bed.session()
              .transact(ports_of_a_bridge(2'000), [](const json&, const Error& error) { CHECK(error.text() == ""); })
              .text() == "");
  REQUIRE(bed.becomes([&] { return bed.last().at("Interface").size() == 2'000; }));
  CHECK(row_named(bed.last(), "Bridge", "many").at("ports").size() == 2'000);
  CHECK(fresh(bed) == bed.last());
  bed.server.change({"del-br", "many"});
  CHECK(bed.becomes([&] { return bed.last().at("Interface").empty(); }));
}

// unit_ovsdb "[figures]": how long the loop's others wait.
TEST_CASE("figures of ten thousand ports", "[.][figures]") {
  RealBed bed;
  bed.server.change({"init"});
  REQUIRE(bed.watcher->ready(bed.loop));
  const json operations = ports_of_a_bridge(10'000);
  const auto figure = [&](const char* what, const std::function<void()>& act, const std::function<bool()>& so) {
    const auto calls = std::make_unique<EventLoop::Slices>(bed.loop.slices());
    const auto begin = steady_clock::now();
    act();
    const auto acted = steady_clock::now();
    std::chrono::nanoseconds longest{};
    while (!so()) {
      const auto before = bed.loop.slices();
      bed.loop.run_once(5ms);
      const auto after = bed.loop.slices();
      longest = std::max(longest, after.all - before.all);
    }
    std::cout << what << ": " << milliseconds(steady_clock::now() - begin) << " ms, at once "
              << milliseconds(acted - begin) << " ms, longest round " << milliseconds(longest) << " ms\n";
  };
  figure(
      "10,000 ports written and told",
      [&] { REQUIRE(bed.session().transact(operations, [](const json&, const Error&) {}).text() == ""); },
      [&] { return bed.last().at("Interface").size() == 10'000; });
  figure(
      "lost, and a dump of them", [&] { bed.server.kill_it(), bed.server.start(); },
      [&, told = bed.watcher->told] { return bed.watcher->told > told; });
  figure(
      "one port changed",
      [&] {
        bed.server.change({"set", "port", "p77", "tag=5"});
      },
      [&] { return row_named(bed.last(), "Port", "p77").at("tag") == json::array({5}); });
}

}  // namespace causeway::ovsdb::test
