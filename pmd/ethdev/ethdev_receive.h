// What a DPDK device has done to frames before they came to us: TCP segments merged by its LRO, and checksums that
// it vouches for but didn't fill in (virtio).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

namespace causeway {

// A frame longer than this needs 17 bits in places; and a tunnel's headers may still come in front of it. mlx5 counts
// by 256.
inline constexpr uint32_t kMaxLroBytes = 255 * 256;

// What a device's tso_segsz is worth in a frame with RTE_MBUF_F_RX_LRO.
enum class LroSays : uint8_t {
  length,   // of a segment's payload, as rte_mbuf_core.h has it
  mean,     // the frame's length, headers included, divided by the segments it was
  nothing,  // it is left as the last user of the mbuf had it
};

// Gives frames of a device with LRO the Intents they stand for. Segments come back out of a merged frame as they were
// where the device says how long they were; all alike and no longer than they were where
// it says their mean; and else as long as `mtu`, the port's, allows: none was longer when it came in. Frees those with
// a wrong checksum, and those of which nobody can say what was merged; returns how many are left.
uint16_t take_rx_work(rte_mbuf** frames, uint16_t count, uint16_t mtu, LroSays says) noexcept;

}  // namespace causeway
