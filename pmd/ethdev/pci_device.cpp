#include "pmd/ethdev/pci_device.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace causeway {
namespace {

constexpr unsigned kNetworkClass = 0x02;  // PCI Code and ID Assignment Specification, base class

}  // namespace

std::string pci_error(const std::string& address, const std::string& devices) {
  const std::filesystem::path device = std::filesystem::path(devices) / address;
  std::error_code ignored;
  if (!std::filesystem::exists(device, ignored)) return "there is no PCI device " + address;
  unsigned code = 0;
  if (!(std::ifstream(device / "class") >> std::hex >> code) || code >> 16 == kNetworkClass) return {};
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%06x", code);
  return "PCI device " + address + " is no network controller (class " + text.data() + ")";
}

}  // namespace causeway
