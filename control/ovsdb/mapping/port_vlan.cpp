#include "control/ovsdb/mapping/port_vlan.h"

#include <fmt/format.h>

#include <optional>
#include <set>

#include "control/ovsdb/columns.h"
#include "dataplane/wire/vlan.h"

namespace causeway::ovsdb {
namespace {

constexpr int64_t kHighestVlan = 4095;  // the schema's

// OVS leaves out what isn't a VLAN; of the schema there is no such.
std::set<uint16_t> trunks_of(const Row& port) {
  std::set<uint16_t> trunks;
  for (const int64_t trunk : integers_of(port, "trunks")) {
    if (trunk >= 0 && trunk <= kHighestVlan) trunks.insert(static_cast<uint16_t>(trunk));
  }
  return trunks;
}

void carry(const std::set<uint16_t>& trunks, config::PortVlan& vlan) {
  vlan.trunks.assign(trunks.begin(), trunks.end());
}

// An access port of VLAN 0 carries frames without a tag and no others.
void be_access(uint16_t tag, config::PortVlan& vlan) {
  vlan.mode = tag != 0 ? VlanMode::access : VlanMode::trunk;
  vlan.tag = tag;
  if (tag == 0) vlan.trunks = {0};
}

// Of a native VLAN of 0 are the frames without a tag: a trunk that takes these, too.
void be_native(uint16_t tag, std::set<uint16_t> trunks, config::PortVlan& vlan) {
  vlan.mode = tag != 0 ? VlanMode::native : VlanMode::trunk;
  vlan.tag = tag;
  if (trunks.empty()) return;  // all
  if (tag != 0) trunks.erase(0);
  trunks.insert(tag);
  carry(trunks, vlan);
}

}  // namespace

std::string read_port_vlan(const Row& port, std::string_view name, config::PortVlan& vlan, Notes& notes) {
  vlan = {};
  std::optional<uint16_t> tag;
  if (const auto number = integer_of(port, "tag"); number && *number >= 0 && *number <= kHighestVlan) {
    tag = static_cast<uint16_t>(*number);
  }
  const std::set<uint16_t> trunks = trunks_of(port);
  const std::string mode = text_of(port, "vlan_mode").value_or(tag ? "access" : "trunk");
  if (mode == "native-tagged" || mode == "dot1q-tunnel") return fmt::format("vlan_mode={} is not supported", mode);
  if (mode == "trunk") {
    if (!trunks.empty()) {
      vlan.mode = VlanMode::trunk;
      carry(trunks, vlan);
    }
    return "";
  }
  if (tag.value_or(0) > kVlanIdMax) return fmt::format("VLAN {} is reserved", *tag);
  if (mode == "access") {
    if (!trunks.empty()) {
      notes.add("Port.trunks", fmt::format("port {}: ignoring trunks in favor of implicit vlan", name));
    }
    be_access(tag.value_or(0), vlan);
  } else if (mode == "native-untagged") {
    be_native(tag.value_or(0), trunks, vlan);
  } else {
    return fmt::format("unknown vlan_mode '{}'", shown(mode));
  }
  return "";
}

}  // namespace causeway::ovsdb
