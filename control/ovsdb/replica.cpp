#include "control/ovsdb/replica.h"

#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace causeway::ovsdb {
namespace {

using nlohmann::json;

Row default_row(const TableColumns& columns) {
  Row row;
  for (const auto& [name, type] : columns) row.emplace(name, default_value(type));
  return row;
}

// Puts whole values over those of `row`.
void put_values(const TableColumns& columns, const json& values, Row& row) {
  if (!values.is_object()) throw std::runtime_error("a row is no object");
  for (const auto& [name, value] : values.items()) {
    const auto type = columns.find(name);
    if (type != columns.end()) row[name] = read_value(type->second, value);
  }
}

void put_differences(const TableColumns& columns, const json& differences, Row& row) {
  if (!differences.is_object()) throw std::runtime_error("a row is no object");
  for (const auto& [name, difference] : differences.items()) {
    const auto type = columns.find(name);
    if (type == columns.end()) continue;
    json& value = row.at(name);
    value = changed_value(type->second, std::move(value), difference);
  }
}

// A row as it is after an update of it; none: it is gone. `old` is null where there was none.
std::optional<Row> row_after(const TableColumns& columns, UpdateForm form, const json& update, const Row* old) {
  if (form == UpdateForm::update) {
    const auto values = update.find("new");
    if (values == update.end()) return std::nullopt;
    Row row = old == nullptr ? default_row(columns) : *old;
    put_values(columns, *values, row);
    return row;
  }
  if (update.contains("delete")) return std::nullopt;
  if (const auto differences = update.find("modify"); differences != update.end()) {
    if (old == nullptr) throw std::runtime_error("a change of a row that was never told");
    Row row = *old;
    put_differences(columns, *differences, row);
    return row;
  }
  const auto initial = update.find("initial");
  Row row = default_row(columns);
  put_values(columns, initial != update.end() ? *initial : update.at("insert"), row);
  return row;
}

struct ChangedRow {
  std::string table_name;
  TableRows* table;
  std::string uuid;
  std::optional<Row> row;
};

std::vector<ChangedRow> changed_rows(const WatchedColumns& columns, UpdateForm form, const json& updates,
                                     Database& database) {
  std::vector<ChangedRow> changes;
  if (!updates.is_object()) throw std::runtime_error("updates are no object");
  for (const auto& [table_name, rows] : updates.items()) {
    const auto types = columns.find(table_name);
    if (types == columns.end()) continue;
    TableRows& table = database[table_name];
    if (!rows.is_object()) throw std::runtime_error("the updates of a table are no object");
    for (const auto& [uuid, update] : rows.items()) {
      if (!update.is_object()) throw std::runtime_error("the update of a row is no object");
      const auto found = table.find(uuid);
      const Row* const old = found == table.end() ? nullptr : &found->second;
      std::optional<Row> row = row_after(types->second, form, update, old);
      if (row ? old == nullptr || *row != *old : old != nullptr)
        changes.push_back({types->first, &table, uuid, std::move(row)});
    }
  }
  return changes;
}

// Puts the row in its place, or takes it out. What was there; none: nothing.
std::optional<Row> exchange_row(ChangedRow& change) {
  std::optional<Row> old;
  const auto found = change.table->find(change.uuid);
  if (found != change.table->end()) old = std::move(found->second);
  if (change.row) {
    (*change.table)[change.uuid] = std::move(*change.row);
  } else {
    change.table->erase(change.uuid);
  }
  return old;
}

Error bad_update(const std::exception& error) { return "an update that can't be read: " + std::string(error.what()); }

}  // namespace

Error read_dump(const WatchedColumns& columns, UpdateForm form, const json& updates, Database& database) try {
  database.clear();
  for (const auto& [table, types] : columns) database[table];
  for (ChangedRow& change : changed_rows(columns, form, updates, database)) exchange_row(change);
  return {};
} catch (const std::exception& error) {
  return bad_update(error);
}

Error apply_updates(const WatchedColumns& columns, UpdateForm form, const json& updates, Database& database,
                    RowsBefore& before) try {
  for (ChangedRow& change : changed_rows(columns, form, updates, database)) {
    std::optional<Row> old = exchange_row(change);
    before[change.table_name].try_emplace(std::move(change.uuid), std::move(old));
  }
  return {};
} catch (const std::exception& error) {
  return bad_update(error);
}

}  // namespace causeway::ovsdb
