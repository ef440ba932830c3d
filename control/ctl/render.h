// What causewayctl prints for people: of the "result" of the daemon's reply; render_show takes the whole reply.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace causeway {

// The verdicts of `offloads test`.
std::string render_verdicts(const nlohmann::json& rows);

// `reply`: "columns" as in control/api/verbs.h, all there is without any; and "result": a list of rows, an object that
// has such a list under the subject's name, or one row. An object that says how many are "cached" shows that, too,
// where it has fewer rows.
// `width`: of the terminal; 0: any.
std::string render_show(std::string_view subject, const nlohmann::json& reply, size_t width = 0);

// One row with all that there is of it, a line a column; lists of objects a line each.
std::string render_object(const nlohmann::json& row, const nlohmann::json& columns);

// What a drop reason means; empty: there is none of this name.
std::string_view meaning_of(std::string_view reason);

// The last frame that died of a reason (control/view/drop_examples.h), on one line.
std::string drop_example_text(const nlohmann::json& example);

// {"drops": {reason: count}, "examples": {reason: {...}}}, and with "workers": [{"id": 0, "drops": {...}}, ...] a
// column for each worker.
// Reasons nothing died of are left out unless `all`.
std::string render_stats(const nlohmann::json& stats, bool all);

// A list of operations, or {"operations": [...]}: one a line.
std::string render_operations(const nlohmann::json& result);

}  // namespace causeway
