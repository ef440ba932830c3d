#include "control/publish/publisher.h"

#include <chrono>
#include <thread>

namespace causeway {

void Publisher::poll() {
  tables_.announce_changes();
  if (!active_.empty() && quiescence_.done(token_)) {
    const auto passed = std::move(active_);
    active_.clear();
    for (const auto& action : passed) action();
  }
  if (active_.empty() && !waiting_.empty()) {
    active_.swap(waiting_);
    token_ = quiescence_.start();
  }
}

void Publisher::drain() {
  for (poll(); !active_.empty() || !waiting_.empty(); poll()) {
    if (!active_.empty() && quiescence_.done(token_)) continue;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

}  // namespace causeway
