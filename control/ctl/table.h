// Rows of JSON as a table for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace causeway {

// `rows` is a list of objects. Nested objects count as keys of their own: {"flow_cache": {"hits": 3}} is
// "flow_cache_hits". `columns` are the keys to show, in order; those no row has are left out. Without any,
// every key is shown. "rx_packets" is headed RX PACKETS; columns of numbers are aligned to the right; what a
// row lacks is "-".
std::string render_table(const nlohmann::json& rows, const std::vector<std::string>& columns);

}  // namespace causeway
