// The modelled NIC of an `ethernets` entry. For yaml/sections.
#pragma once

#include "control/yaml/value.h"
#include "pmd/nic_model_settings.h"

namespace causeway::config {

NicModelSettings read_nic_model(const Value& value, uint16_t& rx_queues);

}  // namespace causeway::config
