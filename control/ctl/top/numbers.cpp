#include "control/ctl/top/numbers.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace causeway::top {

std::string short_number(std::optional<double> number) {
  constexpr const char* kUnits[] = {"", "k", "M", "G", "T"};
  if (!number) return "-";
  double value = *number;
  size_t unit = 0;
  // What is rounded to 1000 is one of the next unit.
  while (value >= 999.5 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  if (unit == 0)
    return value < 9.95 && value != std::floor(value) ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}{}", value, decimals, kUnits[unit]);
}

std::string percent(std::optional<double> part, std::optional<double> whole) {
  return part && whole && *whole > 0 ? fmt::format("{:.0f}", *part / *whole * 100) : "-";
}

std::string short_duration(uint64_t seconds) {
  constexpr uint64_t kMinute = 60;
  constexpr uint64_t kHour = 60 * kMinute;
  constexpr uint64_t kDay = 24 * kHour;
  if (seconds < kMinute) return fmt::format("{} s", seconds);
  if (seconds < kHour) return fmt::format("{} min", seconds / kMinute);
  if (seconds < kDay) return fmt::format("{} h {} min", seconds / kHour, seconds % kHour / kMinute);
  return fmt::format("{} d {} h", seconds / kDay, seconds % kDay / kHour);
}

}  // namespace causeway::top
