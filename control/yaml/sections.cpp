#include "control/yaml/sections.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/yaml/section_readers.h"

namespace causeway::config {

// Whatever order the file has: a section is read after those it refers to.
void read_sections(const Value& root, Config& config, Diagnostics& diagnostics) {
  Reading reading{config, diagnostics, {}};
  static constexpr std::string_view kKeys[] = {"version", "system",  "ethernets", "vlans",
                                               "bridges", "tunnels", "sflow",     "mirrors"};
  const Fields fields(root, kKeys);
  fields.require({"version"});
  if (const auto version = fields.find("version")) {
    const auto number = version->number(0, UINT64_MAX);
    if (number && *number != 1) version->error(fmt::format("version {} is not supported, only 1", *number));
  }
  if (const auto system = fields.find("system")) read_system(*system, reading);
  const size_t errors = diagnostics.count();
  if (const auto ethernets = fields.find("ethernets")) read_ethernets(*ethernets, reading);
  if (const auto vlans = fields.find("vlans")) read_vlans(*vlans, reading);
  const bool hosts = std::ranges::any_of(config.ethernets, [](const auto& item) { return item.second.host_addresses; });
  reading.claims.own_addresses_complete = diagnostics.count() == errors && !hosts;
  if (const auto tunnels = fields.find("tunnels")) read_tunnels(*tunnels, reading);
  if (const auto bridges = fields.find("bridges")) read_bridges(*bridges, reading);
  if (const auto sflow = fields.find("sflow")) read_sflow(*sflow, reading);
  if (const auto mirrors = fields.find("mirrors")) read_mirrors(*mirrors, reading);
}

}  // namespace causeway::config
