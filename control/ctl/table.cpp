#include "control/ctl/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <map>
#include <set>
#include <utility>

namespace causeway {

using nlohmann::json;

namespace {

using Row = std::map<std::string, json>;

void flatten_into(Row& row, const std::string& prefix, const json& object) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      flatten_into(row, prefix + key + "_", value);
    } else {
      row[prefix + key] = value;
    }
  }
}

std::string cell_text(const json& value) {
  if (value.is_null()) return "-";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_string()) return value.get_ref<const std::string&>().empty() ? "-" : value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.1f}", value.get<double>());
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const json& element : value) text += (text.empty() ? "" : ",") + cell_text(element);
  return text.empty() ? "-" : text;
}

std::string heading_of(std::string key) {
  for (char& c : key) c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return key;
}

struct Column {
  std::vector<std::string> cells;  // the heading first
  bool numbers = true;
  size_t width = 0;
};

Column make_column(const std::string& key, const std::vector<Row>& rows) {
  Column column;
  column.cells.push_back(heading_of(key));
  for (const Row& row : rows) {
    const auto found = row.find(key);
    column.cells.push_back(found == row.end() ? "-" : cell_text(found->second));
    const bool number = found == row.end() || found->second.is_number() || found->second.is_null();
    column.numbers = column.numbers && number;
  }
  for (const std::string& cell : column.cells) column.width = std::max(column.width, cell.size());
  return column;
}

}  // namespace

std::string render_table(const json& rows, const std::vector<std::string>& columns) {
  std::vector<Row> flat;
  std::set<std::string> keys;
  for (const json& row : rows) {
    flatten_into(flat.emplace_back(), "", row);
    for (const auto& [key, value] : flat.back()) keys.insert(key);
  }
  std::vector<Column> shown;
  for (const std::string& key : columns.empty() ? std::vector<std::string>(keys.begin(), keys.end()) : columns) {
    if (keys.contains(key)) shown.push_back(make_column(key, flat));
  }

  std::string text;
  for (size_t line = 0; !shown.empty() && line <= flat.size(); ++line) {
    std::string out;
    for (const Column& column : shown) {
      if (!out.empty()) out += "  ";
      out += column.numbers ? fmt::format("{:>{}}", column.cells[line], column.width)
                            : fmt::format("{:<{}}", column.cells[line], column.width);
    }
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  }
  return text;
}

}  // namespace causeway
