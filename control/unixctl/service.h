// ovs-appctl's way to a running daemon: as `causewayd`, and while it stands in the place of ovs-vswitchd under that
// name, too. Without a run directory that can be written the daemon runs all the same. Control thread.
#pragma once

#include <optional>
#include <string>

#include "control/process/event_loop.h"
#include "control/unixctl/commands.h"
#include "control/unixctl/target.h"

namespace causeway::unixctl {

class Service {
 public:
  // Answers at once. `loop` and what `context` refers to outlive it.
  Service(EventLoop& loop, std::string run_directory, Context context);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  void stand_for_vswitchd(bool stands);

 private:
  void open_missing();
  void open(std::optional<Target>& target, const char* name);

  EventLoop& loop_;
  std::string run_directory_;
  Context context_;
  EventLoop::TimerId timer_ = 0;
  bool stands_for_vswitchd_ = false;
  bool warned_ = false;
  std::optional<Target> own_;
  std::optional<Target> vswitchd_;
};

}  // namespace causeway::unixctl
