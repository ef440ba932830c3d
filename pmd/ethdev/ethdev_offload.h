// Offloads of a DPDK device: which ones to ask for, and our Intent in DPDK's own terms.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <string>

#include "pmd/ethdev/ethdev_receive.h"
#include "pmd/port.h"

namespace causeway {

// RTE_MBUF_F_TX_TUNNEL_* by Outer, as the device wants them said; 0: it does nothing inside such a tunnel.
using TunnelFlags = std::array<uint64_t, kOuters>;

struct EthdevOffloads {
  uint64_t rx = 0;  // RTE_ETH_RX_OFFLOAD_*
  uint64_t tx = 0;  // RTE_ETH_TX_OFFLOAD_*
  TxCapabilities capabilities;
  TunnelFlags tunnels{};
  bool lro = false;
  LroSays lro_says = LroSays::length;
  std::string error;  // names the flags that a Toggle::on misses
};
EthdevOffloads choose_offloads(const rte_eth_dev_info& info, const OffloadSettings& settings);

// Port::lacks: the flags of `offered` (rte_eth_dev_info::tx_offload_capa) that are not there.
std::string lacking_flags(uint64_t offered, Outer outer, uint8_t bits);

// Turns a frame's Intent into DPDK's tx flags and lengths, where the device is to do the work; where its headers
// aren't what DPDK can describe, finishes the checksum here. Writes into the headers: the frame must be
// the caller's alone. False: a super-packet nobody here can cut.
bool translate_intent(rte_mbuf* frame, const TunnelFlags& tunnels) noexcept;

// A device that looks into tunnels speaks of the innermost checksums where others speak of the outermost. Afterwards
// the rx flags of a frame speak of the outermost ones, which is what decap asks.
void outermost_verdicts(rte_mbuf* frame) noexcept;

}  // namespace causeway
