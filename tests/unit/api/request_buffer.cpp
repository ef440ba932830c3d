#include "control/api/request_buffer.h"

#include <string>

#include "tests/catch.h"

using causeway::RequestBuffer;

TEST_CASE("request buffer: what goes in at the end comes out at the front") {
  RequestBuffer buffer;
  std::string expected;
  for (int i = 0; i < 2000; ++i) {
    const std::string piece(static_cast<size_t>(i % 700), static_cast<char>('a' + i % 26));
    REQUIRE(buffer.append(piece));
    expected += piece;
    if (i % 3 != 0) continue;
    const size_t count = buffer.size() / 5;
    buffer.drop_front(count);
    expected.erase(0, count);
    REQUIRE(buffer.view() == expected);
  }
  RequestBuffer moved(std::move(buffer));
  CHECK(moved.view() == expected);
  moved.drop_front(moved.size());
  CHECK(moved.empty());
  REQUIRE(moved.append("again"));
  CHECK(moved.view() == "again");
}

TEST_CASE("request buffer: large, and nothing is left of it") {
  RequestBuffer buffer;
  const std::string piece(1 << 20, 'x');
  for (int i = 0; i < 40; ++i) REQUIRE(buffer.append(piece));
  CHECK(buffer.size() == 40 * piece.size());
  CHECK(buffer.view().find_first_not_of('x') == std::string_view::npos);
  buffer.drop_front(buffer.size());
  CHECK(buffer.view().empty());
}
