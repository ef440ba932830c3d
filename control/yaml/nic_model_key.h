// The modelled NIC of an `ethernets` entry. For yaml/ethernets_section.
#pragma once

#include "control/yaml/value.h"
#include "pmd/nic_model_settings.h"

namespace causeway::config {

// Its receive queues are the ethernet's.
NicModelSettings read_nic_model(const Value& value, Ethernet& ethernet);

}  // namespace causeway::config
