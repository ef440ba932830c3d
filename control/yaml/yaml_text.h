// YAML to be written: scalars, lists and mappings, laid out as people do it, on one line where that fits, and otherwise
// an entry a line. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace causeway::config {

struct YamlText {
  enum class Kind : uint8_t { scalar, list, mapping };
  struct Entry;

  Kind kind = Kind::mapping;
  std::string scalar;          // as it stands in the file
  std::vector<Entry> entries;  // of a mapping, in their order; of a list, without keys

  // What YAML takes for what it is meant to be: a number, a word of ours, a MAC.
  static YamlText plain(std::string text);
  // Any text, in quotes where YAML would take it for something else.
  static YamlText text(std::string_view text);
  static YamlText list();

  void add(YamlText item);                         // to a list
  void set(std::string_view key, YamlText value);  // in a mapping; one that is there already stays in its place
  void remove(std::string_view key);
};

struct YamlText::Entry {
  std::string key;
  YamlText value;
};

// Appends the lines of `key: value`, behind `indent` spaces.
void append_entry(std::string& out, size_t indent, std::string_view key, const YamlText& value);

}  // namespace causeway::config
