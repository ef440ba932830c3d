// Numbers as they fit into a column.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace causeway::top {

// Three digits and k, M, G or T: "0", "7.5", "999", "1.23k", "45.6M"; five characters at most below 1e15. None: "-".
std::string short_number(std::optional<double> number);

// Of two numbers, in percent: "63"; "-" where there is nothing to divide by.
std::string percent(std::optional<double> part, std::optional<double> whole);

// "42 s", "12 min", "3 h 12 min", "2 d 3 h".
std::string short_duration(uint64_t seconds);

}  // namespace causeway::top
