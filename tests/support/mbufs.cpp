#include "tests/support/mbufs.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <string>

#include "tests/catch.h"

namespace causeway::test {

void start_test_eal() {
  static const bool started = [] {
    // The EAL pins its thread to one processor; tests share the machine, so the thread gets its own set back.
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
    unsigned first = 0;
    while (first + 1 < CPU_SETSIZE && !CPU_ISSET(first, &allowed)) ++first;
    std::vector<std::string> words{"test",
                                   "--no-huge",
                                   "--no-shconf",
                                   "-m",
                                   "256",
                                   "--no-pci",
                                   "--no-telemetry",
                                   "--log-level=*:error",
                                   "--lcores=0@" + std::to_string(first)};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    if (rte_eal_init(static_cast<int>(arguments.size()), arguments.data()) < 0) {
      throw std::runtime_error(std::string("rte_eal_init: ") + rte_strerror(rte_errno));
    }
    sched_setaffinity(0, sizeof allowed, &allowed);
    return true;
  }();
  (void)started;
}

MbufPool::MbufPool(unsigned mbufs, uint16_t data_room_bytes) : mbufs_(mbufs) {
  start_test_eal();
  static std::atomic<unsigned> serial{0};
  const std::string name = "test_" + std::to_string(serial++);
  pool_ = rte_pktmbuf_pool_create(name.c_str(), mbufs, 0, 0, data_room_bytes, SOCKET_ID_ANY);
  if (pool_ == nullptr) throw std::runtime_error(std::string("rte_pktmbuf_pool_create: ") + rte_strerror(rte_errno));
}

MbufPool::~MbufPool() {
  CHECK(available() == mbufs_);
  rte_mempool_free(pool_);
}

rte_mbuf* to_mbuf(rte_mempool* pool, const Bytes& bytes, const std::vector<uint16_t>& segment_bytes) {
  const size_t room = rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM;
  rte_mbuf* head = nullptr;
  rte_mbuf* tail = nullptr;
  size_t done = 0;
  size_t index = 0;
  do {
    const size_t wanted = segment_bytes.empty() ? room : segment_bytes[std::min(index, segment_bytes.size() - 1)];
    const size_t part = std::min({wanted, room, bytes.size() - done});
    rte_mbuf* m = rte_pktmbuf_alloc(pool);
    if (m == nullptr) throw std::runtime_error("to_mbuf: the pool is empty");
    if (part != 0) std::memcpy(rte_pktmbuf_mtod(m, void*), bytes.data() + done, part);
    m->data_len = static_cast<uint16_t>(part);
    if (head == nullptr) {
      head = m;
      head->pkt_len = static_cast<uint32_t>(bytes.size());
    } else {
      tail->next = m;
      ++head->nb_segs;
    }
    tail = m;
    done += part;
    ++index;
  } while (done < bytes.size());
  return head;
}

Bytes to_bytes(const rte_mbuf* m) {
  Bytes bytes;
  unsigned segments = 0;
  const unsigned expected_segments = m->nb_segs;
  const size_t expected_bytes = m->pkt_len;
  for (; m != nullptr; m = m->next, ++segments) {
    const auto* data = rte_pktmbuf_mtod(m, const uint8_t*);
    bytes.insert(bytes.end(), data, data + m->data_len);
  }
  CHECK(bytes.size() == expected_bytes);
  CHECK(segments == expected_segments);
  return bytes;
}

}  // namespace causeway::test
