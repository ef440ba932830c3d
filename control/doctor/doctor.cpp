#include "control/doctor/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/check/warnings.h"
#include "control/doctor/families.h"

namespace causeway {
namespace {

using nlohmann::json;

constexpr size_t kMostFindings = 200;  // more nobody reads

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::wrong:
      return "wrong";
    case Severity::soon:
      return "soon";
    case Severity::hint:
      return "hint";
  }
  return "";
}

void sort(Findings& findings) { std::ranges::stable_sort(findings, {}, &Finding::severity); }

// Where no route leads is said of what runs.
void add_warnings(const config::Config& file, Findings& findings) {
  for (const config::ConfigWarning& warning : config::warnings_of(file)) {
    if (warning.key == "remote") continue;
    const std::string key =
        fmt::format("{}.{}{}", warning.section, warning.name, warning.key.empty() ? "" : "." + warning.key);
    findings.push_back({Severity::wrong, "config", warning.name, fmt::format("{}: {}", warning.name, warning.what),
                        "the file that runs: `causewayctl show config`", fmt::format("`{}`", key)});
  }
}

json to_json(const Findings& findings) {
  json rows = json::array();
  for (const Finding& finding : findings) {
    if (rows.size() == kMostFindings) break;
    rows.push_back({{"severity", to_string(finding.severity)},
                    {"name", finding.name},
                    {"object", finding.object},
                    {"what", finding.what},
                    {"seen", finding.seen},
                    {"cure", finding.cure}});
  }
  return {{"findings", std::move(rows)}, {"all", findings.size()}};
}

}  // namespace

Findings examine(const Gateway& gateway, const RecentCounts& counts) {
  const RecentDrops drops(gateway);
  Findings findings;
  examine_ports(gateway, counts, findings);
  examine_tunnels(gateway, drops, findings);
  examine_drops(gateway, drops, findings);
  examine_mtus(gateway, drops, findings);
  examine_addresses(gateway, drops, findings);
  examine_vlans(gateway, findings);
  examine_limits(gateway, counts, findings);
  sort(findings);
  return findings;
}

ApiReply doctor_reply(Gateway& gateway, const RecentCounts& counts, std::shared_ptr<const config::Config> file) {
  gateway.take_drop_examples();
  return ApiReply::later_by(
      [findings = examine(gateway, counts), file = std::move(file)]() mutable -> ApiReply::Act {
        add_warnings(*file, findings);
        sort(findings);
        return [line = api_line(api_ok(to_json(findings)))] { return ApiReply::as_line(line); };
      },
      0);
}

}  // namespace causeway
