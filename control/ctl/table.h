// Rows of JSON as a table for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace causeway {

struct Heading {
  std::string key;
  std::string title;
};

// `rows` is a list of objects. Nested objects count as keys of their own: {"flow_cache": {"hits": 3}} is
// "flow_cache_hits". `columns` are the keys to show, in order; those no row has are left out. Columns of numbers are
// aligned to the right; what a row lacks is "-".
std::string render_columns(const nlohmann::json& rows, const std::vector<Heading>& columns);

// The same with headings that are made of the keys: "rx_packets" is headed RX PACKETS. Without any, every key is shown.
std::string render_table(const nlohmann::json& rows, const std::vector<std::string>& keys);

}  // namespace causeway
