// Who polls which receive queue: how they are dealt out, and how one changes hands.
#include "control/port/rx_queues.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "control/port/rebalance.h"
#include "tests/catch.h"

namespace causeway {
namespace {

// "0.0 1.0 | 0.1": the lists of the workers, each queue as port.queue.
std::string text_of(const std::vector<PollList>& lists) {
  std::string text;
  for (const PollList& list : lists) {
    if (&list != &lists.front()) text += "| ";
    for (const PollEntry& entry : list) text += std::to_string(entry.port) + "." + std::to_string(entry.queue) + " ";
  }
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

std::vector<RxQueue> queues_of(PortIndex port, uint16_t count) {
  std::vector<RxQueue> queues;
  for (uint16_t i = 0; i < count; ++i) queues.push_back({port, i, std::nullopt});
  return queues;
}

std::vector<RxQueue> operator+(std::vector<RxQueue> a, const std::vector<RxQueue>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

using Lists = std::vector<PollList>;

}  // namespace

TEST_CASE("queues are dealt out evenly, those of one port to different workers") {
  CHECK(text_of(assign_queues(queues_of(0, 3), Lists(1))) == "0.0 0.1 0.2");
  CHECK(text_of(assign_queues(queues_of(0, 2) + queues_of(1, 2), Lists(2))) == "0.0 1.0 | 0.1 1.1");
  CHECK(text_of(assign_queues(queues_of(0, 1) + queues_of(1, 1) + queues_of(2, 2), Lists(2))) == "0.0 2.0 | 1.0 2.1");
  CHECK(text_of(assign_queues(queues_of(0, 1) + queues_of(1, 2), Lists(2))) == "0.0 1.1 | 1.0");
  CHECK(text_of(assign_queues(queues_of(0, 2), Lists(3))) == "0.0 | 0.1 |");
  CHECK(text_of(assign_queues({}, Lists(2))) == "|");
}

TEST_CASE("a queue with a worker of its own goes there, the others make up for it") {
  const std::vector<RxQueue> pinned{{0, 0, 1}, {0, 1, 1}};
  CHECK(text_of(assign_queues(pinned, Lists(2))) == "| 0.0 0.1");
  CHECK(text_of(assign_queues(pinned + queues_of(1, 2), Lists(2))) == "1.0 1.1 | 0.0 0.1");
  CHECK(text_of(assign_queues(pinned + queues_of(1, 4), Lists(2))) == "1.0 1.1 1.3 | 0.0 0.1 1.2");
}

TEST_CASE("what is there stays where it is, as long as that is even") {
  const Lists before = assign_queues(queues_of(1, 2) + queues_of(2, 2), Lists(2));
  CHECK(text_of(before) == "1.0 2.0 | 1.1 2.1");
  CHECK(text_of(assign_queues(queues_of(0, 1) + queues_of(1, 2) + queues_of(2, 2), before)) == "0.0 1.0 2.0 | 1.1 2.1");
  CHECK(text_of(assign_queues(queues_of(2, 2), before)) == "2.0 | 2.1");
  // Pinned away, and the rest is evened out; taken back, it stays even.
  const std::vector<RxQueue> pinned{{1, 0, 1}, {1, 1, 1}};
  const Lists after = assign_queues(pinned + queues_of(2, 2), before);
  CHECK(text_of(after) == "2.0 2.1 | 1.0 1.1");
  CHECK(text_of(assign_queues(queues_of(1, 2) + queues_of(2, 2), after)) == "2.0 2.1 | 1.0 1.1");
  CHECK(text_of(assign_queues(queues_of(1, 2), after)) == "1.1 | 1.0");
}

TEST_CASE("a queue that changes hands waits for the worker that had it") {
  Tables tables;
  Publisher publisher(tables);
  std::vector<std::unique_ptr<Worker>> workers;
  for (uint16_t id : {0, 1}) workers.push_back(std::make_unique<Worker>(tables, id, WorkerOptions{}));
  {
    RxQueues dealer(tables, publisher, workers);
    const auto entry = [&](size_t worker) { return dealer.dealt()[worker].at(0); };
    const auto ready = [&](const PollEntry& e) { return tables.quiescence.passed(e.from, e.after); };
    tables.quiescence.online(0);
    tables.quiescence.online(1);
    dealer.deal({{7, 0, 0}});
    CHECK(entry(0).after == 0);
    dealer.deal({{7, 0, 1}});
    CHECK(dealer.workers_of(7) == std::vector<unsigned>{1});
    CHECK_FALSE(ready(entry(1)));
    tables.quiescence.quiescent(1);
    CHECK_FALSE(ready(entry(1)));
    tables.quiescence.quiescent(0);
    CHECK(ready(entry(1)));
    dealer.deal({{7, 0, 1}});  // no change: no handover
    CHECK(entry(1).after == 0);
    tables.quiescence.offline(0);
    tables.quiescence.offline(1);
    dealer.deal({});
    CHECK(dealer.workers_of(7).empty());
  }
  publisher.drain();
}

namespace {

// "0 1 1": the worker of each queue; the loads are in percent.
std::string places_of(const std::vector<std::pair<unsigned, int>>& worker_and_load, unsigned workers,
                      size_t fixed = SIZE_MAX) {
  std::vector<QueueLoad> queues;
  for (const auto& [worker, load] : worker_and_load) {
    queues.push_back({.port = 7,
                      .queue = static_cast<uint16_t>(queues.size()),
                      .worker = worker,
                      .fixed = queues.size() == fixed,
                      .load = load / 100.0});
  }
  std::string text;
  for (const unsigned place : rebalanced(queues, workers)) text += (text.empty() ? "" : " ") + std::to_string(place);
  return text;
}

}  // namespace

TEST_CASE("queues are rebalanced once a worker is overloaded, and where that helps") {
  CHECK(places_of({{0, 40}, {1, 30}, {0, 58}, {1, 10}}, 2) == "1 1 0 0");
  CHECK(places_of({{0, 40}, {1, 30}, {0, 54}, {1, 10}}, 2).empty());  // 94 %
  CHECK(places_of({{0, 50}, {0, 30}, {0, 20}, {1, 0}}, 2) == "0 1 1 1");
  CHECK(places_of({{0, 50}, {1, 48}, {0, 49}, {1, 49}}, 2).empty());  // even already
  CHECK(places_of({{0, 100}, {1, 0}}, 2).empty());                    // one queue is one queue
  CHECK(places_of({{1, 60}, {1, 40}}, 2) == "1 0");
  CHECK(places_of({{0, 100}}, 1).empty());
  // What has nothing to do stays, and so does what `rx-workers` has placed.
  CHECK(places_of({{1, 0}, {0, 60}, {0, 40}}, 2) == "1 0 1");
  CHECK(places_of({{0, 60}, {0, 40}}, 2, 0) == "0 1");
  CHECK(places_of({{0, 50}, {0, 30}, {0, 20}}, 3) == "0 1 2");
}

TEST_CASE("a preferred worker has its queue while that is there, and no `rx-workers` says otherwise") {
  Tables tables;
  Publisher publisher(tables);
  std::vector<std::unique_ptr<Worker>> workers;
  for (uint16_t id : {0, 1}) workers.push_back(std::make_unique<Worker>(tables, id, WorkerOptions{}));
  RxQueues dealer(tables, publisher, workers);
  dealer.measure();
  dealer.deal(queues_of(7, 4));
  REQUIRE(text_of(dealer.dealt()) == "7.0 7.2 | 7.1 7.3");
  const Counter* const cycles = dealer.dealt()[0].at(0).cycles;
  REQUIRE(cycles != nullptr);
  // One against three, as their loads may ask for: nobody evens that out.
  for (const uint16_t queue : {0, 1, 3}) dealer.prefer(7, queue, 1);
  dealer.prefer(7, 2, 0);
  dealer.deal(queues_of(7, 4));
  CHECK(text_of(dealer.dealt()) == "7.2 | 7.0 7.1 7.3");
  CHECK(dealer.dealt()[1].at(0).cycles == cycles);
  std::vector<RxQueue> pinned = queues_of(7, 4);
  pinned[0].worker = 0;
  dealer.deal(pinned);
  CHECK(text_of(dealer.dealt()) == "7.0 7.2 | 7.1 7.3");
  dealer.deal({});
  dealer.deal(queues_of(7, 4));
  CHECK(text_of(dealer.dealt()) == "7.0 7.2 | 7.1 7.3");
}

}  // namespace causeway
