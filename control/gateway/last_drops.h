// The last frame that died of each reason, and when: of all workers, and of the control thread's own drops.
#pragma once

#include <array>
#include <chrono>

#include "dataplane/inspect/drop_examples.h"

namespace causeway {

class LastDrops {
 public:
  using Clock = std::chrono::system_clock;
  struct Drop {
    DropExample example;
    Clock::time_point time;
  };

  // Takes what one thread has kept; what has died later on counts.
  void take(DropExamples& examples);
  // Null: none has died of it.
  const Drop* of(DropReason reason) const {
    const Drop& drop = drops_.at(static_cast<size_t>(reason));
    return drop.time != Clock::time_point{} ? &drop : nullptr;
  }

 private:
  std::array<Drop, kDropReasons> drops_{};
};

}  // namespace causeway
