// Runs the operations of a plan. When one fails, those before it are undone in reverse.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/config/plan.h"
#include "control/gateway/gateway.h"

namespace causeway {

// Operations on their way into the gateway, some at a time. Between two calls the gateway is whole: what others tell or
// ask it meets a state like any other.
class Apply {
 public:
  // `operations` must outlive it.
  Apply(Gateway& gateway, const std::vector<config::Operation>& operations)
      : gateway_(gateway), operations_(operations) {}

  // Runs operations until `budget` is used up, one at least; true: there are none left.
  bool run_for(std::chrono::nanoseconds budget);
  // Once all is done. Empty: well. Otherwise why the operation that failed did so, then whatever could not be undone.
  const std::vector<config::ApplyError>& errors() const { return errors_; }

 private:
  void step();

  Gateway& gateway_;
  const std::vector<config::Operation>& operations_;
  size_t done_ = 0;
  bool undoing_ = false;
  std::vector<config::ApplyError> errors_;
};

// All of it at once.
std::vector<config::ApplyError> apply_config(Gateway& gateway, const config::Config& before,
                                             const config::Config& after);

}  // namespace causeway
