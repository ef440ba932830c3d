#include "control/check/absent_interfaces.h"

#include "pmd/kernel/rtnetlink.h"

namespace causeway {
namespace {

bool stands_on_an_interface(const config::Ethernet& ethernet) {
  const auto* const model = std::get_if<NicModelSettings>(&ethernet.device);
  return std::holds_alternative<config::PacketDevice>(ethernet.device) ||
         (model != nullptr && model->over == NicModelSettings::Over::interface);
}

}  // namespace

std::vector<config::ConfigWarning> absent_interfaces(const config::Config& config) {
  std::vector<config::ConfigWarning> warnings;
  const Rtnetlink rtnetlink;
  for (const auto& [name, ethernet] : config.ethernets) {
    if (!stands_on_an_interface(ethernet) || rtnetlink.link(0, name)) continue;
    warnings.push_back({"ethernets", name, "", "there is no such interface now: missing until one comes"});
  }
  return warnings;
}

}  // namespace causeway
