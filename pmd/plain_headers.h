// Where a frame's Ethernet header ends and which IP version follows. For frames whose L4 offset is
// known already (an Intent's csum_start).
#pragma once

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>

namespace causeway {

struct PlainHeaders {
  uint16_t l2_bytes = 0;   // to the end of the Ethernet header with its VLAN tags
  uint8_t ip_version = 0;  // 4, 6, or 0: something else
};

// `offset`: where the Ethernet header starts, behind outer headers.
inline PlainHeaders plain_headers(const rte_mbuf* frame, uint16_t offset = 0) noexcept {
  const auto* bytes = rte_pktmbuf_mtod(frame, const uint8_t*);
  auto l2_bytes = static_cast<uint16_t>(offset + 14);
  // At most two tags (IEEE 802.1ad).
  for (int tags = 0; tags <= 2 && frame->data_len >= l2_bytes; ++tags, l2_bytes += 4) {
    const unsigned ethertype = static_cast<unsigned>(bytes[l2_bytes - 2]) << 8 | bytes[l2_bytes - 1];
    if (ethertype == 0x0800) return {l2_bytes, 4};
    if (ethertype == 0x86dd) return {l2_bytes, 6};
    if (ethertype != 0x8100 && ethertype != 0x88a8) break;
  }
  return {};
}

}  // namespace causeway
