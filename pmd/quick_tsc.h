// DPDK measures how fast the TSC is, where the processor doesn't say it, while it sleeps for 100 ms in rte_eal_init().
// It has no option for that, so nanosleep(2) is our own in this program: there it sleeps for 10 ms, which is enough,
// and otherwise does what the C library's does.
#pragma once

#include <cstdint>

namespace causeway {

// As long as it lives, in the thread that made it.
class QuickTsc {
 public:
  QuickTsc();
  ~QuickTsc();
  QuickTsc(const QuickTsc&) = delete;
  QuickTsc& operator=(const QuickTsc&) = delete;

  // Whether what DPDK has measured fits the time since it was made. Not where the thread lost its core in the midst of
  // a look at both clocks.
  bool is_right() const;

 private:
  // The TSC, and CLOCK_MONOTONIC_RAW in seconds, at the same time.
  struct Moment {
    uint64_t cycles;
    double s;
  };
  static Moment now();

  const Moment start_ = now();
};

}  // namespace causeway
