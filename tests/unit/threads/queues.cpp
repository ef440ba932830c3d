// Who polls which receive queue: how they are dealt out, and how one changes hands.
#include "control/port/rx_queues.h"
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

}  // namespace causeway
