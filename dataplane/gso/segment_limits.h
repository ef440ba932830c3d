// Which super-packets are cut at all, and what they count while ports take turns. A sender says how long segments are
// to be: with a few bytes each, one frame of 64 KB would be thousands, and everybody else's turn would come behind
// them.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/frame/intent.h"
#include "dataplane/wire/udp.h"

namespace causeway {

inline constexpr uint32_t kSmallestTcpSegment = 88;   // TCP_MIN_MSS of Linux' net/tcp.h
inline constexpr uint32_t kMostUdpSegments = 128;     // UDP_MAX_SEGMENTS of Linux' linux/udp.h
inline constexpr uint32_t kMostTunnelSegments = 128;  // in a tunnel of the sender's own, which nobody parts beforehand
inline constexpr uint32_t kMostSegmentedBytes = 65535;  // of an IP packet

// Bytes from the L4 header on, of a frame that kNeedsSegment.
inline uint32_t l4_bytes_of(const rte_mbuf* m, const Intent& intent) noexcept {
  return rte_pktmbuf_pkt_len(m) > intent.csum_start ? rte_pktmbuf_pkt_len(m) - intent.csum_start : 0;
}

// Of a frame that kNeedsSegment: how many it will be, or one more (TCP's header counts as payload).
inline uint32_t segments_of(const rte_mbuf* m) noexcept {
  const Intent intent = intent_of(m);
  return intent.gso_size != 0 ? (l4_bytes_of(m, intent) + intent.gso_size - 1) / intent.gso_size : 1;
}

// Whether a frame that kNeedsSegment may be cut.
inline bool has_sane_segments(const rte_mbuf* m) noexcept {
  const Intent intent = intent_of(m);
  const uint32_t bytes = l4_bytes_of(m, intent);
  const bool tcp = intent.gso_type == GsoType::tcp4 || intent.gso_type == GsoType::tcp6;
  if (tcp && intent.gso_size < kSmallestTcpSegment) return false;
  if (!tcp && bytes > uint32_t{sizeof(UdpHeader)} + intent.gso_size * kMostUdpSegments) return false;
  if (intent.outer() == Outer::other && segments_of(m) > kMostTunnelSegments) return false;
  return intent.gso_size != 0 && bytes <= kMostSegmentedBytes;
}

}  // namespace causeway
