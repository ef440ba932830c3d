// The ring between a worker and the control thread.
#include <atomic>
#include <thread>

#include "dataplane/spsc_ring.h"
#include "tests/catch.h"

namespace causeway {
namespace {

struct Item {
  uint64_t number = 0;
  uint64_t inverse = ~0ULL;
};

}  // namespace

TEST_CASE("a ring holds what it was made for, and refuses more") {
  SpscRing<int> ring(5);  // rounded up to 8
  CHECK(ring.empty());
  int out = -1;
  CHECK_FALSE(ring.pop(out));
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 8; ++i) CHECK(ring.push(round * 100 + i));
    CHECK_FALSE(ring.push(99));
    CHECK_FALSE(ring.empty());
    for (int i = 0; i < 8; ++i) {
      REQUIRE(ring.pop(out));
      CHECK(out == round * 100 + i);
    }
    CHECK_FALSE(ring.pop(out));
    CHECK(ring.empty());
  }
}

TEST_CASE("everything pushed comes out once, whole and in order", "[threads]") {
  for (const size_t capacity : {1, 2, 64, 4096}) {
    CAPTURE(capacity);
    // Each filling may cost a change of threads, slow on a busy machine.
    const uint64_t items = capacity * 20;
    SpscRing<Item> ring(capacity);
    std::thread producer([&ring, items] {
      for (uint64_t n = 0; n < items;) {
        if (ring.push({n, ~n})) {
          ++n;
        } else {
          std::this_thread::yield();
        }
      }
    });
    uint64_t wrong = 0;
    for (uint64_t expected = 0; expected < items;) {
      Item item;
      if (!ring.pop(item)) {
        std::this_thread::yield();
        continue;
      }
      wrong += item.number != expected || item.inverse != ~expected ? 1 : 0;
      ++expected;
    }
    producer.join();
    CHECK(wrong == 0);
    CHECK(ring.empty());
  }
}

}  // namespace causeway
