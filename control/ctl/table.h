// Rows of JSON as a table for people.
#pragma once

#include <cstddef>
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
// aligned to the right; what a row lacks is "-". `width`: of the terminal, in characters; 0: any. Where the table is
// wider its texts are cut, first where least is lost; numbers never are, nor is a column narrower than kLeastWidth.
inline constexpr size_t kLeastWidth = 6;
std::string render_columns(const nlohmann::json& rows, const std::vector<Heading>& columns, size_t width = 0);

// The same with headings that are made of the keys: "rx_packets" is headed RX PACKETS. Without any, every key is shown.
std::string render_table(const nlohmann::json& rows, const std::vector<std::string>& keys);

// A value as it stands in a cell: null is "-", a list is joined by commas, an object is its fields.
std::string cell_text(const nlohmann::json& value);

}  // namespace causeway
