// Which numbers split-horizon groups get, and for how long.
#include "control/publish/split_groups.h"

#include <string>
#include <vector>

#include "tests/catch.h"

namespace causeway::test {
namespace {

SplitGroups::Membership joined(SplitGroups& groups, const std::optional<std::string>& name) {
  SplitGroups::Membership membership;
  const Error error = groups.join(name, membership);
  CHECK(error.text().empty());
  return membership;
}

}  // namespace

TEST_CASE("split groups: one number a name, and none for who is in none") {
  SplitGroups groups;
  const auto none = joined(groups, std::nullopt);
  const auto nameless = joined(groups, "");
  const auto edge = joined(groups, "edge");
  const auto edge_too = joined(groups, "edge");
  CHECK(number_of(none) == kNoSplitGroup);
  CHECK(number_of(nameless) != kNoSplitGroup);
  CHECK(number_of(edge) != kNoSplitGroup);
  CHECK(number_of(edge) != number_of(nameless));
  CHECK(number_of(edge_too) == number_of(edge));
}

TEST_CASE("split groups: who joins another group leaves the first") {
  SplitGroups groups;
  auto member = joined(groups, "a");
  const SplitGroup first = number_of(member);
  CHECK(groups.join("a", member).text().empty());
  CHECK(number_of(member) == first);
  CHECK(groups.join("b", member).text().empty());
  CHECK(number_of(member) != first);
  CHECK(groups.join(std::nullopt, member).text().empty());
  CHECK(number_of(member) == kNoSplitGroup);
}

TEST_CASE("split groups: a number stays with its group as long as somebody is in it, and isn't dealt again at once") {
  SplitGroups groups;
  auto first = joined(groups, "a");
  auto second = joined(groups, "a");
  const SplitGroup number = number_of(first);
  first.reset();
  CHECK(number_of(joined(groups, "a")) == number);
  second.reset();
  CHECK(number_of(joined(groups, "b")) != number);
}

TEST_CASE("split groups: there are 65,535, over and over") {
  SplitGroups groups;
  std::vector<SplitGroups::Membership> all;
  for (int i = 1; i <= UINT16_MAX; ++i) all.push_back(joined(groups, "g" + std::to_string(i)));
  SplitGroups::Membership kept = all.front();
  const SplitGroup number = number_of(kept);
  CHECK(groups.join("one more", kept).text() == "no more than 65535 split-horizon groups");
  CHECK(number_of(kept) == number);
  CHECK(number_of(joined(groups, "g7")) == number_of(all[6]));
  const SplitGroup freed = number_of(all[100]);
  all[100].reset();
  CHECK(number_of(joined(groups, "one more")) == freed);
}

}  // namespace causeway::test
