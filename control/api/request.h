// A line of the control socket becomes a request: one flat object of words and numbers. What can't be one is refused
// where that shows, without reading on: no request costs more than its length.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace causeway {

inline constexpr size_t kMostRequestFields = 32;
// Of a name and of a text. Only verbs that take a file (control/api/verbs.h) may say more than that: it is their
// "text".
inline constexpr size_t kMostFieldBytes = 4096;

struct ApiRequest {
  nlohmann::json fields;  // an object with a string "verb"
  std::string error;      // in one line; empty: none
};

ApiRequest parse_request(std::string_view line);

}  // namespace causeway
