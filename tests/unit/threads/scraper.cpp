// A scrape on a thread of its own, and the control thread that answers it, late or never.
#include "control/metrics/scraper.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <future>

#include "tests/catch.h"

using namespace causeway;
using namespace causeway::metrics;
using namespace std::chrono_literals;

namespace {

using Families = std::vector<prometheus::MetricFamily>;

std::future<Families> scrape(const Scraper& scraper) {
  return std::async(std::launch::async, [&scraper] { return scraper.Collect(); });
}

// As the control thread's loop does.
bool is_asked(const Scraper& scraper, int timeout_ms) {
  pollfd asked{scraper.fd(), POLLIN, 0};
  const bool is = poll(&asked, 1, timeout_ms) == 1;
  if (is) scraper.acknowledge();
  return is;
}

Snapshot with_drops(uint64_t count) {
  Snapshot snapshot;
  snapshot.drops.front() = count;
  return snapshot;
}

double first_drops(const Families& families) {
  const auto found = std::ranges::find(families, "causeway_drops_total", &prometheus::MetricFamily::name);
  return found != families.end() ? found->metric.at(0).counter.value : -1;
}

}  // namespace

TEST_CASE("a scrape gets the snapshot that was made for it", "[threads]") {
  Scraper scraper("1.2.3", 30s);
  for (const uint64_t count : {5U, 6U}) {
    auto families = scrape(scraper);
    REQUIRE(is_asked(scraper, 30000));
    scraper.answer(with_drops(count));
    CHECK(first_drops(families.get()) == static_cast<double>(count));
  }
  CHECK_FALSE(is_asked(scraper, 0));
}

TEST_CASE("a scrape that nobody answers in time has no samples, and the next one not its answer", "[threads]") {
  Scraper scraper("1.2.3", 50ms);
  CHECK(scraper.Collect().empty());
  REQUIRE(is_asked(scraper, 0));
  scraper.answer(with_drops(5));
  CHECK(scraper.Collect().empty());
}

TEST_CASE("scrapes at once are served one after the other", "[threads]") {
  Scraper scraper("1.2.3", 30s);
  std::future<Families> both[] = {scrape(scraper), scrape(scraper)};
  double sum = 0;
  for (const uint64_t count : {1U, 2U}) {
    REQUIRE(is_asked(scraper, 30000));
    scraper.answer(with_drops(count));
    // The second asks once the first has its answer.
  }
  for (auto& families : both) sum += first_drops(families.get());
  CHECK(sum == 3);
}

TEST_CASE("who waits when it closes waits no longer, and who comes later not at all", "[threads]") {
  Scraper scraper("1.2.3", 300s);
  auto families = scrape(scraper);
  REQUIRE(is_asked(scraper, 30000));
  scraper.close();
  CHECK(families.get().empty());
  CHECK(scraper.Collect().empty());
}
