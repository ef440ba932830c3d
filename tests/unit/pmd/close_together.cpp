// Many descriptors, closed at once.
#include "pmd/close_together.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "tests/catch.h"

using namespace causeway;

TEST_CASE("all are closed, however many") {
  for (const size_t count : {0, 1, 3, 200}) {
    std::vector<FileDescriptor> readers;
    std::vector<FileDescriptor> writers;
    for (size_t i = 0; i < count; ++i) {
      std::array<int, 2> ends{};
      REQUIRE(pipe(ends.data()) == 0);
      readers.emplace_back(ends[0]);
      writers.emplace_back(ends[1]);
    }
    if (count != 0) writers.emplace_back();  // one that isn't open
    close_together(std::move(writers));
    size_t ended = 0;
    for (const FileDescriptor& reader : readers) {
      pollfd end{reader.get(), POLLIN, 0};
      if (poll(&end, 1, 0) == 1 && (end.revents & POLLHUP) != 0) ++ended;
    }
    CHECK(ended == count);
  }
}
