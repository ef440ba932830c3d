// Clients that are told of state changes as they come, a JSON object a line: {time, kind, object, state, peer, text},
// where `peer` is left out if there is none. Control thread.
//
// A client that reads slowly makes nobody wait: what finds its queue full is lost, and once the queue is empty the next
// line is {"lost": number}.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "control/api/reply.h"
#include "control/process/event_loop.h"
#include "control/process/state_changes.h"
#include "pmd/file_descriptor.h"

namespace causeway {

class Followers final : private StateChanges::Listener {
 public:
  static constexpr size_t kMost = 16;
  static constexpr size_t kQueueBytes = size_t{1} << 20;  // of each, and a line

  // The loop outlives it.
  explicit Followers(EventLoop& loop) : loop_(loop) {}
  ~Followers();
  Followers(const Followers&) = delete;
  Followers& operator=(const Followers&) = delete;

  // The request `events` of the control socket (control/api/verbs.h). The changes are behind the reply, until the
  // client goes.
  ApiReply begin();

 private:
  struct Follower {
    FileDescriptor connection;
    std::string queue{};
    size_t sent = 0;    // bytes of `queue`
    uint64_t lost = 0;  // changes that found no room, not told yet
  };

  void start(FileDescriptor connection);
  void take(const StateChange& change) override;
  void send_queues();
  void send_queue(int fd);
  void listen(int fd);
  void drop(int fd);

  EventLoop& loop_;
  std::map<int, Follower> followers_;
  EventLoop::TimerId timer_ = 0;  // something is to be sent
};

}  // namespace causeway
