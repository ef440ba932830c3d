// What a worker may do with a device: receive and send bursts of frames. The only header of pmd/
// that dataplane/ includes.
#pragma once

#include <cstdint>

struct rte_mbuf;

namespace causeway {

// What a port takes off the dataplane's hands on transmit. Whatever is false here, the segment stage
// does in software before tx_burst.
struct TxCapabilities {
  bool checksum = false;       // fills the checksum an Intent asks for
  bool tcp4_segment = false;   // cuts TCP over IPv4 super-packets without a tunnel around
  bool tcp6_segment = false;   // the same over IPv6
  bool udp_segment = false;    // the same for UDP GSO
  bool multi_segment = false;  // takes frames of several mbufs
};

// Thread rule: one thread per (queue, direction).
class PortIo {
 public:
  virtual ~PortIo() = default;

  // Fills `frames` with up to `count` frames and returns how many; they are the caller's now.
  // Frames that a kernel handed over with work left to do carry an Intent (dataplane/intent.h).
  virtual uint16_t rx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept = 0;

  // Sends frames in order and returns how many it took; those are the port's now (sent, or freed and
  // counted in its tx_errors), the others stay the caller's.
  virtual uint16_t tx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept = 0;

  // A descriptor that poll() reports readable when rx_burst has work; -1 where the device has none.
  virtual int rx_fd(uint16_t queue) const noexcept {
    (void)queue;
    return -1;
  }
};

}  // namespace causeway
