#include "control/ovsdb/columns.h"

#include <algorithm>
#include <charconv>

namespace causeway::ovsdb {
namespace {

using nlohmann::json;

constexpr size_t kMostShown = 64;

const json& value_at(const Row& row, std::string_view column) {
  static const json kNone;
  const auto found = row.find(column);
  return found == row.end() ? kNone : found->second;
}

// The atom, alone or the only one of a set; null: none.
const json& atom_at(const Row& row, std::string_view column) {
  static const json kNone;
  const json& value = value_at(row, column);
  if (!value.is_array()) return value;
  return value.size() == 1 ? value.front() : kNone;
}

template <typename Is>
bool is_set_of(const json& value, Is is, size_t most = SIZE_MAX) {
  return value.is_array() ? value.size() <= most && std::ranges::all_of(value, is) : is(value);
}

bool is_integer(const json& value) {
  return value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX);
}

bool fits(const json& value, ColumnKind kind) {
  const auto is_text = [](const json& atom) { return atom.is_string(); };
  switch (kind) {
    case ColumnKind::text:
      return is_set_of(value, is_text, 1);
    case ColumnKind::texts:
      return is_set_of(value, is_text);
    case ColumnKind::integer:
      return is_set_of(value, is_integer, 1);
    case ColumnKind::integers:
      return is_set_of(value, is_integer);
    case ColumnKind::flag:
      return is_set_of(
          value, [](const json& atom) { return atom.is_boolean(); }, 1);
    case ColumnKind::map:
      return value.is_object() && std::ranges::all_of(value, is_text);
  }
  return false;
}

}  // namespace

const TableRows& table_of(const Database& rows, std::string_view name) {
  static const TableRows kNone;
  const auto found = rows.find(name);
  return found == rows.end() ? kNone : found->second;
}

std::string_view wrong_column(const Row& row, std::span<const Column> columns) {
  for (const Column& column : columns) {
    const auto found = row.find(column.name);
    if (found != row.end() && !fits(found->second, column.kind)) return column.name;
  }
  return "";
}

const std::string* text_at(const Row& row, std::string_view column) {
  return atom_at(row, column).get_ptr<const std::string*>();
}

std::optional<std::string> text_of(const Row& row, std::string_view column) {
  const std::string* const text = text_at(row, column);
  return text != nullptr ? std::optional(*text) : std::nullopt;
}

std::optional<int64_t> integer_of(const Row& row, std::string_view column) {
  const json& atom = atom_at(row, column);
  return is_integer(atom) ? std::optional(atom.get<int64_t>()) : std::nullopt;
}

bool flag_of(const Row& row, std::string_view column) {
  const json& atom = atom_at(row, column);
  return atom.is_boolean() && atom.get<bool>();
}

std::vector<std::string> texts_of(const Row& row, std::string_view column) {
  std::vector<std::string> texts;
  for_each_atom(row, column, [&](const json& atom) {
    if (atom.is_string()) texts.push_back(atom.get<std::string>());
  });
  return texts;
}

std::vector<int64_t> integers_of(const Row& row, std::string_view column) {
  std::vector<int64_t> integers;
  for_each_atom(row, column, [&](const json& atom) {
    if (is_integer(atom)) integers.push_back(atom.get<int64_t>());
  });
  return integers;
}

const json& map_of(const Row& row, std::string_view column) {
  static const json kEmpty = json::object();
  const json& value = value_at(row, column);
  return value.is_object() ? value : kEmpty;
}

const std::string* value_of(const Row& row, std::string_view column, std::string_view key) {
  const json& map = map_of(row, column);
  const auto found = map.find(key);
  return found == map.end() ? nullptr : found->get_ptr<const std::string*>();
}

bool says_something(const Row& row, std::string_view column) {
  const json& value = value_at(row, column);
  const auto says = [](const json& atom) {
    if (atom.is_string()) return !atom.get_ptr<const std::string*>()->empty();
    return atom.is_number() ? atom != 0 : atom.is_boolean() && atom.get<bool>();
  };
  if (value.is_object()) return !value.empty();
  return value.is_array() ? std::ranges::any_of(value, says) : says(value);
}

std::optional<uint64_t> number_in(std::string_view text, int base) {
  if (base == 0) {
    base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
      text.remove_prefix(2);
      base = 16;
    } else if (text.size() > 1 && text[0] == '0') {
      base = 8;
    }
  }
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, status] = std::from_chars(text.data(), end, number, base);
  if (status != std::errc{} || stop != end || text.empty()) return std::nullopt;
  return number;
}

std::string shown(std::string_view text) {
  if (text.size() <= kMostShown) return std::string(text);
  size_t length = kMostShown;
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
  return std::string(text.substr(0, length)) + "...";
}

}  // namespace causeway::ovsdb
