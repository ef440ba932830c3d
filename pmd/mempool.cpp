#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memzone.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "pmd/eal.h"

namespace causeway {
namespace {

// Buffers each registered thread keeps for itself, beside the pool shared by all.
constexpr unsigned kThreadCache = 256;

constexpr const char* kFilledLater = "causeway";  // the operations of such pools, to DPDK

struct Add {
  rte_mempool_populate_obj_cb_t* add = nullptr;
  void* argument = nullptr;
};

// DPDK's own pools are filled with what becomes mbufs afterwards. Here somebody may take it the moment it is there.
void add_mbuf(rte_mempool* pool, void* opaque, void* buffer, rte_iova_t iova) {
  const auto& to = *static_cast<const Add*>(opaque);
  to.add(pool, to.argument, buffer, iova);
  rte_pktmbuf_init(pool, nullptr, buffer, 0);
}

int add_mbufs(rte_mempool* pool, unsigned most, void* start, rte_iova_t iova, size_t bytes,
              rte_mempool_populate_obj_cb_t* add, void* argument) {
  Add to{add, argument};
  return rte_mempool_op_populate_helper(pool, 0, most, start, iova, bytes, add_mbuf, &to);
}

// Those of DPDK's own pools, but for how they are filled.
bool register_operations() {
  const auto* const end = rte_mempool_ops_table.ops + rte_mempool_ops_table.num_ops;
  const auto* const usual = std::find_if(static_cast<const rte_mempool_ops*>(rte_mempool_ops_table.ops), end,
                                         [best = rte_mbuf_best_mempool_ops()](const rte_mempool_ops& operations) {
                                           return std::strcmp(operations.name, best) == 0;
                                         });
  if (usual == end) return false;
  rte_mempool_ops operations = *usual;
  std::snprintf(operations.name, sizeof(operations.name), "%s", kFilledLater);
  operations.populate = add_mbufs;
  return rte_mempool_register_ops(&operations) >= 0;
}

size_t bytes_of_each(const rte_mempool& pool) { return size_t{pool.header_size} + pool.elt_size + pool.trailer_size; }

// In one piece of memory, which the pool knows as its configuration. Addresses are virtual ones, so that a buffer may
// cross pages: without hugepages one would take a page of its own.
bool give_memory(rte_mempool& pool, const std::string& name) {
  static const bool registered = register_operations();
  if (!registered) return false;
  const rte_memzone* const memory = rte_memzone_reserve_aligned(
      (name + "_memory").c_str(), pool.size * bytes_of_each(pool), SOCKET_ID_ANY, 0, RTE_MEMPOOL_ALIGN);
  if (memory == nullptr) return false;
  return rte_mempool_set_ops_byname(&pool, kFilledLater, const_cast<rte_memzone*>(memory)) == 0;
}

}  // namespace

rte_mempool* make_mempool(const std::string& name, uint32_t buffers, uint16_t data_room_bytes, uint32_t first) {
  // A pool must hold more than a few caches (rte_mempool_create refuses a cache over n / 1.5).
  const unsigned cache = buffers >= 4 * kThreadCache ? kThreadCache : 0;
  if (first >= buffers) {
    return rte_pktmbuf_pool_create(name.c_str(), buffers, cache, 0, data_room_bytes, SOCKET_ID_ANY);
  }
  rte_pktmbuf_pool_private room{};
  room.mbuf_data_room_size = data_room_bytes;
  rte_mempool* const pool =
      rte_mempool_create_empty(name.c_str(), buffers, static_cast<unsigned>(sizeof(rte_mbuf)) + data_room_bytes, cache,
                               sizeof(room), SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
  if (pool == nullptr) return nullptr;
  if (give_memory(*pool, name)) {
    rte_pktmbuf_pool_init(pool, &room);
    fill_mempool(pool, first);
    if (pool->populated_size == first) return pool;
  }
  rte_mempool_free(pool);
  return nullptr;
}

bool fill_mempool(rte_mempool* pool, uint32_t most) {
  const uint32_t missing = pool->size - pool->populated_size;
  if (missing == 0) return false;
  const auto& memory = *static_cast<const rte_memzone*>(pool->pool_config);
  const size_t each = bytes_of_each(*pool);
  char* const start = static_cast<char*>(memory.addr) + pool->populated_size * each;
  const int added = rte_mempool_populate_iova(pool, start, reinterpret_cast<rte_iova_t>(start),
                                              std::min(most, missing) * each, nullptr, nullptr);
  return added > 0 && pool->populated_size < pool->size;
}

uint32_t buffers_in_use(const rte_mempool* pool) {
  const uint32_t there = pool->populated_size;
  return there - std::min(there, rte_mempool_avail_count(pool));
}

}  // namespace causeway
