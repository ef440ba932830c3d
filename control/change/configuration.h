// What runs: what the file says, and what somebody else adds to it (control/ovsdb). Control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/check/reading.h"
#include "control/config/config.h"
#include "control/config/patch.h"
#include "control/config/plan.h"
#include "control/gateway/gateway.h"

namespace causeway {

// A configuration, and how somebody wrote it down. Others may read both, so they are replaced, never changed.
struct Version {
  std::shared_ptr<const config::Config> config;
  std::shared_ptr<const std::string> text;  // with its comments; null: nobody wrote it
};

class Configuration {
 public:
  Configuration(Gateway& gateway, const config::System& system);

  const config::Config& running() const noexcept { return *running_; }
  // Without what others add.
  const Version& file() const noexcept { return file_; }

  // All of it or nothing; what failed. `reading` was made for what file() has. Its text and warnings are kept.
  std::vector<config::ApplyError> change_to(ConfigReading& reading);

  // The text that change_to() has read is nobody's, so file() has none.
  void forget_text() { file_.text = nullptr; }

  // Makes, of what the file says, all that is to run; the file's things may be counted on to be in it.
  using Completion = std::function<std::shared_ptr<config::Config>(const config::Config& file)>;
  // From now on what runs is the file's configuration, and what somebody else adds to it.
  void complete_with(Completion completion) { completion_ = std::move(completion); }
  bool is_completed() const noexcept { return completion_ != nullptr; }
  // What is added has changed. Each change is made by itself: those that fail are returned, and are tried again with
  // the next one.
  std::vector<config::ApplyError> complete_anew();
  // The same where all that has changed is a part without devices of DPDK's, and nothing failed the last time.
  std::vector<config::ApplyError> change_by(config::Patch& patch);

 private:
  Gateway& gateway_;
  Version file_;
  std::shared_ptr<config::Config> running_;
  Completion completion_;
};

}  // namespace causeway
