// The tables of `show`, as they are described (control/view): of all of them, what no table says of itself.
#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "control/api/subjects.h"
#include "control/view/view.h"
#include "tests/catch.h"

namespace causeway::test {

TEST_CASE("every subject that is offered has a table, and no other has one") {
  for (const ShowSubject& subject : kShowSubjects) {
    CAPTURE(subject.name);
    CHECK(find_table(subject.name));
    CHECK_FALSE(subject.rows.empty());
  }
  for (const char* none : {"", "port", "portss", "Ports"}) CHECK_FALSE(find_table(none));
}

TEST_CASE("columns: unique names and titles, a sentence of help, a unit where they count") {
  for (const ShowSubject& subject : kShowSubjects) {
    std::set<std::string_view> names, titles;
    const std::vector<ColumnText> columns = find_table(subject.name)->columns;
    for (const ColumnText& column : columns) {
      CAPTURE(subject.name, column.name);
      CHECK_FALSE(column.name.empty());
      CHECK(names.insert(column.name).second);
      if (!column.title.empty()) CHECK(titles.insert(column.title).second);
      CHECK(column.help.size() > 5);
      CHECK(column.help.ends_with('.'));
      if (column.kind == ColumnKind::counter) CHECK_FALSE(column.unit.empty());
      if (column.kind == ColumnKind::text) CHECK(column.unit.empty());
    }
    CHECK_FALSE(titles.empty());
  }
}

TEST_CASE("columns as the socket carries them") {
  const nlohmann::json columns = columns_json(*find_table("tunnels"));
  CHECK(columns.at(0) == nlohmann::json{{"name", "name"}, {"title", "NAME"}, {"kind", "text"}});
  CHECK(std::ranges::count(
            columns,
            nlohmann::json{
                {"name", "rx_packets"}, {"title", "RX PACKETS"}, {"kind", "counter"}, {"unit", "packets"}}) == 1);
  CHECK(std::ranges::count(columns, nlohmann::json{{"name", "rx_bytes"}, {"kind", "counter"}, {"unit", "bytes"}}) == 1);
}

}  // namespace causeway::test
