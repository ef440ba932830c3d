// The socket that ovs-appctl talks to: requests as it sends them, answers as ovs-vswitchd gives them, and clients that
// misbehave.
#include "control/unixctl/server.h"

#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/unit/api/bed.h"
#include "tests/unit/unixctl/recorded.h"

namespace causeway::unixctl {
namespace {

using nlohmann::json;
using test::RawClient;
using namespace std::chrono_literals;

constexpr const char* kLine = "quote \" backslash \\ tab \t umlaut \u00e4\n";

// Answers of a size to be chosen, in one piece or in bits; and counts what it made.
struct Bed {
  test::Folder folder;
  EventLoop loop;
  size_t lines = 0;
  Server server;

  explicit Bed(Server::Limits limits = {})
      : server(
            loop, [this](const std::string& command, const json& arguments) { return handle(command, arguments); },
            limits) {
    REQUIRE(server.start(path()).text() == "");
  }
  std::string path() const { return folder.path / "causewayd.1.ctl"; }

  Answer handle(const std::string& command, const json& arguments) {
    if (command == "fail") return Answer::failure("no such bridge");
    if (command == "big") return Answer::of(std::string(arguments.at(0).get<size_t>(), 'x'));
    if (command == "lines") {
      return Answer::in_bits([this, left = arguments.at(0).get<size_t>()](std::string& text) mutable {
        if (left == 0) return false;
        text += kLine;
        ++lines;
        return --left != 0;
      });
    }
    return Answer::of(command + arguments.dump());
  }
};

std::string request(const std::string& method, const json& params, const json& id = 0) {
  return json{{"id", id}, {"method", method}, {"params", params}}.dump();
}

struct Client {
  Bed& bed;
  RawClient raw{bed.path()};
  ovsdb::JsonStream answers;

  explicit Client(Bed& of) : bed(of) {}
  // The next answer; discarded where none comes.
  json next() {
    const auto deadline = test::steady_clock::now() + 30s;
    while (test::steady_clock::now() < deadline) {
      if (const auto text = answers.next()) return json::parse(*text, nullptr, false);
      REQUIRE_FALSE(answers.append(raw.take()));
      bed.loop.run_once(1ms);
    }
    return json(json::value_t::discarded);
  }
};

}  // namespace

TEST_CASE("what ovs-appctl sends is answered as ovs-vswitchd answers it") {
  for (const Exchange& exchange : kExchanges) {
    INFO(exchange.request);
    test::Folder folder;
    EventLoop loop;
    Server server(loop, [&](const std::string&, const json&) {
      const json answer = json::parse(exchange.answer);
      return answer.at("error").is_null() ? Answer::of(answer.at("result").get<std::string>())
                                          : Answer::failure(answer.at("error").get<std::string>());
    });
    const std::string path = folder.path / "x.ctl";
    REQUIRE(server.start(path).text() == "");
    RawClient client(path);
    client.send_some(exchange.request);
    std::string got;
    for (int i = 0; i < 1'000 && got.size() < std::string_view(exchange.answer).size(); ++i) {
      loop.run_once(1ms);
      got += client.take();
    }
    CHECK(json::parse(got, nullptr, false) == json::parse(exchange.answer));
  }
}

TEST_CASE("a text ends with a newline, an empty one is empty, and any id comes back") {
  Bed bed;
  Client client(bed);
  client.raw.send_some(request("fail", json::array(), "seven"));
  CHECK(client.next() == json{{"id", "seven"}, {"error", "no such bridge\n"}});
  client.raw.send_some(request("big", {0}, {1, 2}));
  CHECK(client.next() == json{{"id", {1, 2}}, {"result", ""}, {"error", nullptr}});
  client.raw.send_some(request("a", {"b"}));
  CHECK(client.next()["result"] == "a[\"b\"]\n");
}

TEST_CASE("requests in one piece, and in many, are answered in order") {
  Bed bed;
  Client client(bed);
  std::string all;
  for (const char* method : {"a", "b", "c"}) all += request(method, {"d"});
  client.raw.send_some(all);
  for (const char* method : {"a", "b", "c"}) CHECK(client.next()["result"] == std::string(method) + "[\"d\"]\n");
  for (const char byte : request("d", {"e}\""})) {
    client.raw.send_some(std::string_view(&byte, 1));
    bed.loop.run_once(0ms);
  }
  CHECK(client.next()["result"] == "d[\"e}\\\"\"]\n");
}

TEST_CASE("nonsense ends the connection, and the next one is served") {
  Bed bed;
  const std::vector<std::string> nonsense{
      "hello",
      "[1]",
      "{}",
      "{,}",
      R"({"id":0,"method":"a"})",
      R"({"id":0,"method":"a","params":{}})",
      R"({"id":0,"method":7,"params":[]})",
      R"({"id":null,"method":"a","params":[]})",
      R"({"method":"a","params":[]})",
      R"({"id":0,"result":"a","error":null})",
      "{\"id\":0,\"method\":\"\xff\xfe\",\"params\":[]}",
      R"({"id":0,"method":"a","params":)" + std::string(100, '['),
      R"({"id":0,"method":"a","params":[")" + std::string(100'000, 'x') + "\"]}",
  };
  for (const std::string& text : nonsense) {
    INFO(text.substr(0, 80));
    Client client(bed);
    client.raw.send_all(bed.loop, text);
    CHECK(client.raw.closed_by_server(bed.loop));
    Client next(bed);
    next.raw.send_some(request("a", json::array()));
    CHECK(next.next()["result"] == "a[]\n");
  }
}

