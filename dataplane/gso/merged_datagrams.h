// Outer datagrams that Linux has merged into one frame on their way to us (UDP GRO: `rx-udp-gro-forwarding`,
// `rx-gro-list`): a super-packet whose L4 header is the tunnel's own UDP header. Decap stops in front of such a frame,
// and the worker has it cut into the datagrams that it was made of, each an outer frame as it came over the wire.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "dataplane/flow/tables.h"
#include "dataplane/gso/segment.h"

namespace causeway {

struct WorkerContext;

// Whether an underlay frame is several datagrams to a tunnel's UDP port. What isn't for us stays whole: one drop.
bool holds_datagrams(const WorkerContext& w, const PortEntry& port, const rte_mbuf* m) noexcept;

// Cuts one frame at a time:
//
//   cutter.begin(frame);
//   while (cutter.left() != 0) {
//     count = cutter.next(out, room, pool);
//     if (count == 0) {                       // no buffer: count left() drops
//       cutter.end();
//     }
//   }
class DatagramCutter {
 public:
  DatagramCutter() = default;
  DatagramCutter(const DatagramCutter&) = delete;
  DatagramCutter& operator=(const DatagramCutter&) = delete;
  ~DatagramCutter() { end(); }

  // Takes over a frame that holds_datagrams, when nothing is left of another.
  void begin(rte_mbuf* frame) noexcept;
  // Datagrams still to fetch.
  uint32_t left() const noexcept { return left_; }
  // In front of each datagram's payload.
  uint32_t header_bytes() const noexcept { return header_bytes_; }
  uint16_t next(rte_mbuf** out, uint16_t room, rte_mempool* pool) noexcept;
  void end() noexcept;

 private:
  bool build(rte_mbuf* datagram, rte_mempool* pool) noexcept;
  uint32_t copy_payload(rte_mbuf* datagram, uint32_t bytes) noexcept;
  bool share_payload(rte_mbuf* datagram, uint32_t bytes, rte_mempool* pool) noexcept;
  uint32_t step() noexcept;

  rte_mbuf* frame_ = nullptr;
  const rte_mbuf* at_ = nullptr;  // the payload not handed out yet starts here,
  uint32_t at_offset_ = 0;        // so many bytes in
  uint32_t payload_left_ = 0;
  uint32_t left_ = 0;
  uint32_t index_ = 0;  // of the next datagram
  uint16_t gso_size_ = 0;
  uint16_t header_bytes_ = 0;
  IpPatch ip_;
  std::array<uint8_t, 64> headers_;  // Ethernet, IP and UDP, without what differs per datagram
};

}  // namespace causeway
