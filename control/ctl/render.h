// What causewayctl prints for people: each takes the "result" of the daemon's answer.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace causeway {

// What `show` can show, in the order of the help text.
std::span<const std::string_view> show_subjects();

// The verdicts of `offloads test`.
std::string render_verdicts(const nlohmann::json& rows);
// `result`: a list of rows; of flows {cached: number, flows: list}.
std::string render_show(const std::string& subject, const nlohmann::json& result);

// {"drops": {reason: count}}, and with "workers": [{"id": 0, "drops": {...}}, ...] a column for each worker.
// Reasons nothing died of are left out unless `all`.
std::string render_stats(const nlohmann::json& stats, bool all);

// A list of operations, or {"operations": [...]}: one a line.
std::string render_operations(const nlohmann::json& result);

}  // namespace causeway
