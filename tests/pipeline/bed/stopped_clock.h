// Time in the test's hand: what the control thread does after half a minute is seen at once, and to the millisecond.
#pragma once

#include <chrono>

namespace causeway::test {

// While it lives the process' monotonic clock stands, and goes on only by advance(). Workers' seconds are counted in
// cycles and pass as ever. Whoever waits for a time by this clock waits for good.
class StoppedClock {
 public:
  StoppedClock();
  ~StoppedClock();
  StoppedClock(const StoppedClock&) = delete;
  StoppedClock& operator=(const StoppedClock&) = delete;

  void advance(std::chrono::milliseconds time);
};

}  // namespace causeway::test
