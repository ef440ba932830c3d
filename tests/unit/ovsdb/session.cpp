// What a session says, and makes of what it is told, with a server of the test's own.
#include "control/ovsdb/session.h"

#include <memory>
#include <string>

#include "tests/unit/ovsdb/fake_server.h"

namespace causeway::ovsdb::test {
namespace {

const json kRows =
    json::parse(R"({"Open_vSwitch":{"u1":{"initial":{"next_cfg":3}}},"Queue":{"q":{"initial":{"dscp":1}}}})");

json dscp_update(int value) { return {{"Queue", {{"q", {{"modify", {{"dscp", value}}}}}}}}; }

// Rows enough that their text is parsed in the background.
json many_rows(int count) {
  json rows = json::object();
  for (int row = 0; row < count; ++row)
    rows["u" + std::to_string(row)] = {{"initial", {{"name", std::to_string(row)}}}};
  return {{"Interface", rows}};
}

}  // namespace

TEST_CASE("a session asks for schema, lock and rows, and tells once it has all of them") {
  FakeBed bed;
  const json schema_call = bed.server.expect("get_schema");
  CHECK(schema_call["params"] == json::array({"Open_vSwitch"}));
  const json lock_call = bed.server.expect("lock");
  CHECK(lock_call["params"] == json::array({"ovs_vswitchd"}));
  CHECK(bed.session().state().why_not == "waiting for the server's schema");
  bed.server.answer(lock_call, {{"locked", true}});
  bed.server.answer(schema_call, schema());
  const json monitor_call = bed.server.expect("monitor_cond_since");
  CHECK(monitor_call["params"] ==
        json::array({"Open_vSwitch", "causeway", monitor_requests(watched_columns(), watched_tables()),
                     "00000000-0000-0000-0000-000000000000"}));
  CHECK(bed.session().state().why_not == "waiting for the server's rows");
  CHECK(bed.session().state().locked);
  CHECK(bed.session().transact(json::array(), [](const auto&, const auto&) {}).text() ==
        "waiting for the server's rows");
  CHECK(bed.watcher.told == 0);
  bed.server.answer(monitor_call, json::array({false, "0", kRows}));
  REQUIRE(bed.watcher.ready(bed.loop));
  CHECK(bed.session().state().why_not.empty());
  CHECK(bed.watcher.told == 1);
  CHECK(bed.watcher.last.at("Open_vSwitch").at("u1").at("next_cfg") == 3);
}

TEST_CASE("without the lock nothing is told and nothing written") {
  FakeBed bed;
  bed.server.begin(kRows, false);
  const std::string why = "another process has the lock ovs_vswitchd";
  REQUIRE(until(bed.loop, [&] { return bed.session().state().why_not == why; }));
  bed.server.update(dscp_update(2));
  bed.server.notify("locked", json::array({"another_lock"}));
  bed.settle();
  CHECK(bed.watcher.told == 0);
  CHECK(bed.session().state().complete);
  CHECK(bed.session().transact(json::array(), [](const auto&, const auto&) {}).text() == why);

  bed.server.notify("locked", json::array({"ovs_vswitchd"}));
  REQUIRE(bed.watcher.ready(bed.loop));
  CHECK(bed.watcher.told == 1);
  CHECK(bed.watcher.last.at("Queue").at("q").at("dscp") == json::array({2}));

  bed.server.notify("stolen", json::array({"ovs_vswitchd"}));
  bed.server.update(dscp_update(3));
  bed.settle();
  CHECK(bed.session().state().why_not == why);
  CHECK(bed.watcher.told == 1);
  bed.server.notify("locked", json::array({"ovs_vswitchd"}));
  REQUIRE(until(bed.loop, [&] { return bed.watcher.told == 2; }));
  CHECK(bed.watcher.last.at("Queue").at("q").at("dscp") == json::array({3}));
}

TEST_CASE("a server that doesn't know the newer calls is asked by the older ones") {
  FakeBed bed;
  bed.server.answer(bed.server.expect("get_schema"), schema());
  bed.server.answer(bed.server.expect("lock"), {{"locked", true}});
  bed.server.answer_error(bed.server.expect("monitor_cond_since"), "unknown method");
  const json cond = bed.server.expect("monitor_cond");
  CHECK(cond["params"].size() == 3);
  SECTION("monitor_cond") {
    bed.server.answer(cond, kRows);
    REQUIRE(bed.watcher.ready(bed.loop));
    bed.server.notify("update2", {"causeway", dscp_update(2)});
  }
  SECTION("monitor") {
    bed.server.answer_error(cond, "unknown method");
    const json monitor = bed.server.expect("monitor");
    CHECK(monitor["params"] == cond["params"]);
    bed.server.answer(monitor, json::parse(R"({"Queue":{"q":{"new":{"dscp":1}}}})"));
    REQUIRE(bed.watcher.ready(bed.loop));
    CHECK(bed.watcher.last.at("Queue").at("q").at("dscp") == json::array({1}));
    bed.server.notify("update", {"causeway", json::parse(R"({"Queue":{"q":{"new":{"dscp":2},"old":{"dscp":1}}}})")});
  }
  REQUIRE(until(bed.loop, [&] { return bed.watcher.told == 2; }));
  CHECK(bed.watcher.last.at("Queue").at("q").at("dscp") == json::array({2}));
}

TEST_CASE("changes that come together are told together, and none where nothing changed") {
  FakeBed bed;
  bed.server.begin(kRows);
  REQUIRE(bed.watcher.ready(bed.loop));
  std::string batch;
  for (int i = 2; i < 60; ++i) {
    batch += json{{"id", nullptr}, {"method", "update3"}, {"params", {"causeway", "0", dscp_update(i)}}}.dump();
  }
  bed.server.send_text(batch);
  REQUIRE(until(bed.loop, [&] { return bed.watcher.told == 2; }));
  CHECK(bed.watcher.last.at("Queue").at("q").at("dscp") == json::array({59}));
  bed.server.update(json::parse(R"({"Open_vSwitch":{"u1":{"modify":{}}}})"));
  bed.server.update(dscp_update(59));
  bed.server.notify("update3", {"another", "0", dscp_update(1)});
  bed.server.notify("nonsense", json::array());
  bed.server.send_text(R"({"id":999,"result":{},"error":null})");
  bed.settle();
  CHECK(bed.watcher.told == 2);
  CHECK(bed.session().state().ready());
}

TEST_CASE("an echo is answered with what it brought") {
  FakeBed bed;
  bed.server.begin(kRows);
  bed.server.send_text(R"({"id":"echo","method":"echo","params":[1,{"a":"\u00e9"}]})");
  CHECK(bed.server.next_call() == json::parse(R"({"id":"echo","result":[1,{"a":"é"}],"error":null})"));
  bed.server.send_text(R"({"id":null,"method":"echo","params":[]})");
  CHECK(bed.server.next_call() == json::parse(R"({"id":null,"result":[],"error":null})"));
}

TEST_CASE("a transaction is sent under the lock, and its answer comes to who sent it") {
  FakeBed bed;
  bed.server.begin(kRows);
  REQUIRE(bed.watcher.ready(bed.loop));
  std::vector<std::string> answers;
  const auto note = [&](const json& results, const Error& error) { answers.push_back(results.dump() + error.text()); };
  const json operation = {{"op", "comment"}, {"comment", "x"}};
  const auto transact = [&] {
    REQUIRE(bed.session().transact({operation}, note).text().empty());
    const json call = bed.server.expect("transact");
    CHECK(call["params"] == json::array({"Open_vSwitch", {{"op", "assert"}, {"lock", "ovs_vswitchd"}}, operation}));
    return call;
  };
  const json first = transact(), second = transact(), third = transact(), fourth = transact();
  CHECK(bed.session().unanswered() == 4);
  bed.server.answer(second, json::parse(R"([{},{"count":2}])"));
  bed.server.answer(first, json::parse(R"([{"details":"Asserted lock x not held.","error":"not owner"},null])"));
  bed.server.answer_error(third, json::parse(R"({"error":"unknown database","details":"no"})"));
  bed.server.answer(fourth, json::parse(R"([{},{},{"error":"constraint violation"}])"));
  REQUIRE(until(bed.loop, [&] { return answers.size() == 4; }));
  CHECK(answers == std::vector<std::string>{R"([{"count":2}])", "[]not owner: Asserted lock x not held.",
                                            "[]unknown database: no", "[]constraint violation"});
  CHECK(bed.session().unanswered() == 0);
  CHECK(bed.session().transact(operation, note).text() == "no list of operations");

  transact();
  bed.server.hang_up();
  REQUIRE(until(bed.loop, [&] { return answers.size() == 5; }));
  CHECK(answers[4] == "[]no answer: the server closed the connection");
  CHECK_FALSE(bed.session().state().ready());
}

TEST_CASE("a server that takes nothing costs bounded memory and no time") {
  FakeBed bed({.unsent_bytes = 1'000'000, .unanswered = 50});
  bed.server.begin(kRows);
  REQUIRE(bed.watcher.ready(bed.loop));
  bed.server.reads = false;
  int answered = 0;
  const auto transact = [&](size_t bytes) {
    return bed.session().transact({{{"op", "comment"}, {"comment", std::string(bytes, 'x')}}},
                                  [&](const json&, const Error& error) { answered += error ? 0 : 1; });
  };
  int accepted = 0;
  std::string refused;
  for (int i = 0; i < 40 && refused.empty(); ++i) {
    refused = transact(100'000).text();
    if (refused.empty()) ++accepted;
    CHECK(bed.session().unsent_bytes() <= 1'000'000);
  }
  CHECK(refused.starts_with("the server takes nothing: "));
  CHECK(accepted >= 9);
  run_for(bed.loop, 20ms);
  CHECK(bed.session().state().ready());

  // It wakes up, and has all of them in order.
  bed.server.resume();
  for (int i = 0; i < accepted; ++i) bed.server.answer(bed.server.expect("transact"), json::parse("[{},{}]"));
  REQUIRE(until(bed.loop, [&] { return answered == accepted; }));
  CHECK(bed.session().unsent_bytes() == 0);

  for (int i = 0; i < 50; ++i) REQUIRE(transact(1).text().empty());
  CHECK(transact(1).text() == "50 transactions wait for an answer");
}

TEST_CASE("a connection that is lost keeps the rows, says so, and comes back") {
  FakeBed bed;
  bed.server.begin(kRows);
  REQUIRE(bed.watcher.ready(bed.loop));
  bed.server.hang_up();
  REQUIRE(until(bed.loop, [&] { return !bed.session().state().connected; }));
  CHECK(bed.session().state() == Session::State{false, false, false, "the server closed the connection"});
  CHECK(bed.session().database() == bed.watcher.last);
  bed.server.answer(bed.server.expect("get_schema"), schema());
  bed.server.answer(bed.server.expect("lock"), {{"locked", true}});
  const json monitor = bed.server.expect("monitor_cond_since");
  bed.settle();
  CHECK(bed.watcher.told == 1);
  CHECK(bed.session().database().at("Queue").size() == 1);
  bed.server.answer(monitor, json::array({false, "0", json::object()}));  // emptied
  REQUIRE(until(bed.loop, [&] { return bed.watcher.told == 2; }));
  CHECK(bed.watcher.last.size() == 6);
  for (const auto& [name, rows] : bed.watcher.last) CHECK(rows.empty());
}

TEST_CASE("a server that hangs up on everybody is asked ever less often") {
  FakeBed bed({.first_delay = 4ms, .last_delay = 64ms});
  bed.server.refuses = true;
  run_for(bed.loop, 500ms);
  CHECK(bed.server.clients >= 2);
  CHECK(bed.server.clients <= 13);  // at 0, 4, 12, 28, 60, 124, and then every 64 ms
  CHECK(bed.watcher.states.size() <= 2 * static_cast<size_t>(bed.server.clients) + 1);
}

TEST_CASE("what is large is parsed in the background, what comes behind it waits", "[threads]") {
  FakeBed bed;
  bed.server.begin(many_rows(5'000));
  bed.server.update(json::parse(R"({"Interface":{"u7":{"modify":{"type":"gre"}}}})"));
  REQUIRE(until(bed.loop,
                [&] { return bed.watcher.told > 0 && bed.watcher.last.at("Interface").at("u7").at("type") == "gre"; }));
  CHECK(bed.watcher.last.at("Interface").size() == 5'000);

  json more = json::object();
  for (int row = 0; row < 3'000; ++row) more["v" + std::to_string(row)] = {{"insert", {{"name", std::to_string(row)}}}};
  bed.server.update({{"Interface", more}});
  REQUIRE(until(bed.loop, [&] { return bed.watcher.last.at("Interface").size() == 8'000; }));
}

TEST_CASE("a connection or a session that ends while its dump is parsed does no harm", "[threads]") {
  FakeBed bed;
  for (int i = 0; i < 10; ++i) {
    bed.server.begin(many_rows(3'000));
    for (int round = 0; round < i; ++round) bed.loop.run_once(0ms);
    bed.server.hang_up();
  }
  bed.server.begin(kRows);
  REQUIRE(until(bed.loop, [&] { return bed.watcher.told > 0 && bed.watcher.last.at("Interface").empty(); }));

  for (int i = 0; i < 10; ++i) {
    Folder folder;
    FakeServer server(bed.loop, folder.socket());
    auto watcher = std::make_unique<Watcher>(bed.loop, bed.background, folder.socket());
    server.begin(many_rows(3'000));
    for (int round = 0; round < i; ++round) bed.loop.run_once(0ms);
    watcher.reset();
    bed.settle();
  }
}

TEST_CASE("a path that is no server's is said, and one that becomes it is found") {
  Folder folder;
  EventLoop loop;
  Background background(loop);
  const Session::Limits quick{.first_delay = 5ms, .last_delay = 40ms};
  Watcher far(loop, background, std::string(200, 'x'), quick);
  Watcher watcher(loop, background, folder.socket(), quick);
  CHECK(watcher.session.state().why_not == "not started");
  run_for(loop, 60ms);
  CHECK(watcher.session.state().why_not == "cannot connect: No such file or directory");
  CHECK(far.session.state().why_not == "the path is too long");
  CHECK(watcher.states.size() == 1);
  FakeServer server(loop, folder.socket());
  server.begin(kRows);
  CHECK(watcher.ready(loop));
}

}  // namespace causeway::ovsdb::test
