#include "control/ovsdb/mapping/devices.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "control/config/address_text.h"
#include "control/config/keys.h"
#include "control/ovsdb/columns.h"
#include "pmd/ethdev/devargs.h"

namespace causeway::ovsdb {
namespace {

// What Open vSwitch has and we don't; of other types it says itself that there are none.
constexpr std::string_view kNotHere[] = {
    "patch", "dpdkvhostuser", "dpdkvhostuserclient", "dpdkr", "stt",       "lisp",          "gtpu", "bareudp",
    "srv6",  "afxdp",         "afxdp-nonpmd",        "dummy", "dummy-pmd", "dummy-internal"};

}  // namespace

std::string cannot_open(const std::string& name, std::string_view why) {
  return fmt::format("could not open network device {} ({})", shown(name), why);
}

Devices::Devices(const config::Config& yaml) {
  for (const auto& [name, ethernet] : yaml.ethernets) {
    if (!ethernet.devargs().empty()) owners_.try_emplace(device_name(ethernet.devargs()).name, name);
  }
}

std::string Devices::read(const Row& interface, const std::string& name, std::string_view type,
                          config::Ethernet& ethernet, Notes& notes) {
  if (type.empty() || type == "system") {
    ethernet.device = config::PacketDevice{};
    return "";
  }
  if (type == "internal" || type == "tap") {
    ethernet.device = config::TapDevice{};
    return "";
  }
  if (type == "dpdk") return read_dpdk(interface, name, ethernet, notes);
  if (std::ranges::find(kNotHere, type) != std::end(kNotHere)) {
    return cannot_open(name, fmt::format("type {} is not supported", type));
  }
  return cannot_open(name, "Address family not supported by protocol");
}

std::string Devices::read_dpdk(const Row& interface, const std::string& name, config::Ethernet& ethernet,
                               Notes& notes) {
  const std::string* const devargs = value_of(interface, "options", "dpdk-devargs");
  if (devargs == nullptr || devargs->empty()) {
    return fmt::format("'{}' is missing 'options:dpdk-devargs'. The old 'dpdk<port_id>' names are not supported", name);
  }
  if (const std::string error = devargs_error(*devargs); !error.empty()) {
    return fmt::format("Error attaching device '{}' to DPDK: {}", shown(*devargs), shown(error));
  }
  const auto [owner, is_new] = owners_.try_emplace(device_name(*devargs).name, name);
  if (!is_new) {
    return fmt::format("'{}' is trying to use device '{}' which is already in use by '{}'", name, shown(*devargs),
                       owner->second);
  }
  ethernet.device = config::DpdkDevice{*devargs};
  for (const auto& [option, value] : map_of(interface, "options").items()) {
    if (option == "dpdk-devargs") continue;
    const auto queues = option == "n_rxq" && value.is_string() ? number_in(value.get<std::string>(), 10) : std::nullopt;
    if (queues && *queues >= 1 && *queues <= config::kMaxWorkers) {
      ethernet.rx_queues = static_cast<uint16_t>(*queues);
    } else {
      notes.add("dpdk: " + shown(option),
                fmt::format("{}: options:{}={} has no equal and is ignored", name, shown(option),
                            shown(value.is_string() ? value.get<std::string>() : "")));
    }
  }
  return "";
}

void read_mac(const Row& interface, const std::string& name, config::Ethernet& ethernet, Notes& notes) {
  const auto text = text_of(interface, "mac");
  if (!text) return;
  const auto mac = parse_mac(*text);
  if (!std::holds_alternative<config::TapDevice>(ethernet.device)) {
    notes.add("Interface.mac", fmt::format("{}: mac of an interface that is not internal is ignored", name));
  } else if (!mac || mac->is_multicast() || mac->is_zero()) {
    notes.add("Interface.mac value", fmt::format("{}: mac {} is no address of an interface", name, shown(*text)));
  } else {
    ethernet.mac = mac;
  }
}

void read_mtu(const Row& interface, const std::string& name, config::Ethernet& ethernet, Notes& notes) {
  const auto mtu = integer_of(interface, "mtu_request");
  if (!mtu) return;
  if (*mtu < 68 || *mtu > UINT16_MAX) {
    notes.add("Interface.mtu_request", fmt::format("{}: mtu_request {} is out of range (68 to 65535)", name, *mtu));
  } else {
    ethernet.mtu = static_cast<uint16_t>(*mtu);
  }
}

}  // namespace causeway::ovsdb
