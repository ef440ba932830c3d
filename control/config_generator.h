// The generator of an `ethernets` entry. For config_sections.
#pragma once

#include "control/config_value.h"
#include "pmd/generator_settings.h"

namespace causeway::config {

GeneratorSettings read_generator(const Value& value);

}  // namespace causeway::config
