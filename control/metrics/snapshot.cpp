#include "control/metrics/snapshot.h"

#include <limits>
#include <span>
#include <utility>

#include "control/metrics/exported.h"
#include "control/view/traffic.h"

namespace causeway::metrics {
namespace {

using nlohmann::json;

// A list's items stand behind each other: a label has one value.
std::string text_of(const json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string list;
  for (const json& item : value) {
    if (!list.empty()) list += ',';
    list += text_of(item);
  }
  return list;
}

double number_of(const json& value) {
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::vector<size_t> wanted_of(const Layout& layout) {
  std::vector<size_t> wanted = layout.texts;
  wanted.insert(wanted.end(), layout.numbers.begin(), layout.numbers.end());
  return wanted;
}

}  // namespace

SnapshotMaker::SnapshotMaker(const Running& running) : running_(running) {
  snapshot_.drops = drop_totals(running.gateway);
}

bool SnapshotMaker::advance(std::chrono::nanoseconds time) {
  const auto ends = std::chrono::steady_clock::now() + time;
  while (next_rows()) {
    if (std::chrono::steady_clock::now() >= ends) return true;
  }
  return false;
}

bool SnapshotMaker::next_rows() {
  if (!rows_) {
    if (snapshot_.tables.size() == layouts().size()) return false;
    const Layout& layout = layouts()[snapshot_.tables.size()];
    rows_ = layout.table.cells(running_, wanted_of(layout));
    snapshot_.tables.emplace_back();
  }
  Snapshot::Rows& rows = snapshot_.tables.back();
  const size_t texts = layouts()[snapshot_.tables.size() - 1].texts.size();
  const bool more = rows_([&](std::span<json> cells) {
    ++rows.count;
    for (const json& cell : cells.first(texts)) rows.texts.push_back(text_of(cell));
    for (const json& cell : cells.subspan(texts)) rows.numbers.push_back(number_of(cell));
  });
  if (!more) rows_ = nullptr;
  return true;
}

}  // namespace causeway::metrics
