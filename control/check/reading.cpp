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

std::string_view text_of(const ConfigReading& reading) {
  return reading.text != nullptr ? std::string_view(*reading.text) : std::string_view();
}

}  // namespace

ConfigReading read_config(std::string label, std::shared_ptr<const std::string> text,
                          std::shared_ptr<const config::Config> before) {
  std::vector<config::ConfigError> errors;
  auto wanted = config::load_config(label, *text, errors);
  if (wanted) return read_config(std::move(label), std::move(text), std::move(*wanted), std::move(before));
  return {std::move(label), std::move(text), {std::move(before), nullptr, {}}, lines_of(errors), {}, {}};
}

ConfigReading read_config(std::string label, std::shared_ptr<const std::string> text, config::Config wanted,
                          std::shared_ptr<const config::Config> before) {
  ConfigReading reading{std::move(label), std::move(text), {}, {}, {}, {}};
  // Without a name in it a file is called what the daemon is called, whatever its own name.
  if (!wanted.system.named) wanted.system.name = before->system.name;
  const auto placed = [&](const std::vector<config::ConfigWarning>& warnings) {
    return lines_of(config::placed(warnings, reading.label, text_of(reading)));
  };
  reading.warnings = placed(config::warnings_of(wanted));
  reading.absent = placed(absent_interfaces(wanted));
  reading.plan = config::make_plan(std::move(before), std::make_shared<const config::Config>(std::move(wanted)));
  return reading;
}

std::vector<std::string> placed_errors(const ConfigReading& reading, const std::vector<config::ApplyError>& errors) {
  std::vector<std::string> lines;
  for (const config::ApplyError& error : errors) {
    lines.push_back(config::error_at(reading.label, text_of(reading), error.key, error.what).to_string());
  }
  return lines;
}

bool removes_everything(const ConfigReading& reading) {
  return !is_empty(*reading.plan.before) && is_empty(*reading.plan.after);
}

}  // namespace causeway
