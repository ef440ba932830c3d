// Who goes when frames that wait for their neighbors take too many buffers.
#include "control/underlay/held_frames.h"

#include <map>

#include "tests/catch.h"
#include "tests/support/mbufs.h"

namespace causeway::test {
namespace {

NextHop hop(uint8_t number) { return {1, IpAddress::v4(10, 0, 0, number)}; }

// A frame of `segments` mbufs.
PuntedFrame frame(const MbufPool& pool, size_t segments = 1, AdjacencyIndex adjacency = 1) {
  return {.frame = to_mbuf(pool, Bytes(segments * 100), {100}), .kind = Punt::unresolved, .to = adjacency};
}

struct Bin {
  std::map<DropReason, int> dropped;
  HeldFrames::Drop drop() {
    return [this](const PuntedFrame& frame, DropReason reason) {
      ++dropped[reason];
      rte_pktmbuf_free(frame.frame);
    };
  }
};

}  // namespace

TEST_CASE("held frames: the oldest for a hop that never answered goes first") {
  const MbufPool pool;
  Bin bin;
  HeldFrames held(20, bin.drop());
  for (int i = 0; i < 5; ++i) held.add(hop(1), true, frame(pool));
  for (int i = 0; i < 10; ++i) held.add(hop(2), false, frame(pool));
  for (int i = 0; i < 5; ++i) held.add(hop(3), false, frame(pool));
  CHECK(held.buffers() == 20);
  held.add(hop(4), true, frame(pool, 12));
  CHECK(held.count(hop(1)) == 5);
  CHECK(held.count(hop(2)) == 0);
  CHECK(held.count(hop(3)) == 3);
  CHECK(held.count(hop(4)) == 1);
  CHECK(held.buffers() == 20);
  CHECK(bin.dropped == std::map<DropReason, int>{{DropReason::held_limit, 12}});
}

TEST_CASE("held frames: where all have answered before, the oldest goes; what fits nowhere isn't held") {
  const MbufPool pool;
  Bin bin;
  HeldFrames held(4, bin.drop());
  for (uint8_t i = 1; i <= 4; ++i) held.add(hop(i), true, frame(pool));
  held.add(hop(5), false, frame(pool, 2));
  CHECK(held.count(hop(1)) == 0);
  CHECK(held.count(hop(2)) == 0);
  CHECK(held.count(hop(3)) == 1);
  CHECK(held.count(hop(5)) == 1);
  held.add(hop(5), false, frame(pool, 5));
  CHECK(held.count(hop(5)) == 1);
  CHECK(bin.dropped == std::map<DropReason, int>{{DropReason::held_limit, 3}});
}

TEST_CASE("held frames: sixteen a hop, taken in order, forgotten by adjacency") {
  const MbufPool pool;
  Bin bin;
  HeldFrames held(100, bin.drop());
  for (AdjacencyIndex i = 1; i <= 20; ++i) held.add(hop(1), false, frame(pool, 1, i));
  CHECK(bin.dropped == std::map<DropReason, int>{{DropReason::neighbor_unresolved, 4}});
  held.forget(hop(1), 6);
  CHECK(bin.dropped == std::map<DropReason, int>{{DropReason::neighbor_unresolved, 5}});
  std::vector<AdjacencyIndex> order;
  for (const PuntedFrame& taken : held.take(hop(1))) {
    order.push_back(taken.to);
    rte_pktmbuf_free(taken.frame);
  }
  CHECK(order == std::vector<AdjacencyIndex>{5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20});
  CHECK(held.buffers() == 0);
  held.add(hop(1), false, frame(pool));  // one that the end must free
}

}  // namespace causeway::test
