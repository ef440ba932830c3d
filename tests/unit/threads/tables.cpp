// Tables that one thread changes while others read them. Each test fails by what the readers see, and under the
// thread sanitizer by how.
#include <atomic>
#include <thread>
#include <vector>

#include "control/bridge/fdb.h"
#include "control/publish/adjacencies.h"
#include "control/publish/publisher.h"
#include "dataplane/flow/cache.h"
#include "dataplane/flow/tables.h"
#include "tests/catch.h"

namespace causeway {
namespace {

constexpr size_t kReaders = 2;

// Readers that turn like workers, each saying once a turn that it holds nothing.
class Readers {
 public:
  Readers(Quiescence& quiescence, std::function<bool(uint64_t turn)> is_right) {
    for (size_t id = 0; id < kReaders; ++id) {
      threads_.emplace_back([this, &quiescence, is_right, id] {
        quiescence.online(id);
        for (uint64_t turn = id; !stop_.load(std::memory_order_relaxed); ++turn) {
          quiescence.quiescent(id);
          if (!is_right(turn)) wrong_.fetch_add(1, std::memory_order_relaxed);
          turns_.fetch_add(1, std::memory_order_relaxed);
          if (turn % 1000 == 0) {  // as a worker that comes and goes
            quiescence.offline(id);
            quiescence.online(id);
          }
        }
        quiescence.offline(id);
      });
    }
  }
  ~Readers() { stop(); }

