// Receive queues go where workers have time for them: `system.rebalance: auto`. The thresholds are those of Open
// vSwitch's pmd-auto-lb (ovs-vswitchd.conf.db(5)); the interval is shorter, since a queue changes hands without loss.
// Control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "control/port/ports.h"

namespace causeway {

struct QueueLoad {
  PortIndex port = 0;
  uint16_t queue = 0;
  unsigned worker = 0;
  bool fixed = false;  // by `rx-workers`
  double load = 0;     // its share of a worker's time, 0 to 1
};

// The worker of each queue, in their order, if the busiest of `workers` is overloaded (kOverloaded) and the new places
// take enough off the variance of their loads (kImprovement), and something off the busiest. Else empty.
std::vector<unsigned> rebalanced(const std::vector<QueueLoad>& queues, unsigned workers);

class Rebalance {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr double kOverloaded = 0.95;
  static constexpr double kImprovement = 0.25;
  static constexpr std::chrono::seconds kInterval{5};

  explicit Rebalance(const std::vector<std::unique_ptr<Worker>>& workers) : workers_(workers) {}

  // Looks every kInterval; moves the queues of `ports` if that is worth it.
  void step(Ports& ports, Clock::time_point now);

  double load(PortIndex port, uint16_t queue) const;  // in the last interval, as QueueLoad::load
  uint64_t moves() const { return moves_; }           // of queues, since the start

 private:
  struct Busy {
    uint64_t busy = 0;
    uint64_t idle = 0;
  };
  void measure(const Ports& ports);

  const std::vector<std::unique_ptr<Worker>>& workers_;
  Clock::time_point next_{};
  std::vector<Busy> cycles_of_worker_;
  std::map<std::pair<PortIndex, uint16_t>, uint64_t> cycles_of_queue_;
  std::vector<QueueLoad> loads_;
  uint64_t moves_ = 0;
};

}  // namespace causeway
