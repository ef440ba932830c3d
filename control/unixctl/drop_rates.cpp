#include "control/unixctl/drop_rates.h"

namespace causeway::unixctl {
namespace {

template <size_t count>
uint64_t sum_of(const std::array<DropRates::Totals, count>& parts, size_t reason) {
  uint64_t sum = 0;
  for (const DropRates::Totals& part : parts) sum += part.at(reason);
  return sum;
}

}  // namespace

void DropRates::sample(const Totals& totals) {
  Totals& interval = intervals_.at(samples_ % kIntervals);
  for (size_t reason = 0; reason < kDropReasons; ++reason) interval.at(reason) = totals.at(reason) - last_.at(reason);
  last_ = totals;
  ++samples_;
  if (samples_ % kIntervals != 0) return;
  Totals& minute = minutes_.at((samples_ / kIntervals - 1) % kMinutes);
  for (size_t reason = 0; reason < kDropReasons; ++reason) minute.at(reason) = sum_of(intervals_, reason);
}

DropRates::Rates DropRates::of(size_t reason) const {
  if (samples_ == 0) return {};
  constexpr double kSeconds = kInterval.count();
  const Totals& last = intervals_.at((samples_ - 1) % kIntervals);
  return {static_cast<double>(last.at(reason)) / kSeconds,
          static_cast<double>(sum_of(intervals_, reason)) / (kSeconds * kIntervals),
          static_cast<double>(sum_of(minutes_, reason)) / (kSeconds * kIntervals * kMinutes)};
}

}  // namespace causeway::unixctl
