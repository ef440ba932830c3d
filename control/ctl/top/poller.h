// Asks the daemon once an interval what the model wants to know, without waiting for it: keys are heard meanwhile.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/api/client.h"
#include "control/ctl/top/model.h"

namespace causeway::top {

class Poller {
 public:
  using Clock = std::chrono::steady_clock;

  Poller(std::string socket, Clock::duration interval) : socket_(std::move(socket)), interval_(interval) {}

  // Does what there is to do, and gives `model` a look once it is whole. A daemon that has gone is tried again. True:
  // there is something new to be shown.
  bool step(Clock::time_point now, Model& model);

  // Readable: there is something to do; -1: there is only time to wait for.
  int fd() const { return asking_ ? client_->fd() : -1; }
  // When there is something to do though nothing is readable; max(): never.
  Clock::time_point due() const { return asking_ ? Clock::time_point::max() : due_; }
  // Why there is nothing new; empty: there is.
  std::string trouble(Clock::time_point now) const;

 private:
  void begin(Clock::time_point now);
  void give_up(const std::string& why);

  std::string socket_;
  Clock::duration interval_;
  std::optional<ApiClient> client_;
  bool asking_ = false;
  std::vector<nlohmann::json> replies_;
  Clock::time_point begun_;  // the look that is asked for
  Clock::time_point due_;    // the next one
  Clock::time_point whole_;  // the last that came
  bool ever_ = false;
  std::string why_;  // the last one failed
};

}  // namespace causeway::top
