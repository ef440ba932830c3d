#include "pmd/ethdev/ethdev_attach.h"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "pmd/driver_words.h"
#include "pmd/eal.h"
#include "pmd/ethdev/devargs.h"
#include "pmd/ethdev/pci_device.h"

namespace causeway {
namespace {

std::vector<uint16_t> ethdev_ports() {
  std::vector<uint16_t> ports;
  uint16_t port = 0;
  RTE_ETH_FOREACH_DEV(port) ports.push_back(port);
  return ports;
}

bool has_port(const DeviceName& device) {
  return std::ranges::any_of(ethdev_ports(), [&](uint16_t port) {
    rte_eth_dev_info info{};
    return rte_eth_dev_info_get(port, &info) == 0 && info.device != nullptr && rte_dev_name(info.device) == device.name;
  });
}

// Drivers return any number; what they say is of more use.
std::string why_not(const DeviceName& device, int result, const std::string& words) {
  if (device.bus == "pci" && !eal_has_pci()) return "the daemon started without a PCI device in its file: restart it";
  if (words.find("failed to parse device") != std::string::npos) return "DPDK has no such driver";
  if (!words.empty()) return words;
  if (result == -EPERM || result == -EFAULT) return "its driver refuses it without a word: look at its parameters";
  return rte_strerror(-result);
}

}  // namespace

std::string dpdk_error(const std::string& what, int error) {
  return what + ": " + rte_strerror(error < 0 ? -error : error);
}

uint16_t attach_ethdev(const std::string& devargs, std::string& error) {
  const DeviceName device = device_name(devargs);
  error = devargs_error(devargs);
  if (error.empty() && device.bus == "pci") error = pci_error(device.name);
  if (!error.empty()) return RTE_MAX_ETHPORTS;

  eal_gets_device();
  DriverWords words;
  const std::vector<uint16_t> before = ethdev_ports();
  const int result = rte_dev_probe(devargs.c_str());
  if (result < 0) {
    const std::string said = words.take();
    error = result == -EEXIST ? "device is in use already"
                              : "cannot probe \"" + devargs + "\": " + why_not(device, result, said);
    return RTE_MAX_ETHPORTS;
  }
  for (const uint16_t port : ethdev_ports()) {
    if (std::ranges::find(before, port) == before.end()) return port;
  }
  if (has_port(device)) {
    error = "device is in use already";
  } else {
    rte_eal_hotplug_remove(device.bus.c_str(), device.name.c_str());
    error = "\"" + devargs + "\" is no Ethernet device";
  }
  return RTE_MAX_ETHPORTS;
}

void detach_ethdev(uint16_t port) {
  rte_eth_dev_info info{};
  rte_device* const device = rte_eth_dev_info_get(port, &info) == 0 ? info.device : nullptr;
  rte_eth_dev_close(port);
  if (device != nullptr) rte_dev_remove(device);
}

Error try_ethdev(const std::string& devargs) {
  std::string error;
  const uint16_t port = attach_ethdev(devargs, error);
  if (error.empty()) detach_ethdev(port);
  return error;
}

}  // namespace causeway
