// The file's sections, from YAML values to Config, and the checks across them. For yaml/load.
#pragma once

#include "control/config/config.h"
#include "control/yaml/value.h"

namespace causeway::config {

// `config` is of use only if no error was added.
void read_sections(const Value& root, Config& config, Diagnostics& diagnostics);

}  // namespace causeway::config
