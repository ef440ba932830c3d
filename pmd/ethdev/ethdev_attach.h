// From a device string to an ethdev port of DPDK's, and back.
#pragma once

#include <cstdint>
#include <string>

#include "pmd/error.h"

namespace causeway {

// "what: why", by DPDK's name for the error.
std::string dpdk_error(const std::string& what, int error);

// Has the device's driver take it, and finds the port it brought. On failure RTE_MAX_ETHPORTS and `error`, one line,
// and nothing stays attached. A device is taken over by one port only. Within a DriverWords (pmd/driver_words.h), whose
// words are `error`'s then.
uint16_t attach_ethdev(const std::string& devargs, std::string& error);

// A port that was stopped, if it ran.
void detach_ethdev(uint16_t port);

// Both in a row, for the process that tries a device (control/port/device_trials.h): `error` of the first.
Error try_ethdev(const std::string& devargs);

}  // namespace causeway
