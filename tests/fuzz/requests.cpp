// Lines on the control socket.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/service.h"
#include "tests/fuzz/target.h"

using namespace causeway::test;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 64 * 1024) return 0;  // less than the socket's buffer; large ones: large_requests.cpp
  static Service service;
  static unsigned inputs = 0;
  if (inputs++ % 64 == 0) service.start_afresh();
  const int fd = service.connect();
  if (send(fd, data, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) std::abort();
  shutdown(fd, SHUT_WR);
  char answer[4096];
  bool ended = false;
  // Some of it is done in the background: the loop waits for that.
  const auto patience_ends = std::chrono::steady_clock::now() + std::chrono::seconds(15);
  while (!ended && std::chrono::steady_clock::now() < patience_ends) {
    service.loop.run_once(std::chrono::milliseconds(1));
    service.bed.run();
    for (ssize_t got = 1; got > 0 && !ended;) {
      got = recv(fd, answer, sizeof(answer), 0);
      ended = got == 0;
    }
  }
  close(fd);
  if (!ended) {
    std::fputs("violated: who has asked all gets all answers, and the end\n", stderr);
    std::abort();
  }
  return 0;
}
