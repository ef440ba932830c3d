// Linux' frames over 64 KB ("BIG TCP": IPv6 since Linux 5.19, IPv4 since 6.3). Nothing behind a port knows such
// lengths, nor do tunnels or most devices; so they become several super-packets when they are received.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <span>

#include "pmd/vnet_header.h"

namespace causeway {

// GSO_MAX_SIZE of linux/netdevice.h: the longest IP packet there is.
inline constexpr uint32_t kBigTcpBytes = 8 * 65535;

// At most so many super-packets come of one frame: with segments of just over half of what one holds.
inline constexpr size_t kMostPieces = 20;

struct BigTcpPieces {
  std::array<rte_mbuf*, kMostPieces> frame;
  size_t count = 0;
};

// Cuts the frame that starts with `head`, whose tag has been put in, and goes on with `rest`. Takes `head`. No piece:
// it isn't TCP behind one IP header, or `pool` is empty.
BigTcpPieces split_big_tcp(rte_mbuf* head, std::span<const uint8_t> rest, const VnetHeader& header,
                           uint16_t inserted_bytes, rte_mempool* pool) noexcept;

}  // namespace causeway
