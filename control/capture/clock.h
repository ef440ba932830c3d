// What time it was when a worker read the timestamp counter.
#pragma once

#include <cstdint>

namespace causeway {

class CaptureClock {
 public:
  CaptureClock() { set(); }

  // Looks at the system's clock again once a second has passed: the two don't run alike, and somebody may set it.
  void follow();
  // Nanoseconds since 1970-01-01 UTC.
  uint64_t time_at(uint64_t cycles) const noexcept;
  uint64_t now() const;

 private:
  void set();

  double ns_per_cycle_ = 0;
  uint64_t cycles_ = 0;
  uint64_t ns_ = 0;  // what time it was at `cycles_`
};

}  // namespace causeway
