// The segments that a frame is a chain of.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

namespace causeway {

// A new first segment in front of a frame whose own headroom can't be written, with the first bytes of the
// frame in it: the stages behind want the inner headers there too. Null when no buffer was left.
rte_mbuf* prepend_segment(rte_mempool* pool, rte_mbuf* frame, uint16_t bytes) noexcept;

// A frame of its own with the same bytes and the same intent, whose headers may be written; the rest of a large one is
// shared. Null when no buffer is left.
rte_mbuf* replicate(rte_mempool* pool, rte_mbuf* frame) noexcept;

// Takes bytes behind `bytes` off the frame's end.
void trim(rte_mbuf* m, uint32_t bytes) noexcept;

}  // namespace causeway
