#include "control/process/printable.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace causeway {
namespace {

using nlohmann::json;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// The length in bytes of a harmful character of two or three bytes at the start of `text`; 0: there is none.
size_t harmful_sequence(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  if (byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0) return 2;
  if (byte(0) != 0xe2) return 0;
  // U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069.
  const bool turns =
      (byte(1) == 0x80 && (byte(2) == 0x8e || byte(2) == 0x8f || (byte(2) >= 0xa8 && byte(2) <= 0xae))) ||
      (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9);
  return turns ? 3 : 0;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string safe;
  safe.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t harmful = is_control(text[i]) ? 1 : harmful_sequence(text.substr(i, 3));
    if (harmful == 0) safe += text[i++];
    for (size_t end = i + harmful; i < end; ++i) safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
  }
  return safe;
}

void make_printable(json& value) {
  if (value.is_string()) value = printable(value.get_ref<const std::string&>());
  if (value.is_array()) std::ranges::for_each(value, make_printable);
  if (!value.is_object()) return;
  json safe = json::object();
  for (auto& [key, item] : value.items()) {
    make_printable(item);
    safe[printable(key)] = std::move(item);
  }
  value = std::move(safe);
}

std::string hex_digits(std::span<const uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits;
  digits.reserve(2 * bytes.size());
  for (const uint8_t byte : bytes) (digits += kDigits[byte >> 4]) += kDigits[byte & 15];
  return digits;
}

}  // namespace causeway
