// The sflow section.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "control/config/address_text.h"
#include "control/config/keys.h"
#include "control/yaml/read_keys.h"
#include "control/yaml/section_readers.h"

namespace causeway::config {
namespace {

constexpr size_t kMostTargets = 8;

bool read_port(std::string_view text, uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port != 0;
}

bool is_host(const IpAddress& ip) { return !ip.is_multicast() && !ip.is_unspecified(); }

// ADDRESS, IPV4:PORT, [IPV6] or [IPV6]:PORT.
std::optional<SflowTarget> parse_target(std::string_view text) {
  SflowTarget target;
  std::string_view address = text;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    address = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && (rest[0] != ':' || !read_port(rest.substr(1), target.port))) return std::nullopt;
    if (address.find(':') == std::string_view::npos) return std::nullopt;
  } else if (const size_t colon = text.find(':'); colon != std::string_view::npos && colon == text.rfind(':')) {
    address = text.substr(0, colon);
    if (!read_port(text.substr(colon + 1), target.port)) return std::nullopt;
  }
  const auto ip = parse_ip(address);
  if (!ip || !is_host(*ip)) return std::nullopt;
  target.address = *ip;
  return target;
}

void read_targets(const Value& value, std::vector<SflowTarget>& targets) {
  value.for_each_item([&](const Value& item) {
    const auto text = item.text("a collector's address, such as 192.0.2.1:6343");
    if (!text) return;
    const auto target = parse_target(*text);
    if (!target) {
      return item.error(fmt::format("expected a collector's address, such as 192.0.2.1:6343, not {}", quote(*text)));
    }
    if (std::ranges::find(targets, *target) != targets.end()) return item.error("is there twice");
    targets.push_back(*target);
  });
  if (targets.size() > kMostTargets) {
    value.error(fmt::format("{} collectors are more than {}", targets.size(), kMostTargets));
  }
}

}  // namespace

void read_sflow(const Value& value, Reading& reading) {
  const Fields fields(value, kKeyNames<kSflowKeys>);
  Sflow& sflow = reading.config.sflow.emplace();
  fields.require({"targets"});
  if (const auto targets = fields.find("targets")) {
    const size_t errors = reading.diagnostics.count();
    read_targets(*targets, sflow.targets);
    if (sflow.targets.empty() && reading.diagnostics.count() == errors) targets->error("names no collector");
  }
  read_keys(fields, kSflowKeys, sflow);
  if (const auto agent = fields.find("agent")) {
    const auto ip = agent->address();
    if (ip && !is_host(*ip)) agent->error(fmt::format("{} is no address of a host", to_string(*ip)));
    if (ip) sflow.agent = *ip;
  }
}

}  // namespace causeway::config
