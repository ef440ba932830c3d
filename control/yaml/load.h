// YAML -> Config. The only place where exceptions (yaml-cpp's) live: none leaves it. Every error names file,
// line, column and key; all errors of a file are reported, not only the first.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/config.h"

namespace causeway::config {

enum class Severity : uint8_t { error, warning };

struct ConfigError {
  std::string file;
  int line = 0;      // from 1; 0: concerns the file as a whole
  int column = 0;    // from 1, in bytes
  std::string key;   // path such as `tunnels.gnv0.id` or `ethernets.up0.addresses[1]`; may be empty
  std::string what;  // one line
  Severity severity = Severity::error;

  // gateway.yaml:14:11: error: tunnels.gnv0.id: 16777216 is out of range (0 to 16777215)
  std::string to_string() const;
};

inline constexpr size_t kMaxConfigBytes = size_t{64} << 20;
inline constexpr size_t kMaxConfigErrors = 100;  // further ones are only counted

// Complete and consistent or nullopt; `errors` gets what is wrong, in the file's order. `file_label` stands in
// the errors and, without directory and ending, is the default of system.name.
std::optional<Config> load_config(const std::string& file_label, std::string_view text,
                                  std::vector<ConfigError>& errors);
// An error about a key of a good file that showed only in use ("ethernets.veth9": no such interface).
ConfigError error_at(const std::string& file_label, std::string_view text, const std::string& key, std::string what);
// What a gateway without a file has.
inline constexpr std::string_view kNoFile = "version: 1\n";
// The file's bytes, one more than kMaxConfigBytes of a larger one; on failure `what` says why not. A pipe is read to
// its end, but nobody waits for what comes later than `patience`.
std::string read_whole_file(const std::string& path, std::string& what, std::chrono::milliseconds patience);
// The file's bytes go to `text`.
std::optional<Config> load_config_file(const std::string& path, std::string& text, std::vector<ConfigError>& errors);

}  // namespace causeway::config
