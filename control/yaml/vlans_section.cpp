// The vlans section.
#include <fmt/format.h>

#include <map>

#include "control/config/keys.h"
#include "control/yaml/read_keys.h"
#include "control/yaml/section_readers.h"
#include "dataplane/wire/vlan.h"

namespace causeway::config {
namespace {

void read_link(Reading& reading, const Fields& fields, VlanDevice& device) {
  const auto link = fields.find("link");
  const auto name = link ? link->text("the name of an ethernet") : std::nullopt;
  if (!name) return;
  const auto found = reading.claims.interfaces.find(*name);
  if (found != reading.claims.interfaces.end() && std::string_view(found->second.section) == "ethernets") {
    device.link = *name;
    return;
  }
  Suggestion suggestion(*name);
  for (const auto& [candidate, interface] : reading.claims.interfaces) {
    if (std::string_view(interface.section) == "ethernets") suggestion.consider(candidate);
  }
  link->error(fmt::format("no ethernet is called {}{}", quote(*name), suggestion.text()));
}

void read_vlan_mtu(Reading& reading, const Fields& fields, const VlanDevice& device, Ethernet& ethernet) {
  fields.number("mtu", ethernet.mtu, 68, 65535);
  const auto link = reading.config.ethernets.find(device.link);
  if (!ethernet.mtu || link == reading.config.ethernets.end() || !link->second.mtu) return;
  if (*ethernet.mtu <= *link->second.mtu) return;
  fields.find("mtu")->error(fmt::format("{} is more than the {} of {}", *ethernet.mtu, *link->second.mtu, device.link));
}

}  // namespace

void read_vlans(const Value& section, Reading& reading) {
  std::map<std::pair<std::string, uint16_t>, Claims::Owner> ids;
  section.for_each_entry([&](std::string_view name, const Value& value) {
    if (!add_interface(reading, "vlans", name, value, kLongestInterfaceName)) return;
    const Fields fields(value, kKeyNames<kVlanKeys>);
    fields.require({"id", "link"});
    Ethernet ethernet;
    VlanDevice device;
    fields.number("id", device.id, 1, kVlanIdMax);
    read_link(reading, fields, device);
    const Claims::Owner owner{name, value.key_place().line};
    const auto [first, is_new] = ids.try_emplace({device.link, device.id}, owner);
    if (!is_new && device.id != 0 && !device.link.empty()) {
      value.key_error(fmt::format("VLAN {} of {} is vlans.{} already, on line {}", device.id, device.link,
                                  first->second.name, first->second.line));
    }
    ethernet.device = device;
    read_vlan_mtu(reading, fields, device, ethernet);
    read_keys(fields, kVlanKeys, ethernet);
    read_network(reading, name, fields, ethernet);
    reading.claims.interfaces[name].underlay = ethernet.is_underlay();
    if (const auto link = reading.config.ethernets.find(device.link); link != reading.config.ethernets.end()) {
      // Whether to merge segments is the link's business, which knows its device.
      const Toggle gro = link->second.offloads.gro;
      const bool dpdk = std::holds_alternative<DpdkDevice>(link->second.device);
      ethernet.offloads.gro = gro == Toggle::off || (dpdk && gro != Toggle::on) ? Toggle::off : Toggle::automatic;
      // A tag is no way around them.
      if (ethernet.bindings.empty() && !ethernet.is_underlay()) ethernet.bindings = link->second.bindings;
      (ethernet.is_underlay() ? link->second.underlay_vlans : link->second.bridged_vlans) = true;
    }
    reading.config.ethernets.emplace(name, std::move(ethernet));
  });
}

}  // namespace causeway::config
