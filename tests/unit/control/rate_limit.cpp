// How often something may happen a second.
#include "dataplane/flow/rate_limit.h"
#include "dataplane/flow/token_bucket.h"
#include "tests/catch.h"

namespace causeway {
namespace {

// How many of ten are taken.
unsigned taken(RateLimit& limit, uint32_t which, uint16_t now_s) {
  unsigned count = 0;
  for (int i = 0; i < 10; ++i) count += limit.take(which, 3, now_s) ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("rate limit: every second has all of it, however many came before") {
  RateLimit limit(1);
  for (const uint16_t second : {65534, 65535, 0, 1, 2, 7}) {
    CAPTURE(second);
    CHECK(taken(limit, 0, second) == 3);
    CHECK(taken(limit, 0, second) == 0);
  }
}

TEST_CASE("rate limit: each has its own") {
  RateLimit limit(3);
  for (const uint32_t which : {2, 0, 1}) CHECK(taken(limit, which, 9) == 3);
}

TEST_CASE("token bucket: so many at once, then so many a tick") {
  TokenBucket bucket;
  const auto drained = [&](uint32_t tick) {
    unsigned count = 0;
    while (bucket.take(tick, 4, 10)) ++count;
    return count;
  };
  CHECK(drained(1000) == 10);
  CHECK(drained(1000) == 0);
  CHECK(drained(1001) == 4);
  CHECK(drained(1003) == 8);
  CHECK(drained(1006) == 10);  // never more
  CHECK(drained(5) == 10);     // the ticks' number begins anew
}

}  // namespace causeway
