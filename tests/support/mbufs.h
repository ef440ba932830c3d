// DPDK inside a test: the EAL, pools that notice a lost mbuf, frames to mbufs and back.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

#include "tests/support/frames.h"

namespace causeway::test {

// Initialises the EAL once a process: no hugepages, no devices, no files. Throws std::runtime_error.
void start_test_eal();

// A mempool for one test case. Its end fails the test if an mbuf is missing.
class MbufPool {
 public:
  explicit MbufPool(unsigned mbufs = 1023, uint16_t data_room_bytes = RTE_MBUF_DEFAULT_BUF_SIZE);
  ~MbufPool();
  MbufPool(const MbufPool&) = delete;
  MbufPool& operator=(const MbufPool&) = delete;

  operator rte_mempool*() const noexcept { return pool_; }
  rte_mempool* get() const noexcept { return pool_; }
  unsigned available() const noexcept { return rte_mempool_avail_count(pool_); }

 private:
  unsigned mbufs_;
  rte_mempool* pool_;
};

// A chain with `bytes` in it. `segment_bytes` are the mbufs' lengths, the last one again and again;
// none: as few mbufs as the pool's data room allows. Throws std::runtime_error when the pool is empty.
rte_mbuf* to_mbuf(rte_mempool* pool, const Bytes& bytes, const std::vector<uint16_t>& segment_bytes = {});

// What is in the chain, its pkt_len and nb_segs checked against it.
Bytes to_bytes(const rte_mbuf* m);

}  // namespace causeway::test
