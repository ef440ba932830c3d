// A NIC in software in front of a port that carries complete frames: takes frames from the gateway as ethdev_port
// does (the same choice of offloads, the same translation into DPDK's terms), and does itself what a device would.
// Each feature can be missing, or be claimed and not done. For tests and labs: it is slow.
#pragma once

#include <memory>
#include <string>

#include "pmd/nic_model_settings.h"
#include "pmd/port.h"

namespace causeway {

// `cable` is the port behind it, opened with cable_options(); null and `error` when `options` ask for what
// the model lacks.
std::unique_ptr<Port> make_nic_model(std::unique_ptr<Port> cable, const PortOptions& options,
                                     const NicModelSettings& settings, std::string& error);
PortOptions cable_options(PortOptions options);

}  // namespace causeway
