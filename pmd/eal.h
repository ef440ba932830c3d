// DPDK's environment layer, started once and stopped last.
#pragma once

#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include "pmd/error.h"

struct rte_mempool;

namespace causeway {

struct EalOptions {
  std::string name = "causeway";  // file prefix
  enum class Hugepages : uint8_t { automatic, on, off } hugepages = Hugepages::automatic;
  uint64_t memory_bytes = 512ULL << 20;
  // Of hugepages, those that are taken at once, the others when they are needed. Other pages are taken when touched.
  uint64_t first_bytes = std::numeric_limits<uint64_t>::max();
  bool pci = false;         // scan PCI buses (only when some port's devargs is a PCI address)
  bool verbose = false;     // let DPDK log at its own level; otherwise warnings and up
  std::FILE* log = stderr;  // where DPDK logs; open as long as the EAL runs
};

// Initialises the EAL (--in-memory, no telemetry socket, one lcore: causeway starts its own threads and
// registers them with rte_thread_register). What goes wrong is said in one line.
// `hugepages_used` tells whether hugepages back the memory.
Error start_eal(const EalOptions& options, bool& hugepages_used);
// A device of DPDK's is to be opened. Control thread.
void eal_gets_device();
// What drivers have to do at the end. Where there was no device of theirs there is but memory: it goes with the
// process, much sooner than by DPDK's hand.
void stop_eal();
// Whether it knows PCI devices (EalOptions::pci).
bool eal_has_pci();

// Receive buffers of one data room (bytes include RTE_PKTMBUF_HEADROOM), for as long as the EAL runs; null when memory
// runs out. With only the `first` ones in it, the rest is for fill_mempool(), since a page takes long to touch; then no
// device may need physical addresses (EalOptions::pci).
rte_mempool* make_mempool(const std::string& name, uint32_t buffers, uint16_t data_room_bytes,
                          uint32_t first = std::numeric_limits<uint32_t>::max());
// Adds up to `most` buffers, while workers use the pool. False: there are no more to come. Control thread.
bool fill_mempool(rte_mempool* pool, uint32_t most = std::numeric_limits<uint32_t>::max());
// Of those that are in the pool so far.
uint32_t buffers_in_use(const rte_mempool* pool);

}  // namespace causeway
