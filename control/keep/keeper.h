// Keeps what a gateway has learnt over the process's end, in the state directory: written now and then, for a crash,
// and on the way out. Control thread; only what waits for the disk is done in the background.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "control/gateway/gateway.h"
#include "control/keep/gathering.h"
#include "control/process/background.h"
#include "control/process/event_loop.h"
#include "control/process/state_directory.h"

namespace causeway {

class Keeper {
 public:
  static constexpr std::chrono::seconds kInterval{10};

  // All outlive it.
  Keeper(EventLoop& loop, Background& background, const Gateway& gateway, const StateDirectory& directory);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Gives what was kept to a gateway whose workers haven't started, and begins to write what it learns. With a
  // directory that keeps nothing it does neither.
  void begin(Gateway& gateway);
  // On the way out: all of it, before this returns.
  void write();

 private:
  class File;
  void start_gathering();
  void gather();

  EventLoop& loop_;
  Background& background_;
  const Gateway& gateway_;
  const StateDirectory& directory_;
  std::shared_ptr<File> file_;
  std::optional<Gathering> gathering_;
  EventLoop::TimerId every_ = 0;
  EventLoop::TimerId next_ = 0;
};

// What was learnt before, said in the log as it is given to `gateway`. `text`: of LearntText.
void restore_text(Gateway& gateway, std::string_view text, const std::string& from);

}  // namespace causeway
