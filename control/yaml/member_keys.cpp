// What members of a bridge have alike, ports and tunnels: VLANs, and a split-horizon group.
#include <fmt/format.h>

#include <charconv>
#include <set>

#include "control/config/keys.h"
#include "control/yaml/section_readers.h"
#include "dataplane/wire/vlan.h"

namespace causeway::config {
namespace {

struct Range {
  uint16_t first = 0;
  uint16_t last = 0;
};

// 10, or "10-19". 0 stands for frames without a tag.
std::optional<Range> read_range(const Value& item) {
  const auto text = item.is_text() ? item.text("") : std::nullopt;
  const size_t dash = text ? text->find('-', 1) : std::string_view::npos;
  if (dash == std::string_view::npos) {
    const auto id = item.number(0, kVlanIdMax);
    if (!id) return std::nullopt;
    return Range{static_cast<uint16_t>(*id), static_cast<uint16_t>(*id)};
  }
  Range range;
  const auto read = [&](std::string_view digits, uint16_t& value) {
    const char* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value);
    return error == std::errc() && stop == end && value <= kVlanIdMax;
  };
  if (!read(text->substr(0, dash), range.first) || !read(text->substr(dash + 1), range.last) ||
      range.first > range.last) {
    item.error(fmt::format("expected a VLAN ID or a range such as 10-19, not {}", quote(*text)));
    return std::nullopt;
  }
  return range;
}

void read_trunks(const Value& list, PortVlan& vlan) {
  std::set<uint16_t> ids;
  const size_t errors = list.error_count();
  list.for_each_item([&](const Value& item) {
    const auto range = read_range(item);
    if (!range) return;
    if (range->first == 0 && vlan.mode == VlanMode::native) {
      return item.error("0 means frames without a tag, which are of the native VLAN");
    }
    for (unsigned id = range->first; id <= range->last; ++id) ids.insert(static_cast<uint16_t>(id));
  });
  if (ids.empty() && list.error_count() == errors) list.error("the list is empty; without it all VLANs are carried");
  vlan.trunks.assign(ids.begin(), ids.end());
}

}  // namespace

void read_port_vlan(const Fields& fields, PortVlan& vlan) {
  const auto value = fields.find("vlan");
  if (!value) return;
  const Fields vlan_fields(*value, kKeyNames<kPortVlanKeys>);
  vlan_fields.require({"mode"});
  const auto mode = vlan_fields.find("mode");
  const auto word = mode ? mode->word({"access", "trunk", "native"}) : std::nullopt;
  if (!word) return;
  static constexpr VlanMode kModes[] = {VlanMode::access, VlanMode::trunk, VlanMode::native};
  vlan.mode = kModes[*word];
  const auto tag = vlan_fields.find("tag");
  const auto trunks = vlan_fields.find("trunks");
  if (vlan.mode == VlanMode::trunk) {
    if (tag) tag->key_error("a trunk has no tag of its own; native has");
  } else {
    vlan_fields.require({"tag"});
    vlan_fields.number("tag", vlan.tag, 1, kVlanIdMax);
  }
  if (!trunks) return;
  if (vlan.mode == VlanMode::access) return trunks->key_error("an access port carries one VLAN, its tag");
  read_trunks(*trunks, vlan);
}

void read_split_group(const Fields& fields, bool isolated, std::string& group) {
  const auto value = fields.find("group");
  if (!value) return;
  const auto name = value->text("the name of a split-horizon group");
  if (!name) return;
  if (const std::string error = name_error(*name, kLongestName); !error.empty()) return value->error(error);
  const auto flag = fields.find("isolated");
  if (flag && isolated) flag->error("true means the group without a name, and there is `group`: give one of them");
  if (!flag || isolated) group = *name;
}

}  // namespace causeway::config
