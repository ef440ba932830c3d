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

Column make_column(const Heading& heading, const std::vector<Row>& rows) {
  Column column;
  column.cells.push_back(heading.title);
  for (const Row& row : rows) {
    const auto found = row.find(heading.key);
    column.cells.push_back(found == row.end() ? "-" : cell_text(found->second));
    const bool number = found == row.end() || found->second.is_number() || found->second.is_null();
    column.numbers = column.numbers && number;
  }
  for (const std::string& cell : column.cells) column.width = std::max(column.width, cell.size());
  return column;
}

std::vector<Row> flattened(const json& rows) {
  std::vector<Row> flat;
  for (const json& row : rows) flatten_into(flat.emplace_back(), "", row);
  return flat;
}

std::set<std::string> keys_of(const std::vector<Row>& rows) {
  std::set<std::string> keys;
  for (const Row& row : rows) {
    for (const auto& [key, value] : row) keys.insert(key);
  }
  return keys;
}

std::string render(const std::vector<Row>& rows, const std::vector<Heading>& columns) {
  const std::set<std::string> keys = keys_of(rows);
  std::vector<Column> shown;
  for (const Heading& heading : columns) {
    if (keys.contains(heading.key)) shown.push_back(make_column(heading, rows));
  }

  std::string text;
  for (size_t line = 0; !shown.empty() && line <= rows.size(); ++line) {
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

}  // namespace

std::string render_columns(const json& rows, const std::vector<Heading>& columns) {
  return render(flattened(rows), columns);
}

std::string render_table(const json& rows, const std::vector<std::string>& keys) {
  const std::vector<Row> flat = flattened(rows);
  const std::set<std::string> all = keys_of(flat);
  std::vector<Heading> columns;
  for (const std::string& key : keys.empty() ? std::vector<std::string>(all.begin(), all.end()) : keys) {
    columns.push_back({key, heading_of(key)});
  }
  return render(flat, columns);
}

}  // namespace causeway
