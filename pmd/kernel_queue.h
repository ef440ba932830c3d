// Frames to and from a kernel descriptor, one system call each, a virtio-net header in front: what TAP
// and packet ports have in common. Each object belongs to the one thread of its queue.
#pragma once

#include <rte_mbuf.h>
#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "pmd/port.h"
#include "pmd/vnet_header.h"

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

// A chain of empty mbufs, long enough for any frame, that waits for the next read. A read uses up its
// first few; those are replaced before the next one.
class RxChain {
 public:
  // 64 KB of IP packet behind an Ethernet header with two VLAN tags.
  static constexpr size_t kMaxFrameBytes = 65535 + 14 + 8;

  // `header_bytes`: of the virtio-net header in front, as the descriptor was told.
  RxChain(rte_mempool* pool, size_t header_bytes);
  ~RxChain();
  RxChain(const RxChain&) = delete;
  RxChain& operator=(const RxChain&) = delete;

  // False while the pool has no buffers.
  bool refill() noexcept;
  // The virtio-net header, then the buffers.
  iovec* iov() noexcept { return iov_.data(); }
  int iov_count() const noexcept { return static_cast<int>(iov_.size()); }
  const VnetHeader& header() const noexcept { return header_; }
  size_t header_bytes() const noexcept { return iov_[0].iov_len; }
  // Makes the first `bytes` read into a frame.
  rte_mbuf* take(size_t bytes) noexcept;

 private:
  rte_mempool* pool_;
  size_t room_bytes_;
  size_t used_;  // buffers at the front that are missing
  VnetHeader header_;
  std::vector<rte_mbuf*> buffers_;
  std::vector<iovec> iov_;
};

struct alignas(64) KernelRxQueue {
  KernelRxQueue(int descriptor, rte_mempool* pool, size_t header_bytes) : fd(descriptor), chain(pool, header_bytes) {}

  int fd;
  RxChain chain;
  PortCounter errors;
};

struct alignas(64) KernelTxQueue {
  KernelTxQueue(int descriptor, size_t vnet_bytes) : fd(descriptor), header_bytes(vnet_bytes) {}

  int fd;
  size_t header_bytes;  // of the virtio-net header in front of each frame
  PortCounter errors;
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

// Errors of read() that cost a frame: the kernel could not express it as a virtio-net header, or it was too
// long. All others mean that nothing came.
inline bool read_lost_frame(int error) noexcept { return error == EINVAL || error == EFAULT || error == EMSGSIZE; }

// `read(iovec*, int) -> ReadResult`.
template <typename Read>
uint16_t receive_burst(KernelRxQueue& queue, rte_mbuf** frames, uint16_t count, Read&& read) noexcept {
  uint16_t received = 0;
  for (uint16_t attempt = 0; attempt < count && queue.chain.refill(); ++attempt) {
    const ReadResult result = read(queue.chain.iov(), queue.chain.iov_count());
    if (result.bytes < 0) {
      if (!read_lost_frame(errno)) break;
      queue.errors.add(1);
    } else if (rte_mbuf* frame = finish_rx(queue.chain, result); frame != nullptr) {
      frames[received++] = frame;
    } else {
      queue.errors.add(1);
    }
  }
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

// `write(iovec*, int) -> ssize_t`, -1 and errno on failure. Stops where the kernel's queue is full.
template <typename Write>
uint16_t send_burst(KernelTxQueue& queue, rte_mbuf** frames, uint16_t count, Write&& write) noexcept {
  TxVector vector;
  uint16_t taken = 0;
  for (; taken < count; ++taken) {
    ssize_t result = -1;
    if (vector.assign(frames[taken], queue.header_bytes)) {
      result = write(vector.iov(), vector.iov_count());
      if (result < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)) break;
    }
    if (result < 0) queue.errors.add(1);
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
KernelOffloads kernel_offloads(const OffloadSettings& settings, bool automatic, bool tunnels, const char* why_not);
inline constexpr const char* kNeedsLinux = "needs Linux 6.17";
// Port::lacks of a kernel port.
std::string kernel_lacks(Outer outer, const char* why_no_tunnels);

}  // namespace causeway
