#include "control/ovsdb/mapping/bridge_settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/config/address_text.h"
#include "control/ovsdb/columns.h"

namespace causeway::ovsdb {
namespace {

// As lib/mac-learning.h and lib/mac-learning.c have them.
constexpr uint64_t kAgingTime = 300;
constexpr uint64_t kTableSize = 8192;

// What is no number, or 0, is the default.
uint32_t number_of(const Row& bridge, const std::string& key, uint64_t by_default, uint64_t low, uint64_t high) {
  const std::string* const text = value_of(bridge, "other_config", key);
  const uint64_t number = text != nullptr ? number_in(*text, 10).value_or(0) : 0;
  return static_cast<uint32_t>(std::clamp(number != 0 ? number : by_default, low, high));
}

}  // namespace

void read_bridge_settings(const Row& bridge, const std::string& name, config::Bridge& settings, Notes& notes) {
  settings.ageing_time_s = number_of(bridge, "mac-aging-time", kAgingTime, 15, 3600);
  settings.max_macs = number_of(bridge, "mac-table-size", kTableSize, 10, 1'000'000);
  if (const std::string* const forward = value_of(bridge, "other_config", "forward-bpdu");
      forward != nullptr && *forward == "true") {
    notes.add("Bridge.forward-bpdu", fmt::format("{}: forward-bpdu has no equal and is ignored", name));
  }
}

std::optional<MacAddress> hardware_address_of(const Row& bridge, const std::string& name, Notes& notes) {
  const std::string* const text = value_of(bridge, "other_config", "hwaddr");
  if (text == nullptr) return std::nullopt;
  const auto mac = parse_mac(*text);
  if (mac && !mac->is_multicast() && !mac->is_zero()) return mac;
  notes.add("Bridge.hwaddr",
            fmt::format("{}: hwaddr {} is no address of an interface and is ignored", name, shown(*text)));
  return std::nullopt;
}

}  // namespace causeway::ovsdb
