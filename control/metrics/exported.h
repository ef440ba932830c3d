// Which tables of `show` Prometheus sees, and by which names. Of an exported table every column of numbers is a metric,
// named after it: a new column is a new metric. Which texts say whose the numbers are, is chosen here, since a label
// that changes makes a new series. The FDB and the flows aren't exported: they would be a series a MAC.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "control/view/rows.h"

namespace causeway::metrics {

struct Label {
  std::string_view name;
  std::string_view column;
};

struct Exported {
  std::string_view subject;  // of kTables
  std::string_view what;     // a row is one: metrics are called causeway_WHAT_COLUMN
  std::vector<Label> keys;   // together they name a row
  // causeway_WHAT_state{KEYS, state="up"} 1: the column `state`.
  bool has_state = false;
  // causeway_WHAT_info{KEYS, INFO} 1: what else is worth to be asked for; empty: there is none.
  std::vector<Label> info{};
};

// Of an exported table: which columns a scrape takes.
struct Layout {
  Exported exported;
  Table table;
  std::vector<std::string_view> labels;  // keys, then state, then info
  std::vector<size_t> texts;             // the columns of `labels`, by their places in table.columns
  std::vector<size_t> numbers;           // the columns that are metrics
};
// All of them; any thread.
const std::vector<Layout>& layouts();

// The metric that a column of numbers becomes: causeway_port_rx_bytes_total, in base units.
// https://prometheus.io/docs/practices/naming
std::string metric_name(std::string_view what, const ColumnText& column);
// What the column's numbers are multiplied with for that.
double metric_scale(const ColumnText& column);

}  // namespace causeway::metrics
