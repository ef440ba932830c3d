// The system section.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "control/config/address_text.h"
#include "control/config/keys.h"
#include "control/yaml/read_keys.h"
#include "control/yaml/section_readers.h"

namespace causeway::config {
namespace {

// IPv6: the HTTP server of Debian's prometheus-cpp has none.
bool is_address_and_port(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  const auto ip = parse_ip(text.substr(0, colon));
  const std::string_view port = text.substr(colon + 1);
  const bool digits = !port.empty() && port.find_first_not_of("0123456789") == std::string_view::npos;
  return ip && ip->is_v4() && digits && port.size() <= 5 && std::stoul(std::string(port)) - 1 < 65535;
}

void read_workers(Reading& reading, const Value& value) {
  System& system = reading.config.system;
  if (!value.is_list()) {
    system.workers = static_cast<unsigned>(value.number(1, kMaxWorkers).value_or(1));
    return;
  }
  value.for_each_item([&](const Value& item) {
    const auto core = item.number(0, kMaxCore);
    if (!core) return;
    const auto first = std::find(system.worker_cores.begin(), system.worker_cores.end(), *core);
    if (first != system.worker_cores.end()) return item.error(fmt::format("core {} has a worker already", *core));
    system.worker_cores.push_back(static_cast<unsigned>(*core));
  });
  system.workers = static_cast<unsigned>(system.worker_cores.size());
  if (system.workers == 0 || system.workers > kMaxWorkers) {
    value.error(fmt::format("{} workers are out of range (1 to {})", system.workers, kMaxWorkers));
  }
}

void read_admins(const Value& value, std::vector<std::string>& admins) {
  value.for_each_item([&](const Value& item) {
    const auto user = item.text("a user's name");
    if (!user) return;
    if (const std::string error = name_error(*user, kLongestName); !error.empty()) return item.error(error);
    if (std::ranges::find(admins, *user) != admins.end())
      return item.error(fmt::format("{} is in the list already", *user));
    admins.emplace_back(*user);
  });
}

}  // namespace

void read_system(const Value& value, Reading& reading) {
  const Fields fields(value, kKeyNames<kSystemKeys>);
  System& system = reading.config.system;
  if (const auto name = fields.find("name")) {
    if (const auto text = name->text("a name")) {
      if (const std::string error = name_error(*text, kLongestName); !error.empty()) name->error(error);
      system.name = *text;
      system.named = true;
    }
  }
  if (const auto workers = fields.find("workers")) {
    const size_t errors = reading.diagnostics.count();
    read_workers(reading, *workers);
    reading.claims.workers_complete = reading.diagnostics.count() == errors;
  }
  read_keys(fields, kSystemKeys, system);
  system.flow_cache_entries = std::bit_ceil(system.flow_cache_entries);
  if (const auto ovsdb = fields.find("ovsdb")) {
    const auto text = ovsdb->text("a socket such as unix:/run/openvswitch/db.sock");
    if (text && !text->starts_with('/') && !text->starts_with("unix:/")) {
      ovsdb->error(fmt::format("expected a socket such as unix:/run/openvswitch/db.sock, not {}", quote(*text)));
    } else if (text) {
      system.ovsdb = *text;
    }
  }
  if (const auto admins = fields.find("admins")) read_admins(*admins, system.admins);
  if (const auto metrics = fields.find("metrics")) {
    const auto text = metrics->text("an IPv4 address and port such as 127.0.0.1:9111");
    if (text && !is_address_and_port(*text)) {
      metrics->error(fmt::format("expected an IPv4 address and port such as 127.0.0.1:9111, not {}", quote(*text)));
    } else if (text) {
      system.metrics = *text;
    }
  }
}

}  // namespace causeway::config
