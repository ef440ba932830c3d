#include "control/view/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "control/view/tables.h"

namespace causeway {
namespace {

using nlohmann::json;

json result_of(const Table& table, const Running& running) {
  json rows = json::array();
  const RowStream stream = table.rows(running);
  while (stream([&rows](const json& row) { rows.push_back(row); })) continue;
  return table.result == nullptr ? rows : table.result(running, std::move(rows));
}

RowStream only(const std::string& name, RowStream rows) {
  return [name, next = std::move(rows)](const auto& add) {
    return next([&](const json& row) {
      if (row.at("name") == name) add(row);
    });
  };
}

}  // namespace

std::optional<Table> find_table(std::string_view what) {
  const auto* const found = std::ranges::find(kTables, what, &NamedTable::subject);
  if (found == std::end(kTables)) return std::nullopt;
  return found->make();
}

json columns_json(const Table& table) {
  json columns = json::array();
  for (const ColumnText& text : table.columns) {
    json column = {{"name", text.name}, {"kind", to_string(text.kind)}};
    if (!text.title.empty()) column["title"] = text.title;
    if (!text.unit.empty()) column["unit"] = text.unit;
    columns.push_back(std::move(column));
  }
  return columns;
}

double reply_time_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

json show(const Running& running, std::string_view what) {
  const auto table = find_table(what);
  return table ? result_of(*table, running) : json();
}

ApiReply show_reply(const Running& running, std::string_view what, const std::string& name) {
  const auto table = find_table(what);
  if (!table) return {api_error({fmt::format("cannot show: {}", what)})};
  const bool named = table->columns.front().name == "name";
  if (!name.empty() && !named) return {api_error({fmt::format("{}: there is no name to choose by", what)})};
  const json beside = {{"columns", columns_json(*table)}, {"time_s", reply_time_s()}};
  if (!name.empty()) return ApiReply::in_rows(only(name, table->rows(running)), beside);
  if (table->result == nullptr) return ApiReply::in_rows(table->rows(running), beside);
  json reply = api_ok(result_of(*table, running));
  reply.update(beside);
  return {std::move(reply)};
}

ApiReply largest_flows_reply(const Running& running) {
  const Table table = largest_flows_table();
  return ApiReply::in_rows(table.rows(running), {{"columns", columns_json(table)}, {"time_s", reply_time_s()}});
}

}  // namespace causeway
