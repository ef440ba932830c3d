// All that can be said of a file without touching the gateway: what it wants, what is wrong with it, what it would
// change. Pure but for looking at the host's interfaces, so any thread can do it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/config/plan.h"

namespace causeway {

struct ConfigReading {
  std::string label;                        // stands for the file in `errors` and warnings
  std::shared_ptr<const std::string> text;  // null: no file's
  config::Plan plan;  // from what it is compared with to what is wanted; without `after`: `errors` say why
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  std::vector<std::string> absent;  // warnings about interfaces that the host lacks
};

ConfigReading read_config(std::string label, std::shared_ptr<const std::string> text,
                          std::shared_ptr<const config::Config> before);
// The same of a configuration that is one already. `text`: what it was made of, or null.
ConfigReading read_config(std::string label, std::shared_ptr<const std::string> text, config::Config wanted,
                          std::shared_ptr<const config::Config> before);

// As errors of the file, with their places.
std::vector<std::string> placed_errors(const ConfigReading& reading, const std::vector<config::ApplyError>& errors);

// Something runs, and nothing of it would be left: a file that was cut off says so.
bool removes_everything(const ConfigReading& reading);

}  // namespace causeway
