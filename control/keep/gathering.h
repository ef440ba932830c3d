// Reads what a gateway has learnt, some at a time, while it goes on learning: what is there from the first step to the
// last is in the text, what comes or goes meanwhile perhaps. Control thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "control/bridge/fdb.h"
#include "control/gateway/gateway.h"
#include "control/keep/learnt.h"
#include "control/underlay/path_mtu.h"

namespace causeway {

class Gathering {
 public:
  using Clock = std::chrono::steady_clock;

  // `gateway` outlives it.
  explicit Gathering(const Gateway& gateway);
  // Goes on until the time has come. False: that was all.
  bool go_on(Clock::time_point until);
  // What go_on() has gathered, once it is done. To take() it all is slow, and may be left to another thread.
  LearntText text() { return std::move(text_); }

 private:
  // Each does a little, and is called until it returns false.
  bool some_macs();
  bool some_neighbors();
  bool some_vteps();
  bool some_paths();
  void add(const Fdb::Entry& entry);

  const Gateway& gateway_;
  LearntText text_;
  size_t step_ = 0;
  Fdb::Cursor fdb_;
  // The last that was read of each.
  std::optional<NextHop> neighbor_;
  std::pair<std::string, IpAddress> vtep_;
  std::optional<Path> path_;
};

}  // namespace causeway
