// The generator of an `ethernets` entry. For yaml/sections.
#pragma once

#include "control/yaml/value.h"
#include "pmd/generator_settings.h"

namespace causeway::config {

GeneratorSettings read_generator(const Value& value);

}  // namespace causeway::config
