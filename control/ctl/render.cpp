#include "control/ctl/render.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "control/api/subjects.h"
#include "control/ctl/table.h"
#include "dataplane/drop_reason.h"

namespace causeway {

using nlohmann::json;

namespace {

// The columns of a `show` that have a title.
std::vector<Heading> headings_of(const json& columns) {
  std::vector<Heading> headings;
  for (const json& column : columns) {
    std::string key = column.at("name");
    std::ranges::replace(key, '.', '_');
    if (column.contains("title")) headings.push_back({std::move(key), column.at("title")});
  }
  return headings;
}

std::string with_slashes(std::string name) {
  std::ranges::replace(name, '.', '/');
  return name;
}

std::string none_of(std::string_view subject) {
  const auto* const found = std::ranges::find(kShowSubjects, subject, &ShowSubject::name);
  return "no " + std::string(found == std::end(kShowSubjects) ? subject : found->rows) + "\n";
}

// A table's lines, each with one of its own below where there is something to say, under the last column.
std::string with_lines_below(const std::string& table, std::string_view last_title,
                             const std::vector<std::string>& below) {
  const std::string indent(table.find(last_title), ' ');
  std::string text;
  size_t row = 0;
  for (size_t begin = 0; begin < table.size(); ++row) {
    const size_t end = table.find('\n', begin) + 1;
    text += table.substr(begin, end - begin);
    if (row != 0 && row <= below.size() && !below[row - 1].empty()) text += indent + below[row - 1] + "\n";
    begin = end;
  }
  return text;
}

}  // namespace

std::string_view meaning_of(std::string_view reason) {
  const auto found = std::find_if(kDropReasonText.begin(), kDropReasonText.end(),
                                  [reason](const DropReasonText& text) { return text.name == reason; });
  return found == kDropReasonText.end() ? std::string_view{} : found->meaning;
}

std::string drop_example_text(const json& example) {
  static constexpr std::pair<const char*, const char*> kWords[] = {{"time", ""},
                                                                   {"port", " "},
                                                                   {"tunnel", " tunnel "},
                                                                   {"vtep", " VTEP "},
                                                                   {"mac", " MAC "},
                                                                   {"vlan", " VLAN "},
                                                                   {"source", " from "},
                                                                   {"destination", " to "},
                                                                   {"udp_port", " UDP port "},
                                                                   {"vni", " VNI "},
                                                                   {"key", " key "},
                                                                   {"inner_mac", " inner MAC "},
                                                                   {"inner_vlan", " inner VLAN "}};
  std::string line;
  for (const auto& [key, word] : kWords) {
    if (const auto value = example.find(key); value != example.end()) line += word + cell_text(*value);
  }
  if (const auto bytes = example.find("bytes"); bytes != example.end()) line += " " + cell_text(*bytes) + " bytes";
  return line;
}

std::string render_show(std::string_view subject, const json& reply, size_t width) {
  const json nothing;
  const json& result = reply.contains("result") ? reply.at("result") : nothing;
  const bool has_list = result.is_object() && result.contains(std::string(subject));
  json rest = json::array();  // where there is no list
  if (!result.is_null() && !result.is_array() && !has_list) rest.push_back(result);
  const json& rows = has_list ? result.at(std::string(subject)) : result.is_array() ? result : rest;
  if (rows.empty()) return none_of(subject);
  const std::vector<Heading> columns = headings_of(reply.value("columns", json::array()));
  std::string table = columns.empty() ? render_table(rows, {}) : render_columns(rows, columns, width);
  if (has_list && result.value("cached", uint64_t{0}) > rows.size()) {
    table += std::to_string(rows.size()) + " of " + result.at("cached").dump() + " that are cached\n";
  }
  return table;
}

std::string render_object(const json& row, const json& columns) {
  size_t width = 0;
  for (const json& column : columns) width = std::max(width, column.at("name").get_ref<const std::string&>().size());
  std::string text;
  for (const json& column : columns) {
    const std::string& name = column.at("name").get_ref<const std::string&>();
    const json& value = row.at(json::json_pointer("/" + with_slashes(name)));
    std::string line = fmt::format("{:<{}}  ", name, width);
    const std::string indent(line.size(), ' ');
    const bool objects = value.is_array() && !value.empty() && value.front().is_object();
    if (!objects) line += cell_text(value) + (value.is_number() ? " " + column.value("unit", "") : "");
    for (size_t i = 0; objects && i < value.size(); ++i) line += (i == 0 ? "" : "\n" + indent) + cell_text(value[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string render_verdicts(const json& rows) { return render_table(rows, {"offload", "state", "reason"}); }

std::string render_stats(const json& stats, bool all) {
  const json drops = stats.value("drops", json::object());
  const json workers = stats.value("workers", json::array());
  std::vector<std::string> columns{"drops"};
  for (const json& worker : workers) columns.push_back("worker_" + worker.value("id", json(0)).dump());
  columns.insert(columns.end(), {"reason", "meaning"});

  json rows = json::array();
  for (const auto& [reason, count] : drops.items()) {
    if (!all && count == 0) continue;
    json row{{"drops", count}, {"reason", reason}, {"meaning", meaning_of(reason)}};
    for (size_t i = 0; i < workers.size(); ++i) {
      row[columns[i + 1]] = workers[i].value("drops", json::object()).value(reason, uint64_t{0});
    }
    rows.push_back(std::move(row));
  }
  // Not drops: the frames went on.
  std::string options;
  const json unknown = stats.value("unknown_geneve_options", json::object());
  for (const auto& [name, count] : unknown.items()) {
    options += "unknown GENEVE options of class " + name + ": " + count.dump() + "\n";
  }
  if (rows.empty()) return "no drops\n" + options;
  std::stable_sort(rows.begin(), rows.end(), [](const json& a, const json& b) { return a["drops"] > b["drops"]; });
  const json examples = stats.value("examples", json::object());
  std::vector<std::string> last;
  for (const json& row : rows) {
    const auto example = examples.find(row["reason"].get<std::string>());
    last.push_back(example != examples.end() ? "last: " + drop_example_text(*example) : "");
  }
  return with_lines_below(render_table(rows, columns), "MEANING", last) + options;
}

std::string render_operations(const json& result) {
  const json operations = result.is_object() ? result.value("operations", json::array()) : result;
  if (!operations.is_array() || operations.empty()) return "nothing to change\n";
  std::string text;
  for (const json& operation : operations) {
    text += (operation.is_string() ? operation.get<std::string>() : operation.dump()) + "\n";
  }
  return text;
}

}  // namespace causeway
