// Frames that wait for their next hop to be resolved: a few for each, and of all together no more buffers than a share.
// Control thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "control/underlay/underlay.h"
#include "dataplane/exchange.h"

namespace causeway {

class HeldFrames {
 public:
  using Drop = std::function<void(const PuntedFrame&, DropReason)>;

  // `most_buffers`: mbufs. `drop` takes frames over.
  HeldFrames(size_t most_buffers, Drop drop) : most_buffers_(most_buffers), drop_(std::move(drop)) {}
  ~HeldFrames();
  HeldFrames(const HeldFrames&) = delete;
  HeldFrames& operator=(const HeldFrames&) = delete;

  // Where there is no room the oldest goes: of the same hop, or of all hops that never answered, or of all.
  void add(const NextHop& hop, bool has_answered, const PuntedFrame& frame);
  // All that waits for it, in order.
  std::vector<PuntedFrame> take(const NextHop& hop);
  // Drops what waits for it; with an adjacency only what goes there.
  void forget(const NextHop& hop, AdjacencyIndex adjacency = kNoAdjacency);

  size_t count(const NextHop& hop) const;
  size_t buffers() const { return buffers_; }  // mbufs
  size_t most_buffers() const { return most_buffers_; }

 private:
  static constexpr size_t kEach = 16;  // frames a hop

  struct Held {
    PuntedFrame frame;
    uint64_t number = 0;  // the lower, the older
  };
  struct Queue {
    bool has_answered = false;
    std::deque<Held> frames;  // never empty
  };
  using Queues = std::map<NextHop, Queue>;
  using Oldest = std::set<std::pair<uint64_t, NextHop>>;  // the first frame of each queue

  Oldest& oldest_of(const Queue& queue) { return queue.has_answered ? answered_ : unanswered_; }
  void drop_first(Queues::iterator queue, DropReason reason);
  void erase(Queues::iterator queue);

  size_t most_buffers_;
  Drop drop_;
  size_t buffers_ = 0;
  uint64_t last_number_ = 0;
  Queues queues_;
  Oldest unanswered_;  // of hops that never answered
  Oldest answered_;
};

}  // namespace causeway
