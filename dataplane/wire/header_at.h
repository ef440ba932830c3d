// The one checked way to a header inside a frame.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <type_traits>

namespace causeway {

// The header at `offset` bytes from the frame's start, or null where it would reach beyond the first
// segment: what lies in later segments is not contiguous with it, whatever the packet's length says.
template <class Header>
const Header* header_at(const rte_mbuf* m, uint32_t offset) noexcept {
  static_assert(std::is_trivially_copyable_v<Header> && alignof(Header) == 1);
  if (uint64_t{offset} + sizeof(Header) > rte_pktmbuf_data_len(m)) return nullptr;
  return rte_pktmbuf_mtod_offset(m, const Header*, offset);
}

// The same for a caller that owns the frame's bytes.
template <class Header>
Header* writable_header_at(rte_mbuf* m, uint32_t offset) noexcept {
  return const_cast<Header*>(header_at<Header>(m, offset));
}

}  // namespace causeway
