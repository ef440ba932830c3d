#include "control/yaml/yaml_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace causeway::config {
namespace {

constexpr size_t kLineColumns = 120;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A word that begins with a letter is no number; of YAML 1.1 these are no texts.
bool is_taken_for_another(std::string_view word) {
  static constexpr std::string_view kWords[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
  const auto same = [](char a, char b) { return (is_letter(a) ? a | 0x20 : a) == b; };
  return std::ranges::any_of(kWords, [&](std::string_view each) { return std::ranges::equal(word, each, same); });
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
      continue;
    }
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string in_quotes_if_needed(std::string_view text) {
  const bool plain = !text.empty() && is_letter(text.front()) && std::ranges::all_of(text, [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '/';
  });
  return plain && !is_taken_for_another(text) ? std::string(text) : quoted(text);
}

// Everything on one line.
void append_flow(std::string& out, const YamlText& value) {
  if (value.kind == YamlText::Kind::scalar) {
    out += value.scalar;
    return;
  }
  const bool list = value.kind == YamlText::Kind::list;
  out += list ? '[' : '{';
  for (const YamlText::Entry& entry : value.entries) {
    if (&entry != &value.entries.front()) out += ", ";
    if (!list) out += in_quotes_if_needed(entry.key) + ": ";
    append_flow(out, entry.value);
  }
  out += list ? ']' : '}';
}

}  // namespace

YamlText YamlText::plain(std::string text) { return {Kind::scalar, std::move(text), {}}; }
YamlText YamlText::text(std::string_view text) { return {Kind::scalar, in_quotes_if_needed(text), {}}; }
YamlText YamlText::list() { return {Kind::list, {}, {}}; }

void YamlText::add(YamlText item) { entries.push_back({"", std::move(item)}); }

void YamlText::set(std::string_view key, YamlText value) {
  const auto found = std::ranges::find(entries, key, &Entry::key);
  if (found != entries.end()) {
    found->value = std::move(value);
  } else {
    entries.push_back({std::string(key), std::move(value)});
  }
}

void YamlText::remove(std::string_view key) {
  std::erase_if(entries, [&](const Entry& entry) { return entry.key == key; });
}

void append_entry(std::string& out, size_t indent, std::string_view key, const YamlText& value) {
  const std::string spaces(indent, ' ');
  std::string line = spaces + in_quotes_if_needed(key) + ':';
  const size_t behind_key = line.size();
  line += ' ';
  append_flow(line, value);
  if (line.size() <= kLineColumns || value.entries.empty()) {
    out += line + '\n';
    return;
  }
  out += line.substr(0, behind_key) + '\n';
  for (const YamlText::Entry& entry : value.entries) {
    if (value.kind == YamlText::Kind::mapping) {
      append_entry(out, indent + 2, entry.key, entry.value);
    } else {
      out += spaces + "  - ";
      append_flow(out, entry.value);
      out += '\n';
    }
  }
}

}  // namespace causeway::config
