// Lines to a descriptor whose reader sleeps, is gone, or has no room.
#include "control/process/log_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <sstream>
#include <string>
#include <thread>

#include "tests/catch.h"

using causeway::LogWriter;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

std::string tell(uint64_t lines) { return std::to_string(lines) + " lost\n"; }

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe() {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    read_end = ends[0];
    write_end = ends[1];
    fcntl(read_end, F_SETFL, O_NONBLOCK);
  }
  ~Pipe() {
    close_reader();
    close(write_end);
  }
  void close_reader() {
    if (read_end >= 0) close(read_end);
    read_end = -1;
  }
  // What stands in it, read until nothing has come for a while.
  std::string read_all() const {
    std::string text;
    for (auto last = steady_clock::now(); steady_clock::now() - last < 100ms; std::this_thread::sleep_for(1ms)) {
      char chunk[65536];
      for (ssize_t count = 1; (count = read(read_end, chunk, sizeof chunk)) > 0; last = steady_clock::now()) {
        text.append(chunk, static_cast<size_t>(count));
      }
    }
    return text;
  }
};

}  // namespace

TEST_CASE("log writer: lines come out whole, in order") {
  const Pipe pipe;
  LogWriter writer(pipe.write_end, 1 << 20, tell);
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    writer.add("line " + std::to_string(i) + "\n");
    expected += "line " + std::to_string(i) + "\n";
  }
  CHECK(writer.flush(5s));
  CHECK(pipe.read_all() == expected);
  CHECK(writer.lost() == 0);
}

TEST_CASE("log writer: a reader that sleeps holds nobody up; what is lost is counted, and told when it wakes") {
  const Pipe pipe;
  LogWriter writer(pipe.write_end, 100'000, tell);
  const std::string rest(99, 'x');
  const auto start = steady_clock::now();
  constexpr int kLines = 20'000;  // 2 MB, of which pipe and queue hold some 170 KB
  for (int i = 0; i < kLines; ++i) writer.add(std::to_string(i) + rest + "\n");
  CHECK(steady_clock::now() - start < 2s);
  CHECK_FALSE(writer.flush(10ms));
  const uint64_t lost = writer.lost();
  CHECK(lost > kLines / 2);
  CHECK(lost < kLines);

  const std::string text = pipe.read_all();
  CHECK(writer.flush(1s));
  CHECK(writer.lost() == lost);
  CHECK(text.ends_with("\n" + std::to_string(kLines - 1) + rest + "\n"));  // the newest lines are kept
  uint64_t told = 0;
  uint64_t lines = 0;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) {
    if (line.ends_with(" lost")) {
      told += std::stoull(line);
    } else {
      ++lines;
    }
  }
  CHECK(told == lost);
  CHECK(lines == kLines - lost);
}

TEST_CASE("log writer: a reader that has gone costs its lines, and no more") {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  LogWriter writer(pipe.write_end, 1 << 20, tell);
  pipe.close_reader();
  for (int i = 0; i < 10; ++i) writer.add("line\n");
  CHECK(writer.flush(5s));
  CHECK(writer.lost() == 10);
  std::signal(SIGPIPE, before);
}

TEST_CASE("log writer: no room on the device") {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  LogWriter writer(full, 1 << 20, tell);
  for (int i = 0; i < 3; ++i) writer.add("line\n");
  CHECK(writer.flush(5s));
  CHECK(writer.lost() == 3);
}

TEST_CASE("log writer: its end waits for nobody") {
  const Pipe pipe;
  const auto start = steady_clock::now();
  {
    LogWriter writer(pipe.write_end, 1 << 20, tell);
    for (int i = 0; i < 2000; ++i) writer.add(std::string(99, 'x') + "\n");
    CHECK_FALSE(writer.flush(50ms));
  }
  CHECK(steady_clock::now() - start < 2s);
  CHECK_FALSE(pipe.read_all().empty());  // lets the thread go on, to its end
}
