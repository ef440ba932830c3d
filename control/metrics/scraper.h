// Where the threads that serve HTTP meet the control thread: a scrape asks for a snapshot and waits for it, a few
// seconds at most. One scrape at a time; others wait for it.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "control/metrics/snapshot.h"
#include "pmd/file_descriptor.h"

namespace causeway::metrics {

class Scraper final : public prometheus::Collectable {
 public:
  static constexpr std::chrono::seconds kPatience{5};

  explicit Scraper(std::string version, std::chrono::milliseconds patience = kPatience);

  // Any thread. Without an answer in time, nothing.
  std::vector<prometheus::MetricFamily> Collect() const override;

  // The control thread's. The descriptor is readable once a scrape asks, until acknowledge().
  int fd() const { return asked_.get(); }
  void acknowledge() const;
  // Nobody waits for it any more: it is dropped.
  void answer(Snapshot snapshot);
  // No scrape gets an answer any more, those that wait for one neither.
  void close();

 private:
  std::optional<Snapshot> ask() const;

  const std::string version_;
  const std::chrono::milliseconds patience_;
  const FileDescriptor asked_;
  mutable std::mutex one_at_a_time_;
  mutable bool late_ = false;  // the last scrape had no answer
  mutable std::mutex mutex_;   // of what follows
  mutable std::condition_variable changed_;
  mutable bool waits_ = false;
  mutable std::optional<Snapshot> answer_;
  bool closed_ = false;
};

}  // namespace causeway::metrics
