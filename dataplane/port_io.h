// What a worker may do with a device: receive and send bursts of frames. The only header of pmd/
// that dataplane/ includes.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/frame/intent.h"

namespace causeway {

// What a port takes off the dataplane's hands on transmit, for each tunnel and outer IP version apart: who can
// cut TCP in VXLAN can't in GENEVE. Whatever is missing here, the segment stage does in software before
// tx_burst. Made when the port opens; one byte of it is read per frame.
struct TxCapabilities {
  static constexpr uint8_t kChecksum = 1;                                      // fills the checksum an Intent asks for
  static constexpr uint8_t kTcp4 = 1 << static_cast<unsigned>(GsoType::tcp4);  // cuts super-packets of this kind
  static constexpr uint8_t kTcp6 = 1 << static_cast<unsigned>(GsoType::tcp6);
  static constexpr uint8_t kUdp4 = 1 << static_cast<unsigned>(GsoType::udp4);
  static constexpr uint8_t kUdp6 = 1 << static_cast<unsigned>(GsoType::udp6);
  static constexpr uint8_t kOuterChecksum = 1 << 5;       // fills the outer UDP checksum of what it cuts
  static constexpr uint8_t kKeepsOuterChecksum = 1 << 6;  // leaves it in each segment as it stands in the whole
  static constexpr uint8_t kTcp = kTcp4 | kTcp6;
  static constexpr uint8_t kUdp = kUdp4 | kUdp6;

  std::array<uint8_t, kOuters> can{};  // bits from above, by Outer
  bool multi_segment = false;          // takes frames of several mbufs

  bool has(Outer outer, uint8_t bits) const noexcept { return (can[static_cast<size_t>(outer)] & bits) == bits; }
  void add(Outer outer, uint8_t bits) noexcept { can[static_cast<size_t>(outer)] |= bits; }
};

// Thread rule: one thread per (queue, direction).
class PortIo {
 public:
  virtual ~PortIo() = default;

  // Fills `frames` with up to `count` frames and returns how many; they are the caller's now.
  // Frames that a kernel handed over with work left to do carry an Intent (dataplane/frame/intent.h).
  virtual uint16_t rx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept = 0;

  // Sends frames in order and returns how many it took; those are the port's now (sent, or freed and
  // counted in its tx_errors), the others stay the caller's.
  virtual uint16_t tx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept = 0;

  // Whether the last tx_burst on this queue stopped at a frame that the device will never take.
  virtual bool refused(uint16_t queue) const noexcept {
    (void)queue;
    return false;
  }

  // A descriptor that poll() reports readable when rx_burst has work; -1 where the device has none.
  virtual int rx_fd(uint16_t queue) const noexcept {
    (void)queue;
    return -1;
  }
};

}  // namespace causeway
