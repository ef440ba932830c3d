// Metrics made of a snapshot: names by Prometheus' rules, labels, and what has no sample. That Prometheus itself reads
// them stands in tests/lab/test_metrics.py.
#include "control/metrics/families.h"

#include <prometheus/check_names.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "control/metrics/exported.h"
#include "tests/catch.h"

using namespace causeway;
using namespace causeway::metrics;

namespace {

// One row in each table: the texts and numbers told, in turn.
Snapshot snapshot_of(const std::string& text, double number) {
  Snapshot snapshot;
  for (const Layout& layout : layouts()) {
    snapshot.tables.push_back(
        {1, std::vector<std::string>(layout.texts.size(), text), std::vector<double>(layout.numbers.size(), number)});
  }
  return snapshot;
}

const prometheus::MetricFamily& family(const std::vector<prometheus::MetricFamily>& families, const std::string& name) {
  const auto found = std::ranges::find(families, name, &prometheus::MetricFamily::name);
  REQUIRE(found != families.end());
  return *found;
}

std::vector<std::string> label_names(const prometheus::ClientMetric& sample) {
  std::vector<std::string> names;
  for (const auto& label : sample.label) names.push_back(label.name);
  return names;
}

}  // namespace

TEST_CASE("names of metrics are in base units, and of counters end in _total") {
  CHECK(metric_name("port", {"rx_bytes", "", ColumnKind::counter, "bytes", ""}) == "causeway_port_rx_bytes_total");
  CHECK(metric_name("port", {"mtu", "", ColumnKind::gauge, "bytes", ""}) == "causeway_port_mtu_bytes");
  CHECK(metric_name("worker", {"flow_cache.hits", "", ColumnKind::counter, "packets", ""}) ==
        "causeway_worker_flow_cache_hits_total");
  CHECK(metric_name("neighbor", {"age_s", "", ColumnKind::gauge, "seconds", ""}) == "causeway_neighbor_age_seconds");
  const ColumnText busy{"busy_ms", "", ColumnKind::counter, "milliseconds", ""};
  CHECK(metric_name("control", busy) == "causeway_control_busy_seconds_total");
  CHECK(metric_scale(busy) == 0.001);
  CHECK(metric_scale({"rx_bytes", "", ColumnKind::counter, "bytes", ""}) == 1);
}

TEST_CASE("each number of an exported table is a metric of its own, with a sentence of help") {
  const auto families = families_of(snapshot_of("x", 1), "1.2.3");
  std::set<std::string> names;
  for (const prometheus::MetricFamily& family : families) {
    CAPTURE(family.name);
    CHECK(prometheus::CheckMetricName(family.name));
    CHECK(names.insert(family.name).second);
    CHECK(family.help.size() > 5);
    CHECK(family.name.ends_with("_total") == (family.type == prometheus::MetricType::Counter));
  }
  for (const Layout& layout : layouts()) {
    CAPTURE(layout.exported.subject);
    for (const size_t column : layout.numbers) {
      const auto& found = family(families, metric_name(layout.exported.what, layout.table.columns[column]));
      REQUIRE(found.metric.size() == 1);
      CHECK(found.metric.front().label.size() == layout.exported.keys.size());
    }
  }
}

TEST_CASE("states and settings are labels of a 1") {
  const auto families = families_of(snapshot_of("x", 1), "1.2.3");
  const auto& state = family(families, "causeway_neighbor_state").metric.at(0);
  CHECK(state.gauge.value == 1);
  CHECK(label_names(state) == std::vector<std::string>{"port", "address", "state"});
  const auto& info = family(families, "causeway_tunnel_info").metric.at(0);
  CHECK(info.gauge.value == 1);
  CHECK(label_names(info) == std::vector<std::string>{"tunnel", "mode", "id", "local", "remote", "bridge", "vlan"});
  const auto& build = family(families, "causeway_build_info").metric.at(0);
  CHECK(build.label.at(0).name == "version");
  CHECK(build.label.at(0).value == "1.2.3");
}

TEST_CASE("what there isn't has no sample, and no label") {
  const auto families = families_of(snapshot_of("", std::nan("")), "1.2.3");
  CHECK(family(families, "causeway_port_rx_packets_total").metric.empty());
  CHECK(family(families, "causeway_tunnel_info").metric.at(0).label.empty());
}

TEST_CASE("milliseconds become seconds") {
  const auto families = families_of(snapshot_of("x", 1500), "1.2.3");
  CHECK(family(families, "causeway_control_busy_seconds_total").metric.at(0).counter.value == 1.5);
  CHECK(family(families, "causeway_bridge_ageing_time_seconds").metric.at(0).gauge.value == 1500);
}

TEST_CASE("drops have their reason, and what it means beside them") {
  Snapshot snapshot;
  snapshot.drops.at(static_cast<size_t>(DropReason::ecn)) = 7;
  const auto families = families_of(snapshot, "1.2.3");
  const auto& drops = family(families, "causeway_drops_total");
  REQUIRE(drops.metric.size() == kDropReasons);
  const auto& ecn = drops.metric.at(static_cast<size_t>(DropReason::ecn));
  CHECK(ecn.label.at(0).value == "ecn");
  CHECK(ecn.counter.value == 7);
  CHECK(family(families, "causeway_drop_reason_info").metric.size() == kDropReasons);
}

// https://prometheus.io/docs/instrumenting/exposition_formats: backslash, double quote and line feed are escaped.
TEST_CASE("a label may have any text") {
  const auto families = families_of(snapshot_of("a\"b\\c\nd", 2), "1.2.3");
  const std::string text = prometheus::TextSerializer().Serialize(families);
  CHECK(text.find("causeway_bridge_macs{bridge=\"a\\\"b\\\\c\\nd\"} 2") != std::string::npos);
}
