#include "tests/support/mbufs.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

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

MbufPool::~MbufPool() noexcept(false) {
  const unsigned lost = mbufs_ - available();
  rte_mempool_free(pool_);
  if (lost != 0 && std::uncaught_exceptions() == 0) throw std::runtime_error(std::to_string(lost) + " mbufs lost");
}

rte_mbuf* to_exact_mbuf(rte_mempool* pool, std::span<const uint8_t> bytes) {
  struct Holder {
    rte_mbuf_ext_shared_info shared{};
    std::unique_ptr<uint8_t[]> bytes;
  };
  auto* const holder = new Holder;
  holder->bytes.reset(new uint8_t[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), holder->bytes.get());
  holder->shared.free_cb = [](void*, void* it) { delete static_cast<Holder*>(it); };
  holder->shared.fcb_opaque = holder;
  rte_mbuf_ext_refcnt_set(&holder->shared, 1);
  rte_mbuf* const m = rte_pktmbuf_alloc(pool);
  const auto size = static_cast<uint16_t>(bytes.size());
  rte_pktmbuf_attach_extbuf(m, holder->bytes.get(), 0, size, &holder->shared);
  m->data_off = 0;
  m->data_len = size;
  m->pkt_len = size;
  return m;
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
  if (bytes.size() != expected_bytes || segments != expected_segments) {
    throw std::runtime_error("a chain's pkt_len or nb_segs is wrong");
  }
  return bytes;
}

}  // namespace causeway::test
