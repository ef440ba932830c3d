// A PCI device as the kernel describes it, before DPDK is asked for it.
#pragma once

#include <string>

namespace causeway {

// `address` as in pmd/ethdev/devargs.h. Why it can be no port now, one line; empty: it may be one.
std::string pci_error(const std::string& address, const std::string& devices = "/sys/bus/pci/devices");

}  // namespace causeway
