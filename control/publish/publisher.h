// Hands new state to the workers and frees the old one when nobody can be reading it any more (RCU). All
// of it belongs to the control thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "dataplane/flow/tables.h"

namespace causeway {

class Publisher {
 public:
  explicit Publisher(Tables& tables) : tables_(tables), quiescence_(tables.quiescence) {}
  ~Publisher() { drain(); }
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // Workers see `next` from their next loop on at the latest; null unpublishes. A change in the sense of
  // Tables::changes: what a worker's caches hold may rest on the old one, which will be freed.
  template <class T>
  void publish(std::atomic<const T*>& place, std::unique_ptr<const T> next) {
    tables_.changed();
    if (const T* old = place.exchange(next.release(), std::memory_order_acq_rel)) {
      after_grace([old] { delete old; });
    }
  }

  // Runs `action` once every worker has let go of what was unpublished before this call.
  void after_grace(std::function<void()> action) { waiting_.push_back(std::move(action)); }

  // Announces what has changed, and runs the actions whose grace period has passed. Never blocks; called on a timer.
  void poll();

  // Waits until nothing is left: a few turns of the workers' loops.
  void drain();

 private:
  Tables& tables_;
  Quiescence& quiescence_;
  std::vector<std::function<void()>> waiting_;  // for the next grace period
  std::vector<std::function<void()>> active_;   // for the one under way
  uint64_t token_ = 0;
};

}  // namespace causeway
