// Keeps what a gateway has learnt over the process's end, in the state directory: written now and then, for a crash,
// and on the way out. Control thread; only what waits for the disk is done in the background.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

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

  // Gives what was kept to a gateway.
  void restore(Gateway& gateway) const;
  // What was kept has been used: from now on what is learnt is written. With a directory that keeps nothing nothing is.
  void begin();
  // On the way out: all of it, before this returns; nothing where it hasn't begun.
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

// Gives to `gateway` what another one had learnt, as a text of LearntText's, and says in the log what became of it.
void restore_text(Gateway& gateway, std::string_view text);

}  // namespace causeway
