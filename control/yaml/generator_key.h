// The generator of an `ethernets` entry. For yaml/ethernets_section.
#pragma once

#include "control/yaml/value.h"
#include "pmd/generator_settings.h"

namespace causeway::config {

GeneratorSettings read_generator(const Value& value);
// What a generator of so many flows has where the file says nothing of MACs, addresses and ports.
void default_ranges(GeneratorSettings& settings);

}  // namespace causeway::config
