// The virtio-net header that TAP devices and packet sockets put in front of a frame, to and from our
// Intent (linux/virtio_net.h, virtio 1.2 section 5.1.6; that header itself doesn't compile as C++).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/intent.h"

namespace causeway {

//   +-------+----------+---------+----------+------------+-------------+
//   | flags | gso_type | hdr_len | gso_size | csum_start | csum_offset |
//   +-------+----------+---------+----------+------------+-------------+
//      1         1          2         2           2             2        bytes, the machine's own byte order
struct VnetHeader {
  uint8_t flags = 0;
  uint8_t gso_type = 0;
  uint16_t hdr_len = 0;  // bytes of all headers; what the kernel hands us here is only a hint
  uint16_t gso_size = 0;
  uint16_t csum_start = 0;
  uint16_t csum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);

inline constexpr uint8_t kVnetNeedsChecksum = 1;  // VIRTIO_NET_HDR_F_NEEDS_CSUM
inline constexpr uint8_t kVnetDataValid = 2;      // VIRTIO_NET_HDR_F_DATA_VALID
inline constexpr uint8_t kVnetGsoNone = 0;
inline constexpr uint8_t kVnetGsoTcp4 = 1;
inline constexpr uint8_t kVnetGsoUfo = 3;  // fragments, not segments; no kernel since 4.14 makes them
inline constexpr uint8_t kVnetGsoTcp6 = 4;
inline constexpr uint8_t kVnetGsoUdp = 5;  // VIRTIO_NET_HDR_GSO_UDP_L4
inline constexpr uint8_t kVnetGsoEcn = 0x80;

// Gives a frame just read the Intent or rx flags its header stands for. `inserted_bytes` of VLAN tag
// have been put into the frame since the kernel counted its offsets. False: header and frame
// contradict each other, and the frame must be dropped.
bool apply_vnet_header(const VnetHeader& header, uint16_t inserted_bytes, rte_mbuf* frame) noexcept;

// The header for a frame about to be written; `false` if its headers can't be read.
bool make_vnet_header(const rte_mbuf* frame, VnetHeader& header) noexcept;

}  // namespace causeway
