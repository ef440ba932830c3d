#include "control/change/configuration.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "control/gateway/apply.h"

namespace causeway {
namespace {

std::vector<config::ApplyError> errors_of(const std::vector<config::Operation>& operations,
                                          const std::vector<FailedOperation>& failed) {
  std::vector<config::ApplyError> errors;
  for (const FailedOperation& failure : failed) {
    errors.push_back({config::key_of(operations[failure.number]), failure.why});
  }
  return errors;
}

// A change of the database, which may be of thousands of ports: the first operations have a line each.
void log_done(const std::vector<config::Operation>& operations, const std::vector<FailedOperation>& failed) {
  constexpr size_t kLines = 20;
  const size_t done = operations.size() - failed.size();
  size_t said = 0;
  for (size_t number = 0; number < operations.size() && said < kLines; ++number) {
    if (std::ranges::find(failed, number, &FailedOperation::number) != failed.end()) continue;
    ++said;
    if (said == kLines && done > kLines) {
      spdlog::info("ovsdb: {}, and {} more", operations[number].text, done - kLines);
    } else {
      spdlog::info("ovsdb: {}", operations[number].text);
    }
  }
}

}  // namespace

Configuration::Configuration(Gateway& gateway, const config::System& system) : gateway_(gateway) {
  config::Config nothing;
  nothing.system = system;
  running_ = std::make_shared<config::Config>(nothing);
  file_.config = std::make_shared<const config::Config>(std::move(nothing));
}

std::vector<config::ApplyError> Configuration::change_to(ConfigReading& reading) {
  const auto wanted =
      completion_ ? completion_(*reading.plan.after) : std::make_shared<config::Config>(*reading.plan.after);
  const config::Plan all = completion_ ? config::make_plan(running_, wanted) : reading.plan;
  gateway_.try_devices(wanted->ethernets);
  auto errors = apply_operations(gateway_, all.operations);
  gateway_.end_trials();
  if (!errors.empty()) return errors;
  file_ = {reading.plan.after, reading.text};
  running_ = wanted;
  for (const std::string& line : reading.warnings) spdlog::warn("{}", line);
  return {};
}

std::vector<config::ApplyError> Configuration::complete_anew() {
  auto wanted = completion_(*file_.config);
  const config::Plan plan = config::make_plan(running_, wanted);
  gateway_.try_devices(wanted->ethernets);
  const std::vector<FailedOperation> failed = apply_each(gateway_, plan.operations);
  gateway_.end_trials();
  log_done(plan.operations, failed);
  if (!failed.empty()) wanted = std::make_shared<config::Config>(without_failed(*wanted, plan.operations, failed));
  running_ = std::move(wanted);
  return errors_of(plan.operations, failed);
}

std::vector<config::ApplyError> Configuration::change_by(config::Patch& patch) {
  const std::vector<config::Operation> operations = config::diff_config(patch.before, patch.after);
  const std::vector<FailedOperation> failed = apply_each(gateway_, operations);
  log_done(operations, failed);
  std::vector<config::ApplyError> errors = errors_of(operations, failed);
  if (!failed.empty()) patch.after = without_failed(patch.after, operations, failed);
  config::apply_patch(patch, *running_);
  return errors;
}

}  // namespace causeway
