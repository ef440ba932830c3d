// What is good YAML, and yet no frame will get through it: a tunnel in no bridge, a remote that no route reaches. The
// daemon takes it all the same: half a network may be meant to be completed later.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/config/config.h"
#include "control/yaml/load.h"

namespace causeway::config {

struct ConfigWarning {
  std::string section;  // "tunnels"
  std::string name;     // "gnv0"
  std::string key;      // "remote"; empty: concerns the whole entry
  std::string what;     // one line
};

std::vector<ConfigWarning> warnings_of(const Config& config);

// With the places in the file they were found for, in its order; at most kMaxConfigErrors and a line that counts the
// rest.
std::vector<ConfigError> placed(const std::vector<ConfigWarning>& warnings, const std::string& file_label,
                                std::string_view text);

}  // namespace causeway::config
