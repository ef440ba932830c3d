// Headers put in front of a frame, or taken off there.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>

#include "dataplane/wire/word_at.h"

namespace causeway {

// Moves the start of a frame within its first segment by some bytes: forward takes them off, backward (below 0) puts
// them in front. The caller knows that they are there.
inline void move_start(rte_mbuf* m, int64_t bytes) noexcept {
  // Both lengths in one step; data_len neither borrows nor carries, and what stands behind it stays.
  static_assert(offsetof(rte_mbuf, data_len) == offsetof(rte_mbuf, pkt_len) + 4);
  const uint64_t lengths = word_at<uint64_t>(&m->pkt_len) - static_cast<uint64_t>(bytes * 0x1'0000'0001);
  std::memcpy(&m->pkt_len, &lengths, sizeof(lengths));
  m->data_off = static_cast<uint16_t>(m->data_off + bytes);
}

}  // namespace causeway
