// Text and bytes from elsewhere, on their way to a reader: what a terminal would take for orders is written out.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

namespace causeway {

// Control characters, those of Unicode (U+0080 to U+009F) and its reversals of direction among them, as "\x1b"; lines
// stay one line.
std::string printable(std::string_view text);

// The same for all strings in it, keys too.
void make_printable(nlohmann::json& value);

// Two digits a byte, 0 to f.
std::string hex_digits(std::span<const uint8_t> bytes);

}  // namespace causeway