  uint64_t turns() const { return turns_.load(std::memory_order_relaxed); }
  // How many turns saw something wrong.
  uint64_t stop() {
    stop_.store(true, std::memory_order_relaxed);
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    return wrong_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> wrong_{0};
  std::atomic<uint64_t> turns_{0};
  std::vector<std::thread> threads_;
};

MacVlan mac_number(uint64_t number) { return 0x02 | number << 8; }

std::unique_ptr<Adjacency> port_adjacency(AdjacencyIndex index, BridgeIndex bridge) {
  auto adjacency = std::make_unique<Adjacency>();
  adjacency->index = index;
  adjacency->bridge = bridge;
  return adjacency;
}

}  // namespace

TEST_CASE("what is replaced lives until every reader has passed", "[threads]") {
  struct Noted {
    ~Noted() { *freed = true; }
    bool* freed;
  };
  Tables tables;
  Quiescence& quiescence = tables.quiescence;
  for (const size_t id : {0, 1, 2}) quiescence.online(id);
  quiescence.offline(2);  // asleep: it holds nothing
  Publisher publisher(tables);
  std::atomic<const Noted*> place{nullptr};
  bool freed = false;
  bool next_freed = false;
  publisher.publish<Noted>(place, std::make_unique<Noted>(&freed));
  publisher.publish<Noted>(place, std::make_unique<Noted>(&next_freed));
  CHECK_FALSE(freed);
  publisher.poll();
  CHECK_FALSE(freed);
  for (int turn = 0; turn < 3; ++turn) {  // the same one again and again
    quiescence.quiescent(0);
    publisher.poll();
    CHECK_FALSE(freed);
  }
  quiescence.quiescent(1);
  publisher.poll();
  CHECK(freed);
  CHECK_FALSE(next_freed);
  for (const size_t id : {0, 1}) quiescence.offline(id);
  publisher.publish<Noted>(place, nullptr);
  publisher.drain();
  CHECK(next_freed);
}

TEST_CASE("what is replaced stays whole for its readers, and is freed after them", "[threads]") {
  static std::atomic<int> alive{0};
  struct Pair {
    explicit Pair(uint64_t n) : one(n), other(~n) { alive.fetch_add(1); }
    ~Pair() {
      one = other = 0;  // a reader that came too late sees it
      alive.fetch_sub(1);
    }
    uint64_t one;
    uint64_t other;
  };
  Tables tables;
  Quiescence& quiescence = tables.quiescence;
  std::atomic<const Pair*> place{nullptr};
  {
    Publisher publisher(tables);
    publisher.publish<Pair>(place, std::make_unique<Pair>(0));
    Readers readers(quiescence, [&](uint64_t) {
      const Pair* const pair = place.load(std::memory_order_acquire);
      return pair->one == ~pair->other;
    });
    for (uint64_t n = 1; n < 20000 || readers.turns() < 1000; ++n) {
      publisher.publish<Pair>(place, std::make_unique<Pair>(n));
      publisher.poll();
      if (n % 1000 == 0) publisher.drain();
    }
    CHECK(readers.stop() == 0);
    publisher.drain();
    CHECK(alive.load() == 1);
    publisher.publish<Pair>(place, nullptr);
  }
  CHECK(alive.load() == 0);
}

TEST_CASE("a grace period ends only when every reader has passed", "[threads]") {
  Tables tables;
  Quiescence& quiescence = tables.quiescence;
  quiescence.online(0);
  quiescence.online(1);
  Publisher publisher(tables);
  bool first = false;
  bool second = false;
  publisher.after_grace([&] { first = true; });
  publisher.poll();
  publisher.after_grace([&] { second = true; });
  quiescence.quiescent(0);
  publisher.poll();
  CHECK_FALSE(first);
  quiescence.quiescent(1);
  publisher.poll();
  CHECK(first);
  CHECK_FALSE(second);
  quiescence.offline(1);
  quiescence.quiescent(0);
  publisher.poll();
  CHECK(second);
  quiescence.offline(0);
}

TEST_CASE("an adjacency's index is nobody's until every reader has let go of it", "[threads]") {
  Tables tables;
  Quiescence& quiescence = tables.quiescence;
  Publisher publisher(tables);
  Adjacencies adjacencies(tables, publisher);
  const AdjacencyIndex index = adjacencies.allocate({"gone", {}});
  adjacencies.publish(port_adjacency(index, 1));
  quiescence.online(0);
  adjacencies.release(index);
  CHECK(adjacencies.allocate({"before its MACs are forgotten", {}}) != index);
  adjacencies.recycle(adjacencies.take_released());
  CHECK(adjacencies.allocate({"before the grace period", {}}) != index);
  publisher.poll();
  publisher.poll();
  CHECK(adjacencies.allocate({"within it", {}}) != index);
  quiescence.quiescent(0);
  publisher.poll();
  CHECK(adjacencies.allocate({"behind it", {}}) == index);
  quiescence.offline(0);
}

TEST_CASE("the FDB under churn: what stays is always found, and what is found is right", "[threads]") {
  constexpr BridgeIndex kBridge = 1;
  constexpr uint64_t kStay = 500;     // MACs that stay, each at one exit
  constexpr uint64_t kChurn = 20000;  // that come, move and go
  Tables tables;
  Publisher publisher(tables);
  for (const AdjacencyIndex index : {1U, 2U, 3U, 4U}) {
    publisher.publish<Adjacency>(tables.adjacencies[index], port_adjacency(index, kBridge));
  }
  {
    Fdb fdb(tables, publisher, 42, {[](auto...) {}, [](auto...) {}});
    fdb.set_bridge(kBridge, 300, 1 << 20);
    for (uint64_t n = 0; n < kStay; ++n) fdb.learn(kBridge, mac_number(n), 1 + n % 4, 0);
    Readers readers(tables.quiescence, [&](uint64_t turn) {
      const FdbTable& table = *tables.fdb.load(std::memory_order_acquire);
      const uint64_t stays = turn % kStay;
      const uint32_t slot = table.find(kBridge, mac_number(stays));
      if (slot == kNoSlot || table.slot(slot).exit.load(std::memory_order_relaxed) != 1 + stays % 4) return false;
      table.slot(slot).seen_s.store(static_cast<uint16_t>(turn), std::memory_order_relaxed);
      // One of those that come and go: MAC n only ever lives at 1 or 2 if n is even, at 3 or 4 if it is odd.
      const uint64_t n = kStay + turn * 7919 % kChurn;
      const uint32_t other = table.find(kBridge, mac_number(n));
      if (other == kNoSlot) return true;
      const AdjacencyIndex exit = table.slot(other).exit.load(std::memory_order_relaxed);
      return (n % 2 == 0) == (exit == 1 || exit == 2);
    });
    for (uint64_t round = 0; round < 10 || readers.turns() < 30000; ++round) {
      for (uint64_t n = kStay; n < kStay + kChurn; ++n) {
        fdb.learn(kBridge, mac_number(n), static_cast<AdjacencyIndex>((n % 2 == 0 ? 1 : 3) + round % 2), 0);
        if (n % 16 == 0) publisher.poll();
        if (n % 3 == 0) fdb.remove(kBridge, mac_number(kStay + (n * 31 + round) % kChurn));
      }
      if (round % 2 == 1) {
        fdb.remove_if([](const Fdb::Entry& entry) { return entry.key >= mac_number(kStay); });
        publisher.poll();
      }
    }
    CHECK(readers.stop() == 0);
    for (const AdjacencyIndex index : {1U, 2U, 3U, 4U})
      publisher.publish<Adjacency>(tables.adjacencies[index], nullptr);
  }
}

TEST_CASE("the tunnel table under churn: what stays is always found, and what is found is right", "[threads]") {
  const auto key_number = [](uint32_t number) {
    TunnelKey key;
    key.remote = IpAddress::v4(10, 0, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number));
    key.local = IpAddress::v4(172, 31, 0, 1);
    key.id = number;
    key.udp_port = 6081;
    return key;
  };
  constexpr uint32_t kStay = 100;
  constexpr uint32_t kChurn = 300;
  Tables tables;
  Quiescence& quiescence = tables.quiescence;
  Publisher publisher(tables);
  std::atomic<const TunnelTable*> place{nullptr};
  auto first = std::make_unique<TunnelTable>(2048, 7);
  TunnelTable* table = first.get();
  for (uint32_t n = 0; n < kStay; ++n) table->insert(key_number(n), n + 1);
  publisher.publish<TunnelTable>(place, std::move(first));
  Readers readers(quiescence, [&](uint64_t turn) {
    const TunnelTable& tunnels = *place.load(std::memory_order_acquire);
    const auto stays = static_cast<uint32_t>(turn % kStay);
    const auto churns = static_cast<uint32_t>(kStay + turn % kChurn);
    const AdjacencyIndex found = tunnels.find(key_number(churns));
    return tunnels.find(key_number(stays)) == stays + 1 && (found == kNoAdjacency || found == churns + 1);
  });
  for (uint32_t round = 0; round < 300 || readers.turns() < 30000; ++round) {
    for (uint32_t n = kStay; n < kStay + kChurn; ++n) table->insert(key_number(n), n + 1);
    for (uint32_t n = kStay; n < kStay + kChurn; ++n) {
      if (!table->erase(key_number(n))) FAIL_CHECK("lost " << n);
    }
    if (round % 3 != 2) continue;
    // Deleted slots have piled up: a new table, as the control thread makes one.
    auto next = std::make_unique<TunnelTable>(2048, 7);
    for (uint32_t n = 0; n < kStay; ++n) next->insert(key_number(n), n + 1);
    table = next.get();
    publisher.publish<TunnelTable>(place, std::move(next));
    publisher.poll();
  }
  CHECK(readers.stop() == 0);
  publisher.publish<TunnelTable>(place, nullptr);
}

TEST_CASE("a flow cache's keys are read whole while its worker writes", "[threads]") {
  FlowCache cache(262144, 7);
  std::atomic<bool> stop{false};
  // Both halves hold one number, and collisions make entries go.
  std::thread worker([&] {
    for (uint64_t number = 1; !stop.load(std::memory_order_relaxed); number = number % 1'000'000 + 1) {
      cache.insert({number, number}, 1, 2, 3);
    }
  });
  uint64_t found = 0;
  uint64_t torn = 0;
  for (int round = 0; round < 5; ++round) {
    for (uint32_t place = 0; place < cache.capacity(); ++place) {
      const auto key = cache.key_at(place);
      found += key ? 1 : 0;
      torn += key && key->lo != key->hi ? 1 : 0;
    }
  }
  stop = true;
  worker.join();
  CHECK(found > 0);
  CHECK(torn == 0);
}

}  // namespace causeway
