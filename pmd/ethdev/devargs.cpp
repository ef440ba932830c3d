#include "pmd/ethdev/devargs.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

namespace causeway {
namespace {

constexpr size_t kLongestName = 63;  // RTE_DEV_NAME_MAX_LEN with its NUL
constexpr std::string_view kExpected = "expected a PCI address (0000:18:00.0) or a vdev (net_af_packet0,iface=eth1)";

bool is_hex(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

bool is_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
  });
}

// "18:00.0" with or without a domain in front; DPDK and the kernel write four digits of it.
std::optional<std::string> pci_address(std::string_view text) {
  std::string_view domain = "0";
  if (const size_t colon = text.find(':'); colon != text.rfind(':')) {
    domain = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (text.size() != 7 || text[2] != ':' || text[5] != '.') return std::nullopt;
  const std::string_view bus = text.substr(0, 2), device = text.substr(3, 2), function = text.substr(6);
  if (!is_hex(domain) || domain.size() > 8 || !is_hex(bus) || !is_hex(device) || !is_hex(function)) return std::nullopt;
  const auto number = [](std::string_view hex) { return std::strtoul(std::string(hex).c_str(), nullptr, 16); };
  if (number(device) > 0x1f || number(function) > 7) return std::nullopt;
  std::array<char, 24> address{};
  std::snprintf(address.data(), address.size(), "%04lx:%02lx:%02lx.%lx", number(domain), number(bus), number(device),
                number(function));
  return std::string(address.data());
}

// The device of a network interface on Hyper-V: 8-4-4-4-12 hexadecimal digits.
bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0) return false;
  }
  return true;
}

// "eth_" and "virtio_user" are old names of drivers that DPDK still knows.
bool is_ethernet_vdev(std::string_view name) {
  const bool named = (name.starts_with("net_") || name.starts_with("eth_")) && name.size() > 4;
  return is_word(name) && (named || name.starts_with("virtio_user"));
}

// What its bus may be by its looks.
std::string bus_of(std::string_view name) {
  if (pci_address(name)) return "pci";
  if (is_ethernet_vdev(name)) return "vdev";
  if (name.starts_with("mlx5_core.sf.") && is_word(name)) return "auxiliary";
  return is_uuid(name) ? "vmbus" : "";
}

// Commas within brackets are a parameter's own: representor=[0,2], dev(net_null0,copy=1).
std::optional<std::vector<std::string_view>> parameters_of(std::string_view text) {
  std::vector<std::string_view> parameters;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      parameters.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    } else if (text[i] == '[' || text[i] == '(') {
      ++depth;
    } else if ((text[i] == ']' || text[i] == ')') && --depth < 0) {
      return std::nullopt;
    }
  }
  if (depth != 0) return std::nullopt;
  return parameters;
}

// Without the brackets: devices within a failsafe device. Its other words are commands for a shell, and descriptors.
std::string nested_error(std::string_view parameter, size_t bracket) {
  const std::string_view word = parameter.substr(0, bracket);
  if (word != "dev" || !parameter.ends_with(')'))
    return std::string(word) + "(...): a device has no such parameter here";
  return devargs_error(parameter.substr(bracket + 1, parameter.size() - bracket - 2));
}

std::string parameter_error(std::string_view device, std::string_view parameter) {
  const size_t equals = parameter.find('=');
  const size_t bracket = parameter.find('(');
  if (bracket < equals) return nested_error(parameter, bracket);
  if (!is_word(parameter.substr(0, equals))) {
    return "expected key=value behind each comma, not '" + std::string(parameter) + "'";
  }
  const bool virtio_user = device.starts_with("net_virtio_user") || device.starts_with("virtio_user");
  if (virtio_user && parameter.starts_with("server=") && parameter != "server=0") {
    return "server=1 stops the gateway until somebody connects: let the other end be the server";
  }
  return {};
}

std::string name_error(std::string_view name) {
  static constexpr std::array kOthers{"baseband_", "compress_", "crypto_", "dma_",   "event_", "gpu_",   "mempool_",
                                      "ml_",       "rawdev_",   "regex_",  "class=", "bus=",   "driver="};
  const auto other = std::ranges::find_if(kOthers, [&](const char* prefix) { return name.starts_with(prefix); });
  if (other == kOthers.end()) return std::string(kExpected);
  if (std::string_view(*other).ends_with('='))
    return "'" + std::string(*other) + "' names no single device; " + std::string(kExpected);
  return std::string(name) + " is no Ethernet device";
}

}  // namespace

DeviceName device_name(std::string_view devargs) {
  std::string_view name = devargs.substr(0, devargs.find(','));
  std::string bus = bus_of(name);
  for (const char* prefix : {"pci", "vdev", "auxiliary", "vmbus"}) {
    if (!bus.empty() || !name.starts_with(std::string(prefix) + ":")) continue;
    name.remove_prefix(std::string_view(prefix).size() + 1);
    if (bus_of(name) == prefix) bus = prefix;
  }
  if (bus.empty()) return {};
  return {bus, bus == "pci" ? *pci_address(name) : std::string(name)};
}

std::string devargs_error(std::string_view devargs) {
  const auto is_plain = [](unsigned char c) { return std::isprint(c) != 0; };
  if (!std::ranges::all_of(devargs, is_plain)) return "a device's name has printable ASCII characters only";
  const size_t comma = devargs.find(',');
  const DeviceName device = device_name(devargs);
  if (device.bus.empty()) return name_error(devargs.substr(0, comma));
  if (device.name.size() > kLongestName) return "a device's name has 63 characters at most";
  // DPDK takes what follows for a layer of its other syntax, and drops the device.
  for (const std::string_view layer : {"/bus=", "/class=", "/driver="}) {
    if (devargs.find(layer) != std::string_view::npos)
      return "no parameter may have '" + std::string(layer) + "' in it";
  }
  if (comma == std::string_view::npos) return {};
  const auto parameters = parameters_of(devargs.substr(comma + 1));
  if (!parameters) return "brackets don't match";
  for (const std::string_view parameter : *parameters) {
    if (std::string error = parameter_error(device.name, parameter); !error.empty()) return error;
  }
  return {};
}

}  // namespace causeway
