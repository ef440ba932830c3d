#include "control/view/stats.h"

#include <fmt/format.h>

#include <string>

#include "control/view/drop_examples.h"
#include "control/view/traffic.h"

namespace causeway {
namespace {

using nlohmann::json;

// By class, of all workers.
json unknown_options(const Gateway& gateway) {
  json counts = json::object();
  uint64_t others = 0;
  for (const auto& worker : gateway.workers()) {
    const UnknownOptions& unknown = worker->counters().unknown_options;
    others += unknown.others();
    for (const UnknownOptions::Class& entry : unknown.classes()) {
      const uint32_t number = entry.number.load(std::memory_order_relaxed);
      if (number == 0) break;
      const std::string name = fmt::format("{:#06x}", number - 1);
      counts[name] = counts.value(name, uint64_t{0}) + entry.count.get();
    }
  }
  if (others != 0) counts["others"] = others;
  return counts;
}

// `count_of(reason)` of every reason.
template <typename CountOf>
json drops_json(CountOf count_of) {
  json drops = json::object();
  for (size_t reason = 0; reason < kDropReasons; ++reason) {
    drops[std::string(kDropReasonText[reason].name)] = count_of(reason);
  }
  return drops;
}

}  // namespace

json stats(const Gateway& gateway, bool per_worker) {
  const auto totals = drop_totals(gateway);
  json result = {{"drops", drops_json([&](size_t reason) { return totals.at(reason); })},
                 {"examples", drop_examples(gateway)},
                 {"unknown_geneve_options", unknown_options(gateway)}};
  if (!per_worker) return result;
  json& workers = result["workers"] = json::array();
  for (const auto& worker : gateway.workers()) {
    workers.push_back({{"id", worker->id()},
                       {"drops", drops_json([&](size_t reason) { return worker->counters().drops[reason].get(); })}});
  }
  return result;
}

}  // namespace causeway
