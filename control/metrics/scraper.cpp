#include "control/metrics/scraper.h"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include <utility>

#include "control/metrics/families.h"

namespace causeway::metrics {

Scraper::Scraper(std::string version, std::chrono::milliseconds patience)
    : version_(std::move(version)), patience_(patience), asked_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

std::vector<prometheus::MetricFamily> Scraper::Collect() const {
  const std::lock_guard alone(one_at_a_time_);
  const auto snapshot = ask();
  return snapshot ? families_of(*snapshot, version_) : std::vector<prometheus::MetricFamily>();
}

std::optional<Snapshot> Scraper::ask() const {
  std::unique_lock lock(mutex_);
  if (closed_) return {};
  waits_ = true;
  eventfd_write(asked_.get(), 1);
  changed_.wait_for(lock, patience_, [this] { return answer_ || closed_; });
  waits_ = false;
  auto snapshot = std::exchange(answer_, std::nullopt);
  const bool late = !snapshot && !closed_;
  lock.unlock();
  if (late && !late_) spdlog::warn("metrics: a scrape had no answer within {} ms", patience_.count());
  late_ = late;
  return snapshot;
}

void Scraper::acknowledge() const {
  eventfd_t count = 0;
  eventfd_read(asked_.get(), &count);
}

void Scraper::answer(Snapshot snapshot) {
  const std::lock_guard lock(mutex_);
  if (!waits_) return;
  answer_ = std::move(snapshot);
  changed_.notify_all();
}

void Scraper::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

}  // namespace causeway::metrics
