// `causewayctl doctor`: what is wrong with what runs or will be, worst first. Control thread.
#pragma once

#include <memory>

#include "control/api/reply.h"
#include "control/config/config.h"
#include "control/doctor/finding.h"
#include "control/doctor/recent_counts.h"
#include "control/gateway/gateway.h"

namespace causeway {

// All that the running state shows.
Findings examine(const Gateway& gateway, const RecentCounts& counts);

// The answer to the request `doctor` (control/api/verbs.h): that, and what the file says that can't carry.
ApiReply doctor_reply(Gateway& gateway, const RecentCounts& counts, std::shared_ptr<const config::Config> file);

}  // namespace causeway
