// The vlans section, and the VLAN mode of bridge ports and tunnels.
#include <fmt/format.h>

#include <charconv>
#include <map>
#include <set>

#include "control/yaml/sections.h"
#include "dataplane/wire/vlan.h"

namespace causeway::config {
namespace {

constexpr size_t kLongestInterfaceName = 15;  // IFNAMSIZ - 1, linux/if.h

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

void Sections::read_port_vlan(const Fields& fields, PortVlan& vlan) {
  const auto value = fields.find("vlan");
  if (!value) return;
  static constexpr std::string_view kKeys[] = {"mode", "tag", "trunks"};
  const Fields vlan_fields(*value, kKeys);
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

const PortVlan* Sections::vlan_of(const std::string& interface) const {
  const PortVlan* vlan = nullptr;
  if (const auto found = config_.ethernets.find(interface); found != config_.ethernets.end())
    vlan = &found->second.vlan;
  if (const auto found = config_.tunnels.find(interface); found != config_.tunnels.end()) vlan = &found->second.vlan;
  return vlan != nullptr && vlan->mode != VlanMode::none ? vlan : nullptr;
}

void Sections::read_vlans(const Value& section) {
  std::map<std::pair<std::string, uint16_t>, Owner> ids;
  section.for_each_entry([&](std::string_view name, const Value& value) {
    if (!add_interface("vlans", name, value, kLongestInterfaceName)) return;
    static constexpr std::string_view kKeys[] = {"id",        "link",       "mtu",       "addresses", "routes",
                                                 "neighbors", "isolated",   "mss-clamp", "vlan",      "allow-from",
                                                 "max-macs",  "flood-rate", "bindings"};
    const Fields fields(value, kKeys);
    fields.require({"id", "link"});
    Ethernet ethernet;
    VlanDevice device;
    fields.number("id", device.id, 1, kVlanIdMax);
    read_link(fields, device);
    const Owner owner{name, value.key_place().line};
    const auto [first, is_new] = ids.try_emplace({device.link, device.id}, owner);
    if (!is_new && device.id != 0 && !device.link.empty()) {
      value.key_error(fmt::format("VLAN {} of {} is vlans.{} already, on line {}", device.id, device.link,
                                  first->second.name, first->second.line));
    }
    read_vlan_mtu(fields, device, ethernet);
    read_network(name, fields, ethernet);
    fields.boolean("isolated", ethernet.isolated);
    interfaces_[name].underlay = ethernet.is_underlay();
    if (const auto link = config_.ethernets.find(device.link); link != config_.ethernets.end()) {
      // Whether to merge segments is the link's business, which knows its device.
      const Toggle gro = link->second.offloads.gro;
      const bool dpdk = std::holds_alternative<DpdkDevice>(link->second.device);
      ethernet.offloads.gro = gro == Toggle::off || (dpdk && gro != Toggle::on) ? Toggle::off : Toggle::automatic;
      // A tag is no way around them.
      if (ethernet.bindings.empty() && !ethernet.is_underlay()) ethernet.bindings = link->second.bindings;
      (ethernet.is_underlay() ? link->second.underlay_vlans : link->second.bridged_vlans) = true;
    }
    ethernet.device = std::move(device);
    config_.ethernets.emplace(name, std::move(ethernet));
  });
}

void Sections::read_link(const Fields& fields, VlanDevice& device) {
  const auto link = fields.find("link");
  const auto name = link ? link->text("the name of an ethernet") : std::nullopt;
  if (!name) return;
  const auto found = interfaces_.find(*name);
  if (found != interfaces_.end() && std::string_view(found->second.section) == "ethernets") {
    device.link = *name;
    return;
  }
  Suggestion suggestion(*name);
  for (const auto& [candidate, interface] : interfaces_) {
    if (std::string_view(interface.section) == "ethernets") suggestion.consider(candidate);
  }
  link->error(fmt::format("no ethernet is called {}{}", quote(*name), suggestion.text()));
}

void Sections::read_vlan_mtu(const Fields& fields, const VlanDevice& device, Ethernet& ethernet) {
  fields.number("mtu", ethernet.mtu, 68, 65535);
  const auto link = config_.ethernets.find(device.link);
  if (!ethernet.mtu || link == config_.ethernets.end() || !link->second.mtu) return;
  if (*ethernet.mtu <= *link->second.mtu) return;
  fields.find("mtu")->error(fmt::format("{} is more than the {} of {}", *ethernet.mtu, *link->second.mtu, device.link));
}

}  // namespace causeway::config
