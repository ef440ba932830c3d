// A pool that is filled while it is in use.
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/pmd/bed.h"

using namespace causeway;
using namespace causeway::test;

namespace {

constexpr uint16_t kRoomBytes = 2048 + RTE_PKTMBUF_HEADROOM;

bool is_good(const rte_mbuf* buffer, const rte_mempool* pool) {
  return buffer->pool == pool && buffer->buf_len == kRoomBytes && buffer->nb_segs == 1 && buffer->next == nullptr &&
         rte_mbuf_refcnt_read(buffer) == 1 && buffer->buf_addr == static_cast<const void*>(buffer + 1);
}

// Takes and gives back, as workers do, until it is told to end; how many it got that were no good.
uint64_t use(rte_mempool* pool, const std::atomic<bool>& ended) {
  uint64_t bad = 0;
  while (!ended) {
    std::array<void*, 32> buffers{};
    if (rte_mempool_get_bulk(pool, buffers.data(), 32) != 0) continue;
    for (const void* buffer : buffers) {
      if (!is_good(static_cast<const rte_mbuf*>(buffer), pool)) ++bad;
    }
    rte_mempool_put_bulk(pool, buffers.data(), 32);
  }
  return bad;
}

}  // namespace

TEST_CASE("a pool is filled while others take from it") {
  causeway::test::pool();  // starts the EAL
  rte_mempool* const filled = make_mempool("by_and_by", 3000, kRoomBytes, 1000);
  REQUIRE(filled != nullptr);
  CHECK(filled->size == 3000);
  CHECK(rte_mempool_avail_count(filled) == 1000);
  CHECK(buffers_in_use(filled) == 0);
  CHECK(rte_pktmbuf_data_room_size(filled) == kRoomBytes);

  std::atomic<bool> ended{false};
  uint64_t bad = 0;
  std::thread other([&] { bad = use(filled, ended); });
  unsigned rounds = 1;
  while (fill_mempool(filled, 7)) ++rounds;
  ended = true;
  other.join();
  CHECK(bad == 0);
  CHECK(rounds == 286);  // 2,000 by 7
  CHECK(fill_mempool(filled) == false);
  CHECK(rte_mempool_avail_count(filled) == 3000);

  // None is another's: each keeps what was written into all of it.
  std::vector<rte_mbuf*> taken;
  while (rte_mbuf* const buffer = rte_pktmbuf_alloc(filled)) {
    std::memset(buffer->buf_addr, static_cast<int>(taken.size() % 251), buffer->buf_len);
    taken.push_back(buffer);
  }
  REQUIRE(taken.size() == 3000);
  CHECK(buffers_in_use(filled) == 3000);
  size_t kept = 0;
  for (size_t i = 0; i < taken.size(); ++i) {
    const auto* const bytes = static_cast<const uint8_t*>(taken[i]->buf_addr);
    const bool is_as_written =
        std::all_of(bytes, bytes + kRoomBytes, [i](uint8_t byte) { return byte == static_cast<uint8_t>(i % 251); });
    if (is_as_written && is_good(taken[i], filled)) ++kept;
  }
  CHECK(kept == 3000);
  for (rte_mbuf* const buffer : taken) rte_pktmbuf_free(buffer);
  CHECK(buffers_in_use(filled) == 0);
}
