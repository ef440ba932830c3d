// Requests larger than any input: a part of it is repeated, up to a megabyte. Each costs what its length costs, and is
// answered or refused; meanwhile others are answered.
//
//   input: repetitions (2 bytes, little endian), length of the head (2), of the part (2), then head, part, tail
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/fuzz/service.h"
#include "tests/fuzz/target.h"

namespace causeway::test {
namespace {

using std::chrono::steady_clock;

constexpr size_t kMostBytes = 1 << 20;
constexpr size_t kMostLines = 64;
// Far above what a megabyte takes, and far below what anything quadratic takes.
#ifdef __SANITIZE_ADDRESS__
constexpr std::chrono::seconds kMostTime{60};
#else
constexpr std::chrono::seconds kMostTime{15};
#endif

std::string expanded(std::string_view input) {
  const auto number = [&input](size_t at) {
    return static_cast<size_t>(static_cast<unsigned char>(input[at])) |
           static_cast<size_t>(static_cast<unsigned char>(input[at + 1])) << 8;
  };
  size_t repetitions = number(0);
  const size_t head = number(2);
  const size_t part = number(4);
  input.remove_prefix(6);
  std::string line(input.substr(0, head));
  input.remove_prefix(std::min(head, input.size()));
  const std::string_view repeated = input.substr(0, part);
  if (!repeated.empty()) repetitions = std::min(repetitions, kMostBytes / repeated.size());
  // Each line is a request of its own, and may be a long one to serve.
  const auto lines = static_cast<size_t>(std::ranges::count(repeated, '\n'));
  if (lines != 0) repetitions = std::min(repetitions, kMostLines / lines);
  for (; repetitions > 0; --repetitions) line += repeated;
  line += input.substr(repeated.size());
  return line;
}

[[noreturn]] void violated(const char* what) {
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

// Somebody else's small question.
class Bystander {
 public:
  explicit Bystander(const Service& service) : fd_(service.connect()) { ask(); }
  ~Bystander() { close(fd_); }
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;

  void look() {
    char answer[256];
    if (recv(fd_, answer, sizeof(answer), 0) > 0) {
      ask();
    } else if (steady_clock::now() - asked_ > kMostTime / 3) {
      violated("nobody waits for another's large request");
    }
  }

 private:
  void ask() {
    if (send(fd_, "{\"verb\":\"x\"}\n", 13, MSG_NOSIGNAL) != 13) violated("a good client is never pushed out");
    asked_ = steady_clock::now();
  }

  int fd_;
  steady_clock::time_point asked_{};
};

// Until the server has taken all, answered all, and hung up.
void talk(Service& service, std::string_view lines) {
  const int fd = service.connect();
  Bystander bystander(service);
  const auto start = steady_clock::now();
  bool ended = false;
  while (!ended) {
    if (steady_clock::now() - start > kMostTime) violated("a request costs no more than its length");
    if (!lines.empty()) {
      const ssize_t sent = send(fd, lines.data(), lines.size(), MSG_NOSIGNAL);
      if (sent > 0) lines.remove_prefix(static_cast<size_t>(sent));
      if (lines.empty() || (sent < 0 && errno != EAGAIN)) {
        lines = {};
        shutdown(fd, SHUT_WR);
      }
    }
    service.loop.run_once(std::chrono::microseconds(lines.empty() ? 1000 : 0));
    bystander.look();
    char answer[4096];
    for (ssize_t got = 1; got > 0 && !ended;) {
      got = recv(fd, answer, sizeof(answer), 0);
      ended = got == 0 || (got < 0 && errno != EAGAIN);
    }
  }
  close(fd);
}

}  // namespace
}  // namespace causeway::test

using namespace causeway::test;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 6 || size > 64 * 1024) return 0;
  static Service service;
  static unsigned inputs = 0;
  if (inputs++ % 16 == 0) service.start_afresh();
  talk(service, expanded({reinterpret_cast<const char*>(data), size}) + "\n");
  service.bed.run();
  return 0;
}
