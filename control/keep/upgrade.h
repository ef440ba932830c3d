// `causewayctl upgrade`: starts the program anew, as it is on the disk now, and hands over to it
// (control/keep/hand_over.h) while the workers go on; they stop for the moment that the new process takes to open what
// is open already. Where it fails this one goes on. Control thread.
#pragma once

#include <sched.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/api/reply.h"
#include "control/config/config.h"
#include "control/gateway/gateway.h"
#include "control/keep/hand_over.h"
#include "control/process/event_loop.h"
#include "pmd/file_descriptor.h"

namespace causeway {

class Upgrade {
 public:
  // How this process was started.
  struct Start {
    std::vector<std::string> arguments;
    cpu_set_t cores{};  // that it might run on
    bool hugepages = false;
  };
  using RunningConfig = std::function<std::shared_ptr<const config::Config>()>;

  // `loop` and `gateway` outlive it. `done`: another process has taken over.
  Upgrade(EventLoop& loop, Gateway& gateway, Start start, RunningConfig config, std::function<void()> done);
  ~Upgrade();
  Upgrade(const Upgrade&) = delete;
  Upgrade& operator=(const Upgrade&) = delete;

  // The reply is followed by another one, once it is done or has failed.
  ApiReply begin();
  // Another process runs: this one is to end, and to leave all as it is.
  bool is_done() const noexcept { return done_; }

 private:
  void start(FileDescriptor client);
  Error spawn(int end);
  void new_one_speaks();
  Error hand_over();
  void fail(const std::string& why);
  void answer(const nlohmann::json& reply);
  void stop_waiting();

  EventLoop& loop_;
  Gateway& gateway_;
  Start start_;
  RunningConfig config_;
  std::function<void()> when_done_;
  std::optional<HandOver> other_;                 // while one is under way
  std::shared_ptr<const config::Config> handed_;  // what the new one was told
  FileDescriptor client_;
  pid_t process_ = 0;
  EventLoop::TimerId limit_ = 0;
  bool begun_ = false;
  bool done_ = false;
};

// The option that tells the new process its end of the pair.
inline constexpr const char* kTakeOver = "--take-over";

}  // namespace causeway
