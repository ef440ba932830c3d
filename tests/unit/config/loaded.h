// A file that must load, and what is written of it means the same.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "control/yaml/load.h"
#include "control/yaml/write.h"
#include "tests/catch.h"

namespace causeway::config::test {

// The examples of conf/.
inline std::vector<std::filesystem::path> examples() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(CAUSEWAY_SOURCE_ROOT "/conf")) {
    const bool of_prometheus = entry.path().filename() == "alerts.yaml";
    if (entry.path().extension() == ".yaml" && !of_prometheus) files.push_back(entry.path());
  }
  REQUIRE(files.size() >= 6);
  return files;
}

inline Config loaded_as_it_is(std::string_view yaml, const std::string& label = "gw.yaml") {
  std::vector<ConfigError> errors;
  auto config = load_config(label, yaml, errors);
  INFO(yaml);
  for (const ConfigError& error : errors) UNSCOPED_INFO(error.to_string());
  REQUIRE(config);
  REQUIRE(errors.empty());
  return *config;
}

inline Config loaded(std::string_view yaml, const std::string& label = "gw.yaml") {
  const Config config = loaded_as_it_is(yaml, label);
  const std::string written = write_config(config);
  INFO(written);
  CHECK(loaded_as_it_is(written, label) == config);
  return config;
}

}  // namespace causeway::config::test
