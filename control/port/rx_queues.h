// Which worker polls which receive queue, and how a queue changes hands while frames come in.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "control/publish/publisher.h"
#include "dataplane/worker.h"

namespace causeway {

struct RxQueue {
  PortIndex port = 0;
  uint16_t queue = 0;
  std::optional<unsigned> worker;  // as `rx-workers` has it; none: whoever has the fewest
};

// The poll list of each worker. A queue stays where it was before (`before`: a list a worker) as long as no worker
// has two more than another; a new one goes to the worker with the fewest queues, of those to one with the fewest of
// that port.
std::vector<PollList> assign_queues(const std::vector<RxQueue>& queues, const std::vector<PollList>& before);

// Control thread.
class RxQueues {
 public:
  RxQueues(Tables& tables, Publisher& publisher, std::vector<std::unique_ptr<Worker>>& workers)
      : quiescence_(tables.quiescence), publisher_(publisher), workers_(workers), dealt_(workers.size()) {}
  ~RxQueues();
  RxQueues(const RxQueues&) = delete;
  RxQueues& operator=(const RxQueues&) = delete;

  // All the queues that there are now. A queue that changes hands is polled by its new worker once the old one has
  // sent what it took from it: no frame is lost, and none overtakes another. Nobody waits for this here, but the
  // next dealing does.
  void deal(std::vector<RxQueue> queues);

  // From the next dealing on: counts the cycles that each queue takes (PollEntry::cycles).
  void measure() { measures_ = true; }
  // The same for the worker of a queue that no `rx-workers` names one for, for as long as there is this queue.
  void prefer(PortIndex port, uint16_t queue, unsigned worker) { preferred_[{port, queue}] = worker; }

  const std::vector<PollList>& dealt() const { return dealt_; }  // by worker
  std::vector<unsigned> workers_of(PortIndex port) const;        // by queue

 private:
  void publish(const std::vector<PollList>& lists);

  Quiescence& quiescence_;
  Publisher& publisher_;
  std::vector<std::unique_ptr<Worker>>& workers_;
  std::vector<PollList> dealt_;
  using Queue = std::pair<PortIndex, uint16_t>;
  bool measures_ = false;
  std::map<Queue, Counter> cycles_;  // of all queues that there have been: workers may still write to them
  std::map<Queue, unsigned> preferred_;
  uint64_t last_handover_ = 0;  // its grace period
};

}  // namespace causeway
