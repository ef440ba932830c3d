// What a scrape tells, as plain words and numbers. The control thread takes it from its tables in slices, and whoever
// serves the scrape makes metrics of it (control/metrics/families.h) on a thread of his own.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "control/view/rows.h"
#include "dataplane/drop_reason.h"

namespace causeway::metrics {

struct Snapshot {
  // Of one exported table: row after row, as many of each as its layout has.
  struct Rows {
    size_t count = 0;
    std::vector<std::string> texts;  // empty: there is none
    std::vector<double> numbers;     // NaN: there is none
  };
  std::vector<Rows> tables;  // in the order of layouts()
  std::array<uint64_t, kDropReasons> drops{};
};

// A snapshot in the making. Each row is of the moment that it is taken at. Control thread.
class SnapshotMaker {
 public:
  explicit SnapshotMaker(const Running& running);

  // Goes on for so long, or a row longer; false: it is complete.
  bool advance(std::chrono::nanoseconds time);
  Snapshot take() { return std::move(snapshot_); }

 private:
  bool next_rows();

  Running running_;
  Snapshot snapshot_;
  CellStream rows_;  // of the last of its tables; null: that is complete
};

}  // namespace causeway::metrics
