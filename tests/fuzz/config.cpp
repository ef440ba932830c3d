// Configuration files: whatever they say, there is a Config or there are errors.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "control/config/plan.h"
#include "control/yaml/load.h"
#include "tests/fuzz/target.h"

using namespace causeway;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<config::ConfigError> errors;
  const auto config = config::load_config("fuzz.yaml", text, errors);
  if (config.has_value() != errors.empty()) {
    std::fputs("violated: a file is either good or has errors\n", stderr);
    std::abort();
  }
  for (const config::ConfigError& error : errors) (void)error.to_string();
  if (!config) return 0;
  (void)config::diff_config(config::Config{}, *config);
  if (!config::diff_config(*config, *config).empty()) {
    std::fputs("violated: nothing differs from itself\n", stderr);
    std::abort();
  }
  return 0;
}
