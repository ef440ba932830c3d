// DPDK inside a test: the EAL, pools that notice a lost mbuf, frames to mbufs and back.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <span>
#include <vector>

#include "tests/support/frames.h"

namespace causeway::test {

// Initialises the EAL once a process: no hugepages, no devices, no files. Throws std::runtime_error.
void start_test_eal();

// A mempool for one test case. Its end throws if an mbuf is missing.
class MbufPool {
 public:
  explicit MbufPool(unsigned mbufs = 1023, uint16_t data_room_bytes = RTE_MBUF_DEFAULT_BUF_SIZE);
  ~MbufPool() noexcept(false);
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

// One mbuf with memory of exactly the frame's size (1 to 65,535 bytes) from the heap, where the address sanitizer sees
// a read behind its end; what lies in a pool's buffer it can't tell from the frame.
rte_mbuf* to_exact_mbuf(rte_mempool* pool, std::span<const uint8_t> bytes);

// What is in the chain. Throws std::runtime_error where its pkt_len or nb_segs is wrong.
Bytes to_bytes(const rte_mbuf* m);

}  // namespace causeway::test
