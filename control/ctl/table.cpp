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

// How many cells a column one character narrower would cut.
size_t cut_by_one_less(const Column& column) {
  return static_cast<size_t>(
      std::ranges::count_if(column.cells, [&](const std::string& cell) { return cell.size() >= column.width; }));
}

void fit(std::vector<Column>& columns, size_t width) {
  size_t all = 2 * (columns.size() - 1);  // what stands between them
  for (const Column& column : columns) all += column.width;
  for (; all > width; --all) {
    Column* best = nullptr;
    size_t least = 0;
    for (Column& column : columns) {
      if (column.numbers || column.width <= kLeastWidth) continue;
      const size_t cut = cut_by_one_less(column);
      if (best != nullptr && (cut > least || (cut == least && column.width <= best->width))) continue;
      best = &column;
      least = cut;
    }
    if (best == nullptr) break;
    --best->width;
  }
  for (Column& column : columns) {
    for (std::string& cell : column.cells) {
      if (cell.size() > column.width) cell = cell.substr(0, column.width - 1) + "~";
    }
  }
}

std::string render(const std::vector<Row>& rows, const std::vector<Heading>& columns, size_t width) {
  const std::set<std::string> keys = keys_of(rows);
  std::vector<Column> shown;
  for (const Heading& heading : columns) {
    if (keys.contains(heading.key)) shown.push_back(make_column(heading, rows));
  }
  if (width != 0 && !shown.empty()) fit(shown, width);

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

std::string cell_text(const json& value) {
  if (value.is_null()) return "-";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_string()) return value.get_ref<const std::string&>().empty() ? "-" : value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:.1f}", value.get<double>());
  if (!value.is_structured()) return value.dump();
  std::string text;
  for (const auto& [key, element] : value.items()) {
    if (!text.empty()) text += value.is_object() ? " " : ",";
    text += value.is_object() ? key + "=" + cell_text(element) : cell_text(element);
  }
  return text.empty() ? "-" : text;
}

std::string render_columns(const json& rows, const std::vector<Heading>& columns, size_t width) {
  return render(flattened(rows), columns, width);
}

std::string render_table(const json& rows, const std::vector<std::string>& keys) {
  const std::vector<Row> flat = flattened(rows);
  const std::set<std::string> all = keys_of(flat);
  std::vector<Heading> columns;
  for (const std::string& key : keys.empty() ? std::vector<std::string>(all.begin(), all.end()) : keys) {
    columns.push_back({key, heading_of(key)});
  }
  return render(flat, columns, 0);
}

}  // namespace causeway
