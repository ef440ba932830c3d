#include "control/change/confirmation.h"

#include "tests/catch.h"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr Confirmation::Clock::time_point kNow{1000h};

Version version(const std::string& name) {
  config::Config config;
  config.system.name = name;
  return {std::make_shared<const config::Config>(config), nullptr};
}

}  // namespace

TEST_CASE("confirmation: a change has its time, and ends by being confirmed") {
  Confirmation confirmation;
  CHECK(!confirmation.awaited());
  confirmation.await(version("before"), "apply new.yaml", kNow + 60s);
  CHECK(confirmation.awaited());
  CHECK(confirmation.change() == "apply new.yaml");
  CHECK(confirmation.before().config->system.name == "before");
  CHECK(confirmation.left(kNow) == 60s);
  CHECK(confirmation.left(kNow + 59999ms) == 1ms);
  CHECK(confirmation.left(kNow + 60s) == 0s);
  CHECK(confirmation.left(kNow + 24h) == 0s);
  confirmation.end();
  CHECK(!confirmation.awaited());
  CHECK(confirmation.before().config == nullptr);
}

TEST_CASE("confirmation: of several changes all go back, in the time of the last") {
  Confirmation confirmation;
  confirmation.await(version("first"), "apply a.yaml", kNow + 60s);
  confirmation.await(version("second"), "apply b.yaml", kNow + 90s);
  CHECK(confirmation.before().config->system.name == "first");
  CHECK(confirmation.change() == "apply b.yaml");
  CHECK(confirmation.left(kNow) == 90s);
}

TEST_CASE("confirmation: what couldn't go back is tried again") {
  Confirmation confirmation;
  confirmation.await(version("before"), "apply a.yaml", kNow);
  confirmation.try_later(kNow + 1s);
  CHECK(confirmation.awaited());
  CHECK(confirmation.left(kNow + 1s) == Confirmation::kPause);
}

TEST_CASE("confirmation: what is kept of it is read again, and nothing else is taken for it") {
  const Unconfirmed kept{"apply \"new\".yaml", "version: 1\n# a comment\n"};
  const std::string text = text_of(kept);
  const auto again = read_unconfirmed(text);
  REQUIRE(again);
  CHECK(again->change == kept.change);
  CHECK(again->yaml == kept.yaml);
  // But for the end of the line, each piece counts.
  for (size_t bytes = 0; bytes + 1 < text.size(); ++bytes) CHECK(!read_unconfirmed(text.substr(0, bytes)));
  for (const char* const strange : {"[]", "{}", "7", R"({"change": 7, "yaml": "x"})", R"({"change": "x"})"}) {
    CHECK(!read_unconfirmed(strange));
  }
}

}  // namespace causeway::test
