#include "control/port/rx_queues.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace causeway {
namespace {

std::optional<unsigned> owner_of(const std::vector<PollList>& lists, const PollEntry& entry) {
  for (unsigned worker = 0; worker < lists.size(); ++worker) {
    if (std::ranges::find(lists[worker], entry) != lists[worker].end()) return worker;
  }
  return std::nullopt;
}

PollEntry entry_of(const RxQueue& queue) { return {.port = queue.port, .queue = queue.queue}; }

// With the fewest queues; of those with the fewest of this port; of those the first.
unsigned least_busy(const std::vector<PollList>& lists, PortIndex port) {
  const auto load = [&](const PollList& list) {
    return std::pair(list.size(), std::ranges::count(list, port, &PollEntry::port));
  };
  return static_cast<unsigned>(std::ranges::min_element(lists, {}, load) - lists.begin());
}

// Moves one queue from the worker with the most to the one with the fewest; false: they are even.
bool even_out(std::vector<PollList>& lists, const std::vector<RxQueue>& queues) {
  const auto is_free = [&](const PollEntry& entry) {
    return std::ranges::any_of(queues, [&](const RxQueue& q) { return !q.worker && entry_of(q) == entry; });
  };
  PollList* most = nullptr;
  for (PollList& list : lists) {
    if ((most == nullptr || list.size() > most->size()) && std::ranges::any_of(list, is_free)) most = &list;
  }
  const auto fewest = std::ranges::min_element(lists, {}, &PollList::size);
  if (most == nullptr || most->size() < fewest->size() + 2) return false;
  const auto moved = std::ranges::find_if(most->rbegin(), most->rend(), is_free);
  fewest->push_back(*moved);
  most->erase(std::next(moved).base());
  return true;
}

}  // namespace

std::vector<PollList> assign_queues(const std::vector<RxQueue>& queues, const std::vector<PollList>& before) {
  std::vector<PollList> lists(before.size());
  std::vector<RxQueue> fresh;
  for (const RxQueue& queue : queues) {
    const auto worker = queue.worker ? queue.worker : owner_of(before, entry_of(queue));
    if (worker) {
      lists.at(*worker).push_back(entry_of(queue));
    } else {
      fresh.push_back(queue);
    }
  }
  for (const RxQueue& queue : fresh) lists[least_busy(lists, queue.port)].push_back(entry_of(queue));
  while (even_out(lists, queues)) {
  }
  for (PollList& list : lists) {
    std::ranges::sort(list, {}, [](const PollEntry& entry) { return std::pair(entry.port, entry.queue); });
  }
  return lists;
}

RxQueues::~RxQueues() {
  for (const auto& worker : workers_) delete worker->set_poll_list(nullptr);
}

void RxQueues::deal(std::vector<RxQueue> queues) {
  // Who gets a queue waits for the worker that had it last, and knows of none before that.
  while (!quiescence_.done(last_handover_)) std::this_thread::sleep_for(std::chrono::microseconds(20));
  std::map<Queue, unsigned> preferred;
  for (RxQueue& queue : queues) {
    const auto found = preferred_.find({queue.port, queue.queue});
    if (found == preferred_.end()) continue;
    preferred.insert(*found);
    if (!queue.worker) queue.worker = found->second;
  }
  preferred_ = std::move(preferred);
  std::vector<PollList> lists = assign_queues(queues, dealt_);
  std::vector<PollEntry*> moved;
  for (unsigned worker = 0; worker < lists.size(); ++worker) {
    for (PollEntry& entry : lists[worker]) {
      if (measures_) entry.cycles = &cycles_[{entry.port, entry.queue}];
      const unsigned before = owner_of(dealt_, entry).value_or(worker);
      if (before == worker) continue;
      entry.from = static_cast<uint16_t>(before);
      std::erase(dealt_[before], entry);
      moved.push_back(&entry);
    }
  }
  if (!moved.empty()) {
    publish(dealt_);
    last_handover_ = quiescence_.start();
    for (PollEntry* const entry : moved) entry->after = last_handover_;
  }
  publish(lists);
  dealt_ = std::move(lists);
}

void RxQueues::publish(const std::vector<PollList>& lists) {
  for (size_t i = 0; i < workers_.size(); ++i) {
    const PollList* const old = workers_[i]->set_poll_list(new PollList(lists[i]));
    publisher_.after_grace([old] { delete old; });
    workers_[i]->wake();
  }
}

std::vector<unsigned> RxQueues::workers_of(PortIndex port) const {
  std::vector<unsigned> workers;
  while (const auto worker = owner_of(dealt_, {.port = port, .queue = static_cast<uint16_t>(workers.size())})) {
    workers.push_back(*worker);
  }
  return workers;
}

}  // namespace causeway
