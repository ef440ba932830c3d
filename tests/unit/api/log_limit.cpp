// Lines about what happens often: once, and then how many more.
#include "control/process/log_limit.h"
#include "control/bridge/mac_moves.h"
#include "tests/catch.h"
#include "tests/support/log_lines.h"

namespace causeway::test {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

namespace {

const LogLimit::Clock::time_point start{1000h};

}  // namespace

TEST_CASE("log limit: one line at once, and the rest in one after half a minute") {
  LogLines log;
  LogLimit limit;
  unsigned made = 0;
  const auto say = [&](const char* text, LogLimit::Clock::duration at) {
    limit.event(
        spdlog::level::warn, 3, 7, [&] { return ++made, std::string(text); }, start + at);
  };
  say("full", 0s);
  CHECK(log.take() == Lines{"warning: full"});
  for (int i = 0; i < 58; ++i) say("fuller", 10s);
  CHECK(made == 1);  // what isn't written isn't made either
  limit.tick(start + 29s);
  CHECK(log.take().empty());
  limit.tick(start + 30s);
  CHECK(log.take() == Lines{"warning: full, and 57 more like it"});
  say("full", 59s);
  limit.tick(start + 59s);
  CHECK(log.take().empty());
  limit.tick(start + 60s);
  CHECK(log.take() == Lines{"warning: full"});
  limit.tick(start + 90s);  // nothing in half a minute: forgotten
  CHECK(log.take().empty());
  say("again", 91s);
  CHECK(log.take() == Lines{"warning: again"});
}

TEST_CASE("log limit: of many states a few are said, and the last one") {
  LogLines log;
  LogLimit limit;
  const auto say = [&](LogLimit::Level level, const char* text) {
    limit.state(
        level, 1, 7, [&] { return std::string(text); }, start);
  };
  for (int i = 0; i < 4; ++i) {
    say(spdlog::level::warn, "lost");
    say(spdlog::level::info, "found");
  }
  CHECK(log.take() == Lines{"warning: lost", "info: found", "warning: lost", "info: found"});
  limit.tick(start + 30s);
  CHECK(log.take() == Lines{"info: found, and 3 more like it"});
}

TEST_CASE("log limit: objects without number cost a bounded table and one line") {
  LogLines log;
  LogLimit limit;
  for (uint64_t object = 0; object < 10000; ++object) {
    limit.state(
        spdlog::level::info, 1, object, [&] { return "up " + std::to_string(object); }, start);
  }
  Lines lines = log.take();
  CHECK(lines.size() == LogLimit::kObjects);
  CHECK(lines.back() == "info: up 19");
  limit.event(
      spdlog::level::warn, 2, 5, [] { return std::string("of another kind"); }, start);
  CHECK(log.take() == Lines{"warning: of another kind"});
  limit.tick(start + 2s);
  CHECK(log.take() == Lines{"info: up 20, and 9979 more like it"});
  limit.tick(start + 32s);
  CHECK(log.take().empty());
  limit.state(
      spdlog::level::info, 1, 30, [] { return std::string("up 30"); }, start + 33s);
  CHECK(log.take() == Lines{"info: up 30"});
}

TEST_CASE("mac moves: to and fro, not once or twice") {
  MacMoves moves;
  std::vector<std::string> seen;
  const auto visit = [&](const MacMoves::Moves& m) {
    seen.push_back(std::to_string(m.key) + ": " + std::to_string(m.from) + " " + std::to_string(m.to) + " " +
                   std::to_string(m.count));
  };
  moves.tick(visit, start);
  for (AdjacencyIndex i = 0; i < 57; ++i) moves.moved(1, 100, 5 + i % 2, 6 - i % 2);
  for (AdjacencyIndex i = 0; i < 3; ++i) moves.moved(1, 101, i, i + 1);
  moves.tick(visit, start + 4s);
  CHECK(seen.empty());
  moves.tick(visit, start + 5s);
  CHECK(seen == std::vector<std::string>{"100: 5 6 57"});
  moves.tick(visit, start + 10s);
  CHECK(seen.size() == 1);
  for (MacVlan key = 0; key < 100000; ++key) {
    for (int i = 0; i < 4; ++i) moves.moved(1, key, 1, 2);
  }
  moves.tick(visit, start + 15s);
  CHECK(seen.size() == 1 + MacMoves::kMost);
}

}  // namespace causeway::test
