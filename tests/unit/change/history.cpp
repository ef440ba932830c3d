#include "control/change/history.h"

#include <unistd.h>

#include "tests/catch.h"

namespace causeway::test {
namespace {

using nlohmann::json;

Change change(uint64_t generation) {
  return {.time = std::chrono::system_clock::from_time_t(1769860800 + static_cast<time_t>(generation)),
          .generation = generation,
          .uid = generation % 2 == 0 ? std::optional<uid_t>(0) : std::nullopt,
          .user = generation % 2 == 0 ? "root" : "",
          .verb = ChangeVerb::apply,
          .label = "new.yaml",
          .operations = 2,
          .plan = {"+ tunnel gnv1", "\"quoted\"\n"},
          .done = generation % 3 != 0,
          .note = "why \xff"};
}

}  // namespace

TEST_CASE("history: what is written is read again") {
  History history;
  for (uint64_t i = 1; i <= 8; ++i) {
    Change each = change(i);
    each.verb = static_cast<ChangeVerb>(i - 1);
    history.add(each);
  }
  const std::string text = history.text();
  size_t strange = 7;
  const History again = History::read(text, strange);
  CHECK(strange == 0);
  CHECK(again.text() == text);
  REQUIRE(again.all().size() == 8);
  CHECK(json_of(again.all().front()) == json{{"time", "2026-01-31T12:00:01Z"},
                                             {"generation", 1},
                                             {"uid", nullptr},
                                             {"user", "causewayd"},
                                             {"verb", "start"},
                                             {"label", "new.yaml"},
                                             {"operations", 2},
                                             {"plan", {"+ tunnel gnv1", "\"quoted\"\n"}},
                                             {"result", "done"},
                                             {"note", "why \xef\xbf\xbd"}});
  CHECK(json_of(again.all()[1]).at("user") == "root");
  CHECK(json_of(again.all()[2]).at("result") == "refused");
}

TEST_CASE("history: of a file that was cut or is strange the rest counts") {
  History history;
  for (uint64_t i = 1; i <= 3; ++i) history.add(change(i));
  const std::string text = history.text();
  size_t strange = 0;
  CHECK(History::read(text.substr(0, text.size() - 10), strange).all().size() == 2);
  CHECK(strange == 1);
  const std::string garbage = "\n[]\n{}\n" + std::string(100, '[') + "\n{\"time\": 5}\n" + text;
  CHECK(History::read(garbage, strange).all().size() == 3);
  CHECK(strange == 5);
  CHECK(History::read("", strange).all().empty());
  CHECK(strange == 0);
  for (size_t bytes = 0; bytes < text.size(); ++bytes)
    CHECK(History::read(text.substr(0, bytes), strange).all().size() <= 3);
}

TEST_CASE("history: it doesn't grow for good") {
  History history;
  Change large = change(0);
  large.label = std::string(5000, 'x');
  large.note = large.label;
  large.plan = std::vector<std::string>(1000, large.label);
  for (uint64_t i = 1; i <= 2 * History::kMost; ++i) {
    large.generation = i;
    history.add(large);
  }
  REQUIRE(history.all().size() == History::kMost);
  CHECK(history.all().front().generation == History::kMost + 1);
  CHECK(history.all().back().plan.size() == History::kMostPlanLines);
  CHECK(history.all().back().plan.front().size() == History::kMostTextBytes);
  CHECK(history.all().back().label.ends_with("xxx..."));
}

TEST_CASE("history: a user without a name is a number") {
  Change of_nobody = change(1);
  of_nobody.uid = 3999999999;
  CHECK(json_of(of_nobody).at("user") == "3999999999");
}

}  // namespace causeway::test
