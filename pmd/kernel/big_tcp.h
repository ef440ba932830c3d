// Frames that are too much for one turn, and become several super-packets when they are received: Linux' frames over
// 64 KB ("BIG TCP": IPv6 since Linux 5.19, IPv4 since 6.3), whose lengths nothing behind a port knows, nor do tunnels
// or most devices; and those of very many segments, so that others get their turns in between.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/gso/segment_limits.h"
#include "pmd/kernel/vnet_header.h"

namespace causeway {

// GSO_MAX_SIZE of linux/netdevice.h: the longest IP packet there is.
inline constexpr uint32_t kBigTcpBytes = 8 * 65535;

// A frame of more segments is parted, into pieces of so many. 64 KB with the MSS of Ethernet stay whole.
inline constexpr uint32_t kMostWholeSegments = 64;
inline constexpr uint32_t kPieceSegments = 8;
// At most so many super-packets come of one frame: with the smallest segments.
inline constexpr size_t kMostPieces = kBigTcpBytes / (kPieceSegments * kSmallestTcpSegment) + 1;

struct Pieces {
  std::array<rte_mbuf*, kMostPieces> frame;
  size_t count = 0;
};

// Parts the frame that starts with `head`, whose tag has been put in, and goes on with `rest`. Takes `head`. No piece:
// it isn't TCP behind one IP header, or `pool` is empty.
Pieces split_big_tcp(rte_mbuf* head, std::span<const uint8_t> rest, const VnetHeader& header, uint16_t inserted_bytes,
                     rte_mempool* pool) noexcept;

// Whether a frame with its Intent is to be parted. What has_sane_segments refuses is not: it dies as it is.
bool has_many_segments(const rte_mbuf* frame) noexcept;
// Takes such a frame; no piece: `pool` is empty. False: it isn't TCP or UDP behind one IP header, and still the
// caller's.
bool split_many_segments(rte_mbuf* frame, rte_mempool* pool, Pieces& pieces) noexcept;

}  // namespace causeway
