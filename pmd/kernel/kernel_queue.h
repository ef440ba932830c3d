// Frames to and from a kernel descriptor, one system call each, a virtio-net header in front: what TAP
// and packet ports have in common. Each object belongs to the one thread of its queue.
#pragma once

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "pmd/kernel/big_tcp.h"
#include "pmd/kernel/vnet_header.h"
#include "pmd/port.h"

namespace causeway {

// A counter with one writer, read by the control thread.
class PortCounter {
 public:
  void add(uint64_t n) noexcept { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  void set(uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
  uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// A chain of empty mbufs, long enough for any frame but those of BIG TCP, that waits for the next read. A read uses up
// its first few; those are replaced before the next one. What is longer goes on in plain memory.
class RxChain {
 public:
  // 64 KB of IP packet behind an Ethernet header with two VLAN tags.
  static constexpr size_t kMaxFrameBytes = 65535 + 14 + 8;
  static constexpr size_t kRestBytes = kBigTcpBytes - 65535;
  // What is longer may be BIG TCP's, whose lengths no header says, or have tags.
  static constexpr size_t kPlainFrameBytes = 65535 + 14;

  // `header_bytes`: of the virtio-net header in front, as the descriptor was told.
  RxChain(rte_mempool* pool, size_t header_bytes);
  ~RxChain();
  RxChain(const RxChain&) = delete;
  RxChain& operator=(const RxChain&) = delete;

  // False while the pool has no buffers.
  bool refill() noexcept;
  // The virtio-net header, then the buffers, then room for the rest.
  iovec* iov() noexcept { return iov_.data(); }
  int iov_count() const noexcept { return static_cast<int>(iov_.size()); }
  const VnetHeader& header() const noexcept { return header_; }
  size_t header_bytes() const noexcept { return iov_[0].iov_len; }
  // What the buffers hold together, kMaxFrameBytes or a little more.
  size_t chain_bytes() const noexcept { return buffers_.size() * room_bytes_; }
  // Makes the first `bytes` read into a frame, chain_bytes() at most.
  rte_mbuf* take(size_t bytes) noexcept;
  // The bytes behind them.
  std::span<const uint8_t> rest(size_t bytes) const noexcept { return {rest_.get(), bytes}; }
  rte_mempool* pool() const noexcept { return pool_; }

 private:
  rte_mempool* pool_;
  size_t room_bytes_;
  size_t used_;  // buffers at the front that are missing
  VnetHeader header_;
  std::vector<rte_mbuf*> buffers_;
  std::vector<iovec> iov_;
  std::unique_ptr<uint8_t[]> rest_;  // not touched, and so no memory, before it is needed
};

// How many segments a port may receive before others get their turn. Frames that are cut cost what their segments cost,
// and what that is nobody knows in front: a NIC cuts for nothing, a kernel's interface takes 20 us a segment. So it is
// as much as lets the next turn come within a quarter of a millisecond.
class TurnLength {
 public:
  static constexpr uint32_t kLeast = 8;
  static constexpr uint32_t kMost = 128;

  explicit TurnLength(uint64_t second_cycles)
      : long_cycles_(second_cycles / 4000), short_cycles_(second_cycles / 10000) {}

  uint32_t segments() const noexcept { return segments_; }
  // Segments were handed over, and the time until the next turn is of interest.
  bool measures() const noexcept { return handed_over_ != 0; }
  void end(uint64_t now) noexcept { handed_over_ = now; }
  void begin(uint64_t now) noexcept {
    const uint64_t passed = now - handed_over_;
    handed_over_ = 0;
    if (passed > long_cycles_) segments_ = std::max(kLeast, segments_ / 2);
    if (passed < short_cycles_) segments_ = std::min(kMost, segments_ * 2);
  }

 private:
  uint64_t long_cycles_;
  uint64_t short_cycles_;
  uint64_t handed_over_ = 0;
  uint32_t segments_ = kMost;
};

// One turn: over with the super-packet that fills it.
class Turn {
 public:
  explicit Turn(uint32_t most) : most_(most) {}

  void add(const rte_mbuf* frame) noexcept {
    if ((frame->ol_flags & kNeedsSegment) != 0) segments_ += segments_of(frame);
  }
  uint32_t segments() const noexcept { return segments_; }
  bool over() const noexcept { return segments_ >= most_; }

 private:
  uint32_t most_;
  uint32_t segments_ = 0;
};

struct alignas(64) KernelRxQueue {
  KernelRxQueue(int descriptor, rte_mempool* pool, size_t header_bytes) : fd(descriptor), chain(pool, header_bytes) {}

  ~KernelRxQueue();
  KernelRxQueue(const KernelRxQueue&) = delete;
  KernelRxQueue& operator=(const KernelRxQueue&) = delete;

  // Moves up to `count` pieces of the last frame that was parted to `frames`, and returns how many.
  uint16_t take_pieces(rte_mbuf** frames, uint16_t count, Turn& turn) noexcept;
  // Parts a frame just read if it has many segments; false: it is good as it is.
  bool part(rte_mbuf* frame) noexcept;

  int fd;
  RxChain chain;
  PortCounter errors;
  Pieces pieces;  // of a frame that was too much for one turn
  size_t pieces_taken = 0;
  TurnLength turn_length{rte_get_tsc_hz()};
};

struct alignas(64) KernelTxQueue {
  KernelTxQueue(int descriptor, size_t vnet_bytes) : fd(descriptor), header_bytes(vnet_bytes) {}

  int fd;
  size_t header_bytes;   // of the virtio-net header in front of each frame
  bool refused = false;  // the kernel will never take the frame that send_burst stopped at
};

// A VLAN tag that travelled beside the frame.
struct VlanTag {
  uint16_t tpid;
  uint16_t tci;
};

// What one read brought: bytes including the virtio-net header, or -1 and errno.
struct ReadResult {
  ssize_t bytes;
  std::optional<VlanTag> tag{};
};

// Completes a frame just read into `chain`; null (and the frame freed) if it is malformed.
rte_mbuf* finish_rx(RxChain& chain, const ReadResult& result) noexcept;
// The same for one of more than kPlainFrameBytes: its pieces, none if it can't be cut.
Pieces finish_big_rx(RxChain& chain, const ReadResult& result) noexcept;

// Errors of read() that cost a frame: the kernel could not express it as a virtio-net header, or it was too
// long. All others mean that nothing came.
inline bool read_lost_frame(int error) noexcept { return error == EINVAL || error == EFAULT || error == EMSGSIZE; }

// `read(iovec*, int) -> ReadResult`.
template <typename Read>
uint16_t receive_burst(KernelRxQueue& queue, rte_mbuf** frames, uint16_t count, Read&& read) noexcept {
  if (queue.turn_length.measures()) queue.turn_length.begin(rte_rdtsc());
  Turn turn(queue.turn_length.segments());
  uint16_t received = queue.take_pieces(frames, count, turn);
  for (uint16_t attempt = 0; attempt < count && received < count && !turn.over() && queue.chain.refill(); ++attempt) {
    const ReadResult result = read(queue.chain.iov(), queue.chain.iov_count());
    if (result.bytes < 0) {
      if (!read_lost_frame(errno)) break;
      queue.errors.add(1);
      continue;
    }
    if (static_cast<size_t>(result.bytes) > queue.chain.header_bytes() + RxChain::kPlainFrameBytes) [[unlikely]] {
      queue.pieces = finish_big_rx(queue.chain, result);
    } else if (rte_mbuf* frame = finish_rx(queue.chain, result); frame != nullptr && !queue.part(frame)) {
      turn.add(frame);
      frames[received++] = frame;
      continue;
    }
    if (queue.pieces.count == 0) queue.errors.add(1);
    received = static_cast<uint16_t>(
        received + queue.take_pieces(&frames[received], static_cast<uint16_t>(count - received), turn));
  }
  if (turn.segments() != 0) queue.turn_length.end(rte_rdtsc());
  return received;
}

// A frame as writev() wants it.
class TxVector {
 public:
  static constexpr size_t kMaxSegments = 128;

  // False: too many segments or malformed headers.
  bool assign(rte_mbuf* frame, size_t header_bytes) noexcept;
  iovec* iov() noexcept { return iov_.data(); }
  int iov_count() const noexcept { return static_cast<int>(count_); }

 private:
  VnetHeader header_;
  size_t count_ = 0;
  std::array<iovec, 1 + kMaxSegments> iov_;
};

// Errors of write() that mean: later, perhaps. All others are about the frame (EMSGSIZE, EINVAL) or the interface
// (ENETDOWN, ENXIO).
inline bool write_may_pass(int error) noexcept { return error == EAGAIN || error == ENOBUFS || error == EINTR; }

// `write(iovec*, int) -> ssize_t`, -1 and errno on failure. Stops where the kernel's queue is full, and at a frame that
// the kernel refuses.
template <typename Write>
uint16_t send_burst(KernelTxQueue& queue, rte_mbuf** frames, uint16_t count, Write&& write) noexcept {
  TxVector vector;
  uint16_t taken = 0;
  queue.refused = false;
  for (; taken < count; ++taken) {
    const bool readable = vector.assign(frames[taken], queue.header_bytes);
    if (readable && write(vector.iov(), vector.iov_count()) >= 0) continue;
    queue.refused = !readable || !write_may_pass(errno);
    break;
  }
  if (taken > 0) rte_pktmbuf_free_bulk(frames, taken);
  return taken;
}

// What a kernel port reports for `settings`.
struct KernelOffloads {
  TxCapabilities capabilities;
  std::string error;  // of what was asked for by name and is not there
};
// `automatic`: whether toggles that say so mean on. `tunnels`: the device cuts UDP tunnels; otherwise `why_not`.
// `to_stack`: what is written goes straight to the stack that the frames are for.
KernelOffloads kernel_offloads(const OffloadSettings& settings, bool automatic, bool tunnels, bool to_stack,
                               const char* why_not);
inline constexpr const char* kNeedsLinux = "needs Linux 6.17";
// Port::lacks of a kernel port.
std::string kernel_lacks(Outer outer, const char* why_no_tunnels);

}  // namespace causeway
