// `causewayctl doctor`: what it prints, and whether all is well.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace causeway {

// A finding is a line, with what says so and what mends it below.
std::string render_doctor(const nlohmann::json& result);

// Nothing is wrong or will be; hints are neither.
bool is_well(const nlohmann::json& result);

}  // namespace causeway
