// What counters have grown by, a second: two replies to the same `show` (control/api/verbs.h) in a row.
#pragma once

#include <nlohmann/json.hpp>

namespace causeway {

// Gives each counter of `reply` a column behind it, NAME_per_s, and takes the counter's title, so that a table for
// people has rates where it had totals. How long it was from one to the other the replies say ("time_s"): so no rate is
// wrong because one of them was long on its way. A rate is null where the row is new, or where the counter has fallen:
// it was reset.
void add_rates(nlohmann::json& reply, const nlohmann::json& before);

}  // namespace causeway
