// Offloads of a DPDK device: which ones to ask for, and our Intent in DPDK's own terms.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <cstdint>
#include <string>

#include "pmd/port.h"

namespace causeway {

struct EthdevOffloads {
  uint64_t rx = 0;  // RTE_ETH_RX_OFFLOAD_*
  uint64_t tx = 0;  // RTE_ETH_TX_OFFLOAD_*
  TxCapabilities capabilities;
  std::string error;  // names the flag that a Toggle::on misses
};
EthdevOffloads choose_offloads(const rte_eth_dev_info& info, const OffloadSettings& settings);

// Turns a frame's Intent into DPDK's tx flags and lengths, where the device is to do the work; where its headers
// aren't what DPDK can describe, finishes the checksum here. Writes into the headers: the frame must be
// the caller's alone. False: a super-packet nobody here can cut.
bool translate_intent(rte_mbuf* frame) noexcept;

}  // namespace causeway
