#include "control/unixctl/service.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "control/view/traffic.h"

namespace causeway::unixctl {

Service::Service(EventLoop& loop, std::string run_directory, Context context)
    : loop_(loop), run_directory_(std::move(run_directory)), context_(std::move(context)) {
  timer_ = loop_.every(DropRates::kInterval, [this] {
    context_.drop_rates.sample(drop_totals(context_.gateway));
    open_missing();
  });
  open_missing();
}

Service::~Service() { loop_.cancel(timer_); }

void Service::stand_for_vswitchd(bool stands) {
  if (std::exchange(stands_for_vswitchd_, stands) == stands) return;
  vswitchd_.reset();
  open_missing();
}

// Tried again and again: who had the name before may be about to end.
void Service::open_missing() {
  if (!own_) open(own_, "causewayd");
  if (stands_for_vswitchd_ && !vswitchd_) open(vswitchd_, "ovs-vswitchd");
}

void Service::open(std::optional<Target>& target, const char* name) {
  target.emplace(loop_, [this](const std::string& command, const nlohmann::json& arguments) {
    return answer(context_, command, arguments);
  });
  const Error error = target->open(run_directory_, name);
  if (!error) return;
  target.reset();
  if (!std::exchange(warned_, true)) spdlog::warn("ovs-appctl: {}: it can't ask {}", error.text(), name);
}

}  // namespace causeway::unixctl
