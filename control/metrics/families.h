// A snapshot as metrics in Prometheus' terms. Pure; any thread.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "control/metrics/snapshot.h"

namespace causeway::metrics {

// Each metric that there is, those without samples among them; `version`: Causeway's. A row's number that there isn't
// has no sample, a text that there isn't no label.
std::vector<prometheus::MetricFamily> families_of(const Snapshot& snapshot, const std::string& version);

}  // namespace causeway::metrics
