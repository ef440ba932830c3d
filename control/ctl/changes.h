// Requests that change the configuration, and what people are told of them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace causeway {

struct ChangeOptions {
  bool empty = false;  // though it may leave nothing
  std::optional<uint32_t> confirm_s;
  std::optional<uint64_t> expect;        // the generation that it is based on
  std::vector<std::string> assignments;  // of `set`
};

// Without a file; the daemon looks at no more than its verb has (control/api/verbs.h).
nlohmann::json change_request(std::string_view verb, const ChangeOptions& options);

// What is to be said besides what was done: warnings, and what the daemon wants people to know.
std::vector<std::string> remarks_of(const nlohmann::json& result);
// What was done, as lines; `result` is of a reply.
std::string render_change(std::string_view verb, const nlohmann::json& result);

// The table of `show changes`. `width`: of the terminal; 0: any.
std::string render_changes(const nlohmann::json& result, size_t width = 0);

}  // namespace causeway
