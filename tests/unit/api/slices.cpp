// What takes its time and what is long: in the background, in slices, and nobody else waits.
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/api/bed.h"

namespace causeway::test {
namespace {

constexpr int kRows = 100'000;

// A server with a verb that takes its time, and one that answers with rows.
struct Thinker {
  Folder folder;
  EventLoop loop;
  Background background{loop};
  std::promise<void> gate;
  std::shared_future<void> open = gate.get_future().share();
  int rows_made = 0;
  bool gate_was_open = false;
  ApiServer api{loop,
                background,
                folder.socket(),
                [this](const json& request, const Peer&) { return answer(request); },
                {.unread_bytes = 5'000'000}};

  Thinker() { REQUIRE(api.start().text() == ""); }
  ~Thinker() {
    if (!gate_was_open) gate.set_value();
  }
  void open_gate() {
    gate.set_value();
    gate_was_open = true;
  }
  ApiReply answer(const json& request) {
    if (request["verb"] == "think") {
      return ApiReply::later_by(
          [open = open]() -> ApiReply::Act {
            open.wait();
            return [] { return ApiReply(causeway::api_ok("thought")); };
          },
          100);
    }
    if (request["verb"] == "throw") {
      return ApiReply::later_by([]() -> ApiReply::Act { throw std::runtime_error("no"); }, 1);
    }
    if (request["verb"] == "rows") {
      return ApiReply::in_rows([this, row = 0](const auto& add) mutable {
        if (row == kRows) return false;
        ++rows_made;
        add({{"row", row++}});
        return true;
      });
    }
    if (request["verb"] == "no rows") return ApiReply::in_rows([](const auto&) { return false; });
    return {echo(request)};
  }
};

}  // namespace

TEST_CASE("what takes its time holds up its own client only", "[threads]") {
  Thinker server;
  RawClient slow(server.api.path()), other(server.api.path());
  slow.send_some("{\"verb\":\"think\"}\n{\"verb\":\"after\"}\n");
  for (int i = 0; i < 3; ++i) {
    other.send_some("{\"verb\":\"show\"}\n");
    CHECK(other.answer(server.loop)["ok"] == true);
  }
  server.open_gate();
  CHECK(slow.answer(server.loop)["result"] == "thought");
  CHECK(slow.answer(server.loop)["result"]["verb"] == "after");
  slow.send_some("{\"verb\":\"throw\"}\n");
  CHECK(first_error(slow.answer(server.loop)) == "bad request: no");
}

TEST_CASE("a client that goes while it is thought about does no harm", "[threads]") {
  Thinker server;
  {
    RawClient gone(server.api.path());
    gone.send_some("{\"verb\":\"think\"}\n");
    for (int i = 0; i < 5; ++i) server.loop.run_once(1ms);
  }
  server.open_gate();
  RawClient other(server.api.path());
  other.send_some("{\"verb\":\"think\"}\n");
  CHECK(other.answer(server.loop)["result"] == "thought");
}

TEST_CASE("a list in rows is one answer, made as it is taken, and others are answered meanwhile") {
  Thinker server;
  RawClient reader(server.api.path()), other(server.api.path());
  reader.send_some("{\"verb\":\"rows\"}\n{\"verb\":\"after\"}\n");
  for (int i = 0; i < 100; ++i) server.loop.run_once(1ms);
  CHECK(server.rows_made > 0);
  CHECK(server.rows_made < kRows / 2);  // what the socket holds, and a slice
  other.send_some("{\"verb\":\"show\"}\n");
  CHECK(other.answer(server.loop)["ok"] == true);

  const json reply = reader.answer(server.loop);
  REQUIRE(reply["ok"] == true);
  REQUIRE(reply["result"].size() == kRows);
  bool in_order = true;
  for (int i = 0; i < kRows; ++i) in_order = in_order && reply["result"][static_cast<size_t>(i)]["row"] == i;
  CHECK(in_order);
  CHECK(reader.answer(server.loop)["result"]["verb"] == "after");
  other.send_some("{\"verb\":\"no rows\"}\n");
  CHECK(other.answer(server.loop) == json{{"ok", true}, {"result", json::array()}});
}

TEST_CASE("a client that goes in the midst of a list does no harm") {
  Thinker server;
  {
    RawClient gone(server.api.path());
    gone.send_some("{\"verb\":\"rows\"}\n");
    for (int i = 0; i < 5; ++i) server.loop.run_once(1ms);
  }
  for (int i = 0; i < 20; ++i) server.loop.run_once(1ms);
  CHECK(server.rows_made < kRows);
  RawClient other(server.api.path());
  other.send_some("{\"verb\":\"show\"}\n");
  CHECK(other.answer(server.loop)["ok"] == true);
}

TEST_CASE("replies that nobody reads are bounded: who leaves most of them goes") {
  Thinker server;  // 5 MB
  std::vector<std::unique_ptr<RawClient>> deaf;
  for (const int bytes : {2'000'000, 3'500'000}) {
    deaf.push_back(std::make_unique<RawClient>(server.api.path()));
    deaf.back()->send_some("{\"verb\":\"big\",\"bytes\":" + std::to_string(bytes) + "}\n");
    for (int i = 0; i < 10; ++i) server.loop.run_once(1ms);
  }
  CHECK(deaf[1]->closed_by_server(server.loop));
  CHECK(deaf[0]->answer(server.loop)["result"].get<std::string>().size() == 2'000'000);
}

TEST_CASE("a small question is answered within two rounds of the loop, however many lists are under way") {
  Thinker server;
  std::vector<std::unique_ptr<RawClient>> readers;
  for (int i = 0; i < 50; ++i) {
    readers.push_back(std::make_unique<RawClient>(server.api.path()));
    std::string many;
    for (int n = 0; n < 1000; ++n) many += "{\"verb\":\"rows\"}\n";
    readers.back()->send_some(many);
  }
  RawClient other(server.api.path());
  for (int i = 0; i < 5; ++i) server.loop.run_once(0ms);
  int rounds_with_answer = 0;
  for (int i = 0; i < 10; ++i) {
    other.send_some("{\"verb\":\"show\"}\n");
    for (int round = 0; round < 2; ++round) server.loop.run_once(0ms);
    rounds_with_answer += other.has_answer() ? 1 : 0;
    for (const auto& reader : readers) reader->swallow();  // so that there is more to do for it
  }
  CHECK(rounds_with_answer == 10);
  CHECK(server.rows_made > 0);
}

}  // namespace causeway::test
