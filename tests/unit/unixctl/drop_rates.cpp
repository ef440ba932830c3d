// Rates over three spans of time, the clock being who calls sample() each 5 seconds.
#include "control/unixctl/drop_rates.h"

#include "tests/catch.h"

namespace causeway::unixctl {
namespace {

constexpr size_t kReason = 3;

DropRates::Totals totals_of(uint64_t count) {
  DropRates::Totals totals{};
  totals.at(kReason) = count;
  return totals;
}

}  // namespace

TEST_CASE("60 drops are 12 a second for 5 seconds, 1 for a minute, and a 60th for an hour") {
  DropRates rates;
  CHECK(rates.of(kReason).interval == 0);
  rates.sample(totals_of(60));
  CHECK(rates.of(kReason).interval == 12);
  CHECK(rates.of(kReason).minute == 1);
  CHECK(rates.of(kReason).hour == 0);  // no minute is over
  for (int i = 1; i < 12; ++i) rates.sample(totals_of(60));
  CHECK(rates.of(kReason).interval == 0);
  CHECK(rates.of(kReason).minute == 1);
  CHECK(rates.of(kReason).hour == 60.0 / 3600);
  rates.sample(totals_of(60));
  CHECK(rates.of(kReason).minute == 0);
  for (int i = 13; i < 60 * 12; ++i) rates.sample(totals_of(60));
  CHECK(rates.of(kReason).hour == 60.0 / 3600);
  for (int i = 0; i < 12; ++i) rates.sample(totals_of(60));
  CHECK(rates.of(kReason).hour == 0);
  CHECK(rates.of(kReason + 1).interval == 0);
}

}  // namespace causeway::unixctl
