// What the columns of a row say. Readers take a column that is missing, or has another type, for its default; who needs
// to know asks wrong_column first. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/ovsdb/rows.h"

namespace causeway::ovsdb {

enum class ColumnKind : uint8_t { text, texts, integer, integers, flag, map };
struct Column {
  const char* name;
  ColumnKind kind;
};

// Without rows where there is no such table.
const TableRows& table_of(const Database& rows, std::string_view name);

// The first of the columns whose value is of another kind; "": none.
std::string_view wrong_column(const Row& row, std::span<const Column> columns);

// Uses each atom of a set, or the one that stands for a set.
template <typename Use>
void for_each_atom(const Row& row, std::string_view column, Use&& use) {
  const auto found = row.find(column);
  if (found == row.end()) return;
  if (!found->second.is_array()) return use(found->second);
  for (const nlohmann::json& atom : found->second) use(atom);
}

// Uses each text among these, for UUIDs of other rows.
template <typename Use>
void for_each_text(const Row& row, std::string_view column, Use&& use) {
  for_each_atom(row, column, [&](const nlohmann::json& atom) {
    if (const auto* const text = atom.get_ptr<const std::string*>()) use(*text);
  });
}

// An optional column is a set of at most one. `text_at`: null where there is none.
const std::string* text_at(const Row& row, std::string_view column);
std::optional<std::string> text_of(const Row& row, std::string_view column);
std::optional<int64_t> integer_of(const Row& row, std::string_view column);
bool flag_of(const Row& row, std::string_view column);
std::vector<std::string> texts_of(const Row& row, std::string_view column);
std::vector<int64_t> integers_of(const Row& row, std::string_view column);
// A map; empty where there is none.
const nlohmann::json& map_of(const Row& row, std::string_view column);
// The value of a map's key; null: it isn't there.
const std::string* value_of(const Row& row, std::string_view column, std::string_view key);

// Whether a column says anything: no number 0, no false, nothing empty.
bool says_something(const Row& row, std::string_view column);

// A whole number in all of a text; with base 0 as C writes it: 16, 0x10, 020.
std::optional<uint64_t> number_in(std::string_view text, int base);

// For an error or the log: at most 64 bytes of a text, whole characters.
std::string shown(std::string_view text);

}  // namespace causeway::ovsdb
