// How often frames die, by reason: over the last 5 seconds, minute and hour, as Open vSwitch's coverage counters are
// told. Control thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "dataplane/drop_reason.h"

namespace causeway::unixctl {

class DropRates {
 public:
  using Totals = std::array<uint64_t, kDropReasons>;
  static constexpr std::chrono::seconds kInterval{5};

  // To be called each kInterval, with what has been counted so far.
  void sample(const Totals& totals);

  // A second, on average.
  struct Rates {
    double interval = 0;
    double minute = 0;
    double hour = 0;
  };
  Rates of(size_t reason) const;

 private:
  static constexpr size_t kIntervals = 12;  // a minute
  static constexpr size_t kMinutes = 60;

  Totals last_{};
  size_t samples_ = 0;
  std::array<Totals, kIntervals> intervals_{};  // what came in each, the last ones in turn
  std::array<Totals, kMinutes> minutes_{};
};

}  // namespace causeway::unixctl
