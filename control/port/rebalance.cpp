#include "control/port/rebalance.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>

namespace causeway {
namespace {

constexpr double kIdle = 0.005;   // a queue that has less stays where it is
constexpr double kRelief = 0.05;  // less than that for the busiest worker isn't worth a move

double variance(const std::vector<double>& loads) {
  const auto count = static_cast<double>(loads.size());
  const double mean = std::accumulate(loads.begin(), loads.end(), 0.0) / count;
  return std::transform_reduce(loads.begin(), loads.end(), 0.0, std::plus<>(),
                               [mean](double load) { return (load - mean) * (load - mean); }) /
         count;
}

std::vector<double> loads_of_workers(const std::vector<QueueLoad>& queues, unsigned workers) {
  std::vector<double> loads(workers);
  for (const QueueLoad& queue : queues) loads.at(queue.worker) += queue.load;
  return loads;
}

std::string percents(const std::vector<QueueLoad>& queues, unsigned workers) {
  std::string text;
  for (const double load : loads_of_workers(queues, workers)) {
    text += fmt::format("{}{:.0f}", text.empty() ? "" : ", ", 100 * load);
  }
  return text;
}

}  // namespace

std::vector<unsigned> rebalanced(const std::vector<QueueLoad>& queues, unsigned workers) {
  const std::vector<double> before = loads_of_workers(queues, workers);
  if (workers < 2 || *std::ranges::max_element(before) < Rebalance::kOverloaded) return {};
  const auto stays = [](const QueueLoad& queue) { return queue.fixed || queue.load < kIdle; };
  std::vector<unsigned> places(queues.size());
  std::vector<double> after(workers);
  std::vector<size_t> movable;
  for (size_t i = 0; i < queues.size(); ++i) {
    places[i] = queues[i].worker;
    if (stays(queues[i])) {
      after[places[i]] += queues[i].load;
    } else {
      movable.push_back(i);
    }
  }
  // The largest first, each to the worker that has least so far: where it is already, if that one is among them.
  std::ranges::stable_sort(movable, std::greater<>(), [&](size_t i) { return queues[i].load; });
  for (const size_t i : movable) {
    const auto least = std::ranges::min_element(after);
    if (after[places[i]] > *least) places[i] = static_cast<unsigned>(least - after.begin());
    after[places[i]] += queues[i].load;
  }
  if (variance(after) > (1 - Rebalance::kImprovement) * variance(before)) return {};
  if (*std::ranges::max_element(after) > *std::ranges::max_element(before) - kRelief) return {};
  return places;
}

void Rebalance::step(Ports& ports, Clock::time_point now) {
  if (now < next_) return;
  const bool first = next_ == Clock::time_point{};
  next_ = now + kInterval;
  measure(ports);
  if (first) return;  // since the start of the world
  const auto workers = static_cast<unsigned>(workers_.size());
  const std::vector<unsigned> places = rebalanced(loads_, workers);
  if (places.empty()) return;
  const std::string before = percents(loads_, workers);
  std::string moved;
  std::vector<QueueLoad> now_at = loads_;
  for (size_t i = 0; i < places.size(); ++i) {
    const QueueLoad& queue = loads_[i];
    ports.prefer(queue.port, queue.queue, places[i]);  // those that stay, too: nobody is to even out their number
    if (places[i] == queue.worker) continue;
    now_at[i].worker = places[i];
    moved += fmt::format("{}{}:{} to worker {}", moved.empty() ? "" : ", ", ports.find(queue.port)->port->name(),
                         queue.queue, places[i]);
    ++moves_;
  }
  spdlog::info("rebalance: {}; workers were busy {} %, and are expected to be {} %", moved, before,
               percents(now_at, workers));
  ports.deal_queues();
}

// A worker's time with frames, dealt out to its queues in the proportion of what each took of it by itself: the rest,
// such as sending, is theirs, too.
void Rebalance::measure(const Ports& ports) {
  loads_.clear();
  cycles_of_worker_.resize(workers_.size());
  std::map<std::pair<PortIndex, uint16_t>, uint64_t> cycles_of_queue;
  for (unsigned worker = 0; worker < workers_.size(); ++worker) {
    const WorkerCounters& counters = workers_[worker]->counters();
    const Busy all{counters.busy_cycles.get(), counters.idle_cycles.get()};
    const auto busy = static_cast<double>(all.busy - cycles_of_worker_[worker].busy);
    const auto idle = static_cast<double>(all.idle - cycles_of_worker_[worker].idle);
    cycles_of_worker_[worker] = all;
    const size_t begin = loads_.size();
    double sum = 0;
    for (const PollEntry& entry : ports.rx_queues().dealt()[worker]) {
      if (entry.cycles == nullptr) continue;
      const uint64_t cycles = entry.cycles->get();
      const std::pair queue(entry.port, entry.queue);
      const auto seen = cycles_of_queue_.find(queue);
      const auto took = seen == cycles_of_queue_.end() ? 0.0 : static_cast<double>(cycles - seen->second);
      cycles_of_queue.emplace(queue, cycles);
      const std::vector<unsigned>& wanted = ports.find(entry.port)->settings.rx_workers;
      loads_.push_back({entry.port, entry.queue, worker, entry.queue < wanted.size(), took});
      sum += took;
    }
    const double share = busy + idle > 0 ? busy / (busy + idle) : 0;
    for (size_t i = begin; i < loads_.size(); ++i) loads_[i].load *= sum > 0 ? share / sum : 0;
  }
  cycles_of_queue_ = std::move(cycles_of_queue);
}

double Rebalance::load(PortIndex port, uint16_t queue) const {
  const auto found =
      std::ranges::find_if(loads_, [&](const QueueLoad& entry) { return entry.port == port && entry.queue == queue; });
  return found == loads_.end() ? 0 : found->load;
}

}  // namespace causeway