TEST_CASE("what is long is made as it is taken, and comes whole") {
  static constexpr size_t kLines = 300'000;
  Bed bed;
  Client deaf(bed);
  deaf.raw.send_some(request("lines", {kLines}));
  for (int i = 0; i < 2'000; ++i) bed.loop.run_once(0ms);
  CHECK(bed.lines > 0);
  CHECK(bed.lines < kLines / 10);  // what stands in the socket's buffer, and a slice
  Client other(bed);
  other.raw.send_some(request("a", json::array()));
  CHECK(other.next()["result"] == "a[]\n");
  std::string all;
  for (size_t i = 0; i < kLines; ++i) all += kLine;
  CHECK(deaf.next()["result"].get_ref<const std::string&>() == all);
  deaf.raw.send_some(request("b", json::array()));
  CHECK(deaf.next()["result"] == "b[]\n");
}

TEST_CASE("who doesn't read his answers is not read from") {
  Bed bed;
  RawClient deaf(bed.path());
  const std::string some = request("big", {100'000});
  size_t taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    taken += deaf.send_some(some);
    bed.loop.run_once(0ms);
  }
  CHECK(taken < 1'000'000);  // what stands in the socket's buffer
  Client other(bed);
  other.raw.send_some(request("a", json::array()));
  CHECK(other.next()["result"] == "a[]\n");
}

TEST_CASE("who vanishes in the middle of anything does no harm") {
  Bed bed;
  for (const std::string& text : {std::string(), std::string("{\"id\""), request("big", {4'000'000}),
                                  request("lines", {1'000'000}), request("a", json::array())}) {
    RawClient client(bed.path());
    client.send_some(text);
    for (int i = 0; i < 2; ++i) bed.loop.run_once(1ms);
    client.hang_up();
    for (int i = 0; i < 5; ++i) bed.loop.run_once(1ms);
  }
  Client client(bed);
  client.raw.send_some(request("a", json::array()));
  CHECK(client.next()["result"] == "a[]\n");
}

TEST_CASE("who ends his input still gets his answers") {
  Bed bed;
  Client client(bed);
  client.raw.send_some(request("lines", {100'000}) + request("b", json::array()) + "{\"half");
  client.raw.end_input();
  CHECK(client.next()["result"].get_ref<const std::string&>().size() == 100'000 * std::string_view(kLine).size());
  CHECK(client.next()["result"] == "b[]\n");
  CHECK(client.raw.closed_by_server(bed.loop));
}

TEST_CASE("more clients than the limit push out the one that was silent longest") {
  Bed bed({.clients = 3});
  RawClient silent(bed.path());
  bed.loop.run_once(1ms);
  std::vector<std::unique_ptr<Client>> others;
  for (int i = 0; i < 3; ++i) {
    others.push_back(std::make_unique<Client>(bed));
    bed.loop.run_once(1ms);
  }
  CHECK(silent.closed_by_server(bed.loop));
  for (const auto& other : others) {
    other->raw.send_some(request("a", json::array()));
    CHECK(other->next()["result"] == "a[]\n");
  }
}

TEST_CASE("half a request that never ends, and an answer that nobody takes, are given up") {
  for (const std::string& text : {std::string("{\"id\""), request("lines", {1'000'000})}) {
    Bed bed({.stall = 0s});
    RawClient client(bed.path());
    client.send_some(text);
    const size_t before = [&] {
      for (int i = 0; i < 200; ++i) bed.loop.run_once(1ms);
      return bed.lines;
    }();
    for (int i = 0; i < 50; ++i) bed.loop.run_once(1ms);
    CHECK(bed.lines == before);
    CHECK(client.closed_by_server(bed.loop));
  }
}

TEST_CASE("the socket is for its owner and his group, and goes with the server") {
  test::Folder folder;
  const std::string path = folder.path / "x.ctl";
  EventLoop loop;
  {
    Server server(loop, {});
    REQUIRE(server.start(path).text() == "");
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    Server second(loop, {});
    CHECK(second.start(path).text() == path + ": another process answers there");
  }
  CHECK_FALSE(std::filesystem::exists(path));
  Server nowhere(loop, {});
  const std::string missing = folder.path / "missing" / "x.ctl";
  CHECK(nowhere.start(missing).text() == missing + ": No such file or directory");
}

}  // namespace causeway::unixctl
