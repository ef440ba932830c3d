// What DPDK has measured in less time is as right, and sleeping is as long as ever.
#include "pmd/quick_tsc.h"

#include <rte_cycles.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "tests/catch.h"
#include "tests/unit/pmd/bed.h"

using namespace causeway;
using namespace causeway::test;
using namespace std::chrono_literals;

namespace {

double clock_s() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

TEST_CASE("the TSC is as fast as DPDK takes it for") {
  pool();
  const QuickTsc tsc;
  const double before_s = clock_s();
  const uint64_t before = rte_rdtsc();
  std::this_thread::sleep_for(100ms);
  const auto cycles = static_cast<double>(rte_rdtsc() - before);
  const double hz = cycles / (clock_s() - before_s);
  CHECK(std::abs(hz / static_cast<double>(rte_get_tsc_hz()) - 1) < 0.01);
  CHECK(tsc.is_right());
}

TEST_CASE("who sleeps after the start sleeps as long as he wants") {
  pool();
  const double before_s = clock_s();
  const timespec wanted{0, 50'000'000};
  CHECK(nanosleep(&wanted, nullptr) == 0);
  CHECK(clock_s() - before_s > 0.045);
  const timespec wrong{0, 2'000'000'000};
  CHECK(nanosleep(&wrong, nullptr) == -1);
  CHECK(errno == EINVAL);
}
