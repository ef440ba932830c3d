#include "tests/pipeline/bed/stopped_clock.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

namespace {

std::atomic<int64_t> stopped_at_ns{0};  // 0: it goes

}  // namespace

// The program's own goes before the C library's, and std::chrono::steady_clock asks it.
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const int64_t ns = stopped_at_ns.load(std::memory_order_relaxed);
  if (clock != CLOCK_MONOTONIC || ns == 0) return static_cast<int>(syscall(SYS_clock_gettime, clock, time));
  *time = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  return 0;
}

namespace causeway::test {

StoppedClock::StoppedClock() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  stopped_at_ns = now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

StoppedClock::~StoppedClock() { stopped_at_ns = 0; }

void StoppedClock::advance(std::chrono::milliseconds time) { stopped_at_ns += std::chrono::nanoseconds(time).count(); }

}  // namespace causeway::test
