#include <rte_mbuf.h>

#include "pmd/eal.h"

namespace causeway {

// Buffers each registered thread keeps for itself, beside the pool shared by all.
static constexpr unsigned kThreadCache = 256;

rte_mempool* make_mempool(const std::string& name, uint32_t buffers, uint16_t data_room_bytes) {
  // A pool must hold more than a few caches (rte_mempool_create refuses a cache over n / 1.5).
  const unsigned cache = buffers >= 4 * kThreadCache ? kThreadCache : 0;
  return rte_pktmbuf_pool_create(name.c_str(), buffers, cache, 0, data_room_bytes, SOCKET_ID_ANY);
}

void free_mempool(rte_mempool* pool) { rte_mempool_free(pool); }

}  // namespace causeway
