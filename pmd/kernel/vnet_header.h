// The virtio-net header that TAP devices and packet sockets put in front of a frame, to and from our
// Intent (linux/virtio_net.h, virtio 1.2 section 5.1.6; that header itself doesn't compile as C++).
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/frame/intent.h"

namespace causeway {

//   +-------+----------+---------+----------+------------+-------------+
//   | flags | gso_type | hdr_len | gso_size | csum_start | csum_offset |
//   +-------+----------+---------+----------+------------+-------------+
//      1         1          2         2           2             2        bytes, the machine's own byte order
//
// With tunnels (Linux 6.17, struct virtio_net_hdr_v1_hash_tunnel) 14 bytes follow. csum_start and hdr_len then
// count to the inner L4 header.
//   +-------------+---------+-----------+-------------+---------+-----------------+-----------------+
//   | num_buffers | hash    | hash      | hash_report | padding | outer_th_offset | inner_nh_offset |
//   +-------------+---------+-----------+-------------+---------+-----------------+-----------------+
//         2            2          2           2            2             2                 2
struct VnetHeader {
  uint8_t flags = 0;
  uint8_t gso_type = 0;
  uint16_t hdr_len = 0;  // bytes of all headers; what the kernel hands us here is only a hint
  uint16_t gso_size = 0;
  uint16_t csum_start = 0;
  uint16_t csum_offset = 0;
  std::array<uint16_t, 5> unused{};
  uint16_t outer_th_offset = 0;  // of the outer UDP header
  uint16_t inner_nh_offset = 0;  // of the inner IP header
};
static_assert(sizeof(VnetHeader) == 24);
inline constexpr size_t kVnetBytes = 10;        // without tunnels: all that a packet socket knows
inline constexpr size_t kVnetTunnelBytes = 24;  // what a TAP is set to

inline constexpr uint8_t kVnetNeedsChecksum = 1;  // VIRTIO_NET_HDR_F_NEEDS_CSUM
inline constexpr uint8_t kVnetDataValid = 2;      // VIRTIO_NET_HDR_F_DATA_VALID
inline constexpr uint8_t kVnetOuterChecksum = 8;  // VIRTIO_NET_HDR_F_UDP_TUNNEL_CSUM
inline constexpr uint8_t kVnetGsoNone = 0;
inline constexpr uint8_t kVnetGsoTcp4 = 1;
inline constexpr uint8_t kVnetGsoUfo = 3;  // fragments, not segments; no kernel since 4.14 makes them
inline constexpr uint8_t kVnetGsoTcp6 = 4;
inline constexpr uint8_t kVnetGsoUdp = 5;         // VIRTIO_NET_HDR_GSO_UDP_L4
inline constexpr uint8_t kVnetGsoTunnel4 = 0x20;  // VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4: the outer header
inline constexpr uint8_t kVnetGsoTunnel6 = 0x40;
inline constexpr uint8_t kVnetGsoEcn = 0x80;

// What the kernel leaves unsaid: a super-packet whose checksum it has verified already (DATA_VALID, from a NIC with
// LRO) comes without csum_start. Finds the L4 header and puts the pseudo-header sum where NEEDS_CSUM would have it.
// Returns csum_start, 0 if the headers aren't plain IP and L4.
uint16_t start_checksum(rte_mbuf* frame, uint8_t csum_offset) noexcept;

// Gives a frame just read the Intent or rx flags its header stands for. `inserted_bytes` of VLAN tag
// have been put into the frame since the kernel counted its offsets. False: header and frame
// contradict each other, and the frame must be dropped.
bool apply_vnet_header(const VnetHeader& header, uint16_t inserted_bytes, rte_mbuf* frame) noexcept;

// The header for a frame about to be written; `false` if its headers can't be read. The outer checksum of a
// super-packet in a tunnel gets what the kernel wants there: the frame's outer headers must be the caller's.
bool make_vnet_header(rte_mbuf* frame, VnetHeader& header) noexcept;

}  // namespace causeway
