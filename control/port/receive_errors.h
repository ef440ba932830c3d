// Frames that a device could not hand over. No worker has seen them, so they are counted as drops, and told in the log,
// here.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "control/port/ports.h"

namespace causeway {

class ReceiveErrors {
 public:
  using Clock = std::chrono::steady_clock;

  // How many there were since the last time, of all ports together. Looks once a second.
  uint64_t step(const Ports& ports, Clock::time_point now);

 private:
  struct Seen {
    uint64_t errors = 0;
    Clock::time_point logged{};
    uint64_t unlogged = 0;
  };
  std::map<std::string, Seen> seen_;
  Clock::time_point looked_{};
};

}  // namespace causeway
