#include "control/check/reading.h"

#include <string_view>
#include <utility>

#include "control/check/absent_interfaces.h"
#include "control/check/warnings.h"
#include "control/yaml/load.h"

namespace causeway {
namespace {

std::vector<std::string> lines_of(const std::vector<config::ConfigError>& errors) {
  std::vector<std::string> lines;
  for (const config::ConfigError& error : errors) lines.push_back(error.to_string());
  return lines;
}

bool is_empty(const config::Config& config) {
  return config.ethernets.empty() && config.bridges.empty() && config.tunnels.empty();
}

}  // namespace

ConfigReading read_config(std::string label, std::string text, std::shared_ptr<const config::Config> before) {
  ConfigReading reading{std::move(label), std::move(text), {std::move(before), nullptr, {}}, {}, {}, {}};
  std::vector<config::ConfigError> errors;
  auto wanted = config::load_config(reading.label, reading.text, errors);
  reading.errors = lines_of(errors);
  if (!wanted) return reading;
  // Without a name in it a file is called what the daemon is called, whatever its own name.
  if (!wanted->system.named) wanted->system.name = reading.plan.before->system.name;
  const auto placed = [&](const std::vector<config::ConfigWarning>& warnings) {
    return lines_of(config::placed(warnings, reading.label, reading.text));
  };
  reading.warnings = placed(config::warnings_of(*wanted));
  reading.absent = placed(absent_interfaces(*wanted));
  reading.plan = config::make_plan(reading.plan.before, std::make_shared<const config::Config>(std::move(*wanted)));
  return reading;
}

std::vector<std::string> placed_errors(const ConfigReading& reading, const std::vector<config::ApplyError>& errors) {
  std::vector<std::string> lines;
  for (const config::ApplyError& error : errors) {
    lines.push_back(config::error_at(reading.label, reading.text, error.key, error.what).to_string());
  }
  return lines;
}

bool removes_everything(const ConfigReading& reading) {
  return !is_empty(*reading.plan.before) && is_empty(*reading.plan.after);
}

}  // namespace causeway
