// DPDK's environment layer, started once and stopped last.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "pmd/error.h"

struct rte_mempool;

namespace causeway {

struct EalOptions {
  std::string name = "causeway";  // file prefix
  enum class Hugepages : uint8_t { automatic, on, off } hugepages = Hugepages::automatic;
  uint64_t memory_bytes = 512ULL << 20;
  bool pci = false;         // scan PCI buses (only when some port's devargs is a PCI address)
  bool verbose = false;     // let DPDK log at its own level; otherwise warnings and up
  std::FILE* log = stderr;  // where DPDK logs; open as long as the EAL runs
};

// Initialises the EAL (--in-memory, no telemetry socket, one lcore: causeway starts its own threads and
// registers them with rte_thread_register). What goes wrong is said in one line.
// `hugepages_used` tells whether hugepages back the memory.
Error start_eal(const EalOptions& options, bool& hugepages_used);
void stop_eal();
// Whether it knows PCI devices (EalOptions::pci).
bool eal_has_pci();

// Receive buffers of one data room (bytes include RTE_PKTMBUF_HEADROOM); null when memory runs out.
rte_mempool* make_mempool(const std::string& name, uint32_t buffers, uint16_t data_room_bytes);
void free_mempool(rte_mempool* pool);

}  // namespace causeway
