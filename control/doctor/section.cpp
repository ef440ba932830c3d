#include "control/doctor/section.h"

#include <fmt/format.h>

namespace causeway {

std::string section_of(const Gateway& gateway, const std::string& interface) {
  if (gateway.tunnels().find(interface) != nullptr) return "tunnels." + interface;
  const Ports::Record* const record = gateway.ports().find(interface);
  if (record != nullptr && record->settings.host_device() != nullptr) {
    return section_of(gateway, record->settings.host_device()->underlay) + ".host";
  }
  const bool is_vlan = record != nullptr && record->settings.vlan_device() != nullptr;
  return fmt::format("{}.{}", is_vlan ? "vlans" : "ethernets", interface);
}

}  // namespace causeway
