#include "control/metrics/families.h"

#include <fmt/format.h>
#include <rte_version.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

#include "control/metrics/exported.h"

namespace causeway::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

void add_sample(MetricFamily& family, Labels labels, double value) {
  ClientMetric& sample = family.metric.emplace_back();
  sample.label = std::move(labels);
  (family.type == MetricType::Counter ? sample.counter.value : sample.gauge.value) = value;
}

Labels labels_of(std::span<const std::string_view> names, std::span<const std::string> texts) {
  Labels labels;
  labels.reserve(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    if (!texts[i].empty()) labels.push_back({std::string(names[i]), texts[i]});
  }
  return labels;
}

// One table's rows.
class TableFamilies {
 public:
  TableFamilies(const Layout& layout, const Snapshot::Rows& rows) : layout_(layout), rows_(rows) {}

  void add_to(std::vector<MetricFamily>& families) const {
    const std::string_view what = layout_.exported.what;
    for (size_t i = 0; i < layout_.numbers.size(); ++i) families.push_back(numbers(i));
    const size_t keys = layout_.exported.keys.size();
    const size_t states = layout_.exported.has_state ? 1 : 0;
    if (states != 0)
      families.push_back(ones(fmt::format("causeway_{}_state", what), "1: it is in this state.", keys, 1));
    if (layout_.exported.info.empty()) return;
    families.push_back(ones(fmt::format("causeway_{}_info", what), "1: there is one, and these are its settings.",
                            keys + states, layout_.exported.info.size()));
  }

 private:
  // Keys, and as many labels from the one at place `first` on.
  Labels labels(size_t row, size_t first, size_t more) const {
    const std::span names(layout_.labels);
    const auto texts = std::span(rows_.texts).subspan(row * names.size(), names.size());
    const size_t keys = layout_.exported.keys.size();
    Labels labels = labels_of(names.first(keys), texts.first(keys));
    Labels others = labels_of(names.subspan(first, more), texts.subspan(first, more));
    std::ranges::move(others, std::back_inserter(labels));
    return labels;
  }

  MetricFamily numbers(size_t place) const {
    const ColumnText& column = layout_.table.columns[layout_.numbers[place]];
    MetricFamily family{metric_name(layout_.exported.what, column),
                        std::string(column.help),
                        column.kind == ColumnKind::counter ? MetricType::Counter : MetricType::Gauge,
                        {}};
    const double scale = metric_scale(column);
    for (size_t row = 0; row < rows_.count; ++row) {
      const double value = rows_.numbers[row * layout_.numbers.size() + place];
      if (!std::isnan(value)) add_sample(family, labels(row, 0, 0), value * scale);
    }
    return family;
  }

  MetricFamily ones(std::string name, std::string help, size_t first, size_t more) const {
    MetricFamily family{std::move(name), std::move(help), MetricType::Gauge, {}};
    for (size_t row = 0; row < rows_.count; ++row) add_sample(family, labels(row, first, more), 1);
    return family;
  }

  const Layout& layout_;
  const Snapshot::Rows& rows_;
};

MetricFamily drops(const Snapshot& snapshot) {
  MetricFamily family{"causeway_drops_total", "Frames that died, by the reason.", MetricType::Counter, {}};
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    add_sample(family, {{"reason", std::string(kDropReasonText[reason].name)}},
               static_cast<double>(snapshot.drops[reason]));
  }
  return family;
}

MetricFamily drop_reasons() {
  MetricFamily family{
      "causeway_drop_reason_info", "1: a reason to drop frames, and what it means.", MetricType::Gauge, {}};
  for (const DropReasonText& reason : kDropReasonText) {
    add_sample(family, {{"reason", std::string(reason.name)}, {"meaning", std::string(reason.meaning)}}, 1);
  }
  return family;
}

}  // namespace

std::vector<MetricFamily> families_of(const Snapshot& snapshot, const std::string& version) {
  std::vector<MetricFamily> families;
  MetricFamily& build = families.emplace_back(
      MetricFamily{"causeway_build_info", "1: Causeway's version, and DPDK's.", MetricType::Gauge, {}});
  add_sample(build, {{"version", version}, {"dpdk", rte_version()}}, 1);
  families.push_back(drops(snapshot));
  families.push_back(drop_reasons());
  for (size_t table = 0; table < snapshot.tables.size(); ++table) {
    TableFamilies(layouts()[table], snapshot.tables[table]).add_to(families);
  }
  return families;
}

}  // namespace causeway::metrics
