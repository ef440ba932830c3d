#include "control/ctl/doctor.h"

#include <fmt/format.h>

#include <algorithm>

namespace causeway {

using nlohmann::json;

std::string render_doctor(const json& result) {
  const json findings = result.value("findings", json::array());
  if (findings.empty()) return "nothing is wrong\n";
  std::string text;
  for (const json& finding : findings) {
    text += fmt::format("{:5}  {}\n", finding.value("severity", ""), finding.value("what", ""));
    text += fmt::format("       seen: {}\n", finding.value("seen", ""));
    text += fmt::format("       cure: {}\n", finding.value("cure", ""));
  }
  const uint64_t all = result.value("all", uint64_t{0});
  if (all > findings.size()) text += fmt::format("{} more\n", all - findings.size());
  return text;
}

bool is_well(const json& result) {
  return std::ranges::all_of(result.value("findings", json::array()),
                             [](const json& finding) { return finding.value("severity", "") == "hint"; });
}

}  // namespace causeway
