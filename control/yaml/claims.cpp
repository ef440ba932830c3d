#include "control/yaml/section_readers.h"

#include <fmt/format.h>

#include <algorithm>

namespace causeway::config {

// What is wrong with a name, or "". As dev_valid_name() of the kernel's net/core/dev.c has it for interfaces.
std::string name_error(std::string_view name, size_t longest) {
  if (name.empty()) return "the name is empty";
  if (name.size() > longest) {
    return fmt::format("the name is too long ({} bytes, at most {})", name.size(), longest);
  }
  const bool bad = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '/' || c == ':' || c == 0x7f;
  });
  if (bad || name == "." || name == "..") return "a name may not contain spaces, '/' or ':', nor be '.' or '..'";
  return "";
}

bool has_valid_name(const Value& value, std::string_view name, size_t longest) {
  const std::string error = name_error(name, longest);
  if (!error.empty()) value.key_error(error);
  return error.empty();
}

bool add_interface(Reading& reading, const char* section, std::string_view name, const Value& value,
                   size_t longest_name) {
  const YamlNode& key = value.key_place();
  const auto [entry, is_new] = reading.claims.interfaces.try_emplace(name, Claims::Interface{section, &key});
  const Claims::Interface& first = entry->second;
  if (is_new) return has_valid_name(value, name, longest_name);
  if (std::string_view(first.section) == section) {
    value.key_error(fmt::format("duplicate key, first on line {}", first.key->line));
  } else if (first.key->line < key.line) {
    value.key_error(fmt::format("the name is taken by {}.{} on line {}", first.section, name, first.key->line));
  } else {
    reading.diagnostics.add(first.key->line, first.key->column, fmt::format("{}.{}", first.section, name),
                            fmt::format("the name is taken by {}.{} on line {}", section, name, key.line));
  }
  return false;
}

}  // namespace causeway::config
