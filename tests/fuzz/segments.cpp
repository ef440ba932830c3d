// What a container's or VM's virtio-net header makes of a frame: read as kernel ports read it, parted where it is too
// much for one turn, cut into segments, merged again. What must come out is known without any of that code: no byte of
// payload is lost, added or moved, lengths and checksums are right, and every buffer is back.
//
// An input is a byte of flags, a byte of repetitions, a virtio-net header of 24 bytes, and a frame, behind which the
// repetitions stand: so many times 2,048 bytes of a pattern.
//   1: a short virtio-net header (10 bytes)      2: a VLAN tag travels beside the frame
//   4: the port behind takes no chains           8: lengths in the IP header are made right for the repetitions
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "dataplane/egress/coalesce.h"
#include "dataplane/gso/segment.h"
#include "pmd/kernel/kernel_queue.h"
#include "tests/fuzz/target.h"
#include "tests/support/mbufs.h"

namespace causeway::test {
namespace {

enum Flag : uint8_t { kShortHeader = 1, kTag = 2, kLinear = 4, kRightLengths = 8 };

constexpr size_t kRepeated = 2048;
constexpr unsigned kMbufs = 8191;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

size_t at16(const Bytes& frame, size_t at) { return static_cast<size_t>(frame[at]) << 8 | frame[at + 1]; }

// RFC 1071, as slow as it stands there.
uint32_t sum_of(const Bytes& frame, size_t from, size_t to, uint32_t sum = 0) {
  for (size_t i = from; i < to; ++i) sum += (i - from) % 2 == 0 ? uint32_t{frame[i]} << 8 : frame[i];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

// Plain Ethernet, IP and TCP or UDP, as far as a reader needs it who knows nothing else. IPv6's extension headers
// aside.
struct Plain {
  size_t l3 = 0;  // 0: something else
  size_t l4 = 0;
  size_t payload = 0;
  bool v4 = false;
  bool tcp = false;

  size_t said_bytes(const Bytes& frame) const { return l3 + (v4 ? at16(frame, l3 + 2) : 40 + at16(frame, l3 + 4)); }
};

Plain plain_of(const Bytes& frame) {
  size_t at = 12;
  while (at + 6 <= frame.size() && (at16(frame, at) == 0x8100 || at16(frame, at) == 0x88a8) && at <= 20) at += 4;
  if (at + 2 > frame.size()) return {};
  Plain plain;
  plain.v4 = at16(frame, at) == 0x0800;
  const bool v6 = at16(frame, at) == 0x86dd;
  plain.l3 = at + 2;
  if ((!plain.v4 && !v6) || plain.l3 + (plain.v4 ? 20 : 40) > frame.size()) return {};
  if (frame[plain.l3] >> 4 != (plain.v4 ? 4 : 6)) return {};
  plain.l4 = plain.l3 + (plain.v4 ? size_t{frame[plain.l3]} % 16 * 4 : 40);
  const uint8_t protocol = frame[plain.l3 + (plain.v4 ? 9 : 6)];
  if ((protocol != 6 && protocol != 17) || plain.l4 < plain.l3 + 20) return {};
  if (plain.v4 && (at16(frame, plain.l3 + 6) & 0x3fff) != 0) return {};  // a fragment
  plain.tcp = protocol == 6;
  const size_t least = plain.tcp ? 20 : 8;
  if (plain.l4 + least > frame.size()) return {};
  plain.payload = plain.l4 + (plain.tcp ? size_t{frame[plain.l4 + 12]} / 16 * 4 : 8);
  return plain.payload < plain.l4 + least || plain.payload > frame.size() ? Plain{} : plain;
}

uint32_t sequence_of(const Bytes& frame, const Plain& plain) {
  return static_cast<uint32_t>(at16(frame, plain.l4 + 4) << 16 | at16(frame, plain.l4 + 6));
}

// A segment that was cut from `whole`, `done` bytes of payload into it.
void check_segment(const Bytes& segment, const Bytes& whole, const Plain& of, size_t done) {
  const Plain plain = plain_of(segment);
  require(plain.l3 == of.l3 && plain.l4 == of.l4 && plain.payload == of.payload, "a segment has its frame's headers");
  require(plain.said_bytes(segment) == segment.size(), "IP length is the segment's");
  if (plain.v4) require(sum_of(segment, plain.l3, plain.l4) == 0xffff, "IPv4 header sums to nothing");
  if (!plain.tcp) require(at16(segment, plain.l4 + 4) == segment.size() - plain.l4, "UDP length is the segment's");
  if (plain.tcp) {
    require(sequence_of(segment, plain) == static_cast<uint32_t>(sequence_of(whole, of) + done), "sequence goes on");
  }
  const size_t addresses = plain.v4 ? plain.l3 + 12 : plain.l3 + 8;
  const auto l4_bytes = static_cast<uint32_t>(segment.size() - plain.l4);
  const uint32_t pseudo = sum_of(segment, addresses, addresses + (plain.v4 ? 8 : 32), l4_bytes + (plain.tcp ? 6 : 17));
  require(sum_of(segment, plain.l4, segment.size(), pseudo) == 0xffff, "L4 checksum is right");
}

// Whether the pseudo-header's sum is what the sender's kernel would have left: only then can checksums come out right.
bool has_pseudo_sum(const Bytes& frame, const Plain& plain, size_t checksum) {
  const size_t addresses = plain.v4 ? plain.l3 + 12 : plain.l3 + 8;
  const auto l4_bytes = static_cast<uint32_t>(frame.size() - plain.l4);
  const uint32_t sum = sum_of(frame, addresses, addresses + (plain.v4 ? 8 : 32), l4_bytes + (plain.tcp ? 6 : 17));
  return sum % 0xffff == at16(frame, checksum) % 0xffff;
}

TxCapabilities port_of(uint8_t flags) {
  TxCapabilities caps;
  caps.multi_segment = (flags & kLinear) == 0;
  return caps;
}

// Cuts a frame, which it takes, as the tx stage does. Empty: it was dropped.
std::vector<rte_mbuf*> cut(rte_mbuf* frame, const TxCapabilities& caps, rte_mempool* pool) {
  if (port_takes(frame, caps)) return {frame};
  Segmenter segmenter;
  std::vector<rte_mbuf*> segments;
  DropReason reason = segmenter.begin(frame, caps, {pool, pool});
  while (segmenter.pending()) {
    std::array<rte_mbuf*, 32> out;
    const uint16_t count = segmenter.next(out.data(), out.size(), reason);
    segments.insert(segments.end(), out.begin(), out.begin() + count);
  }
  require(reason == DropReason::none || segments.empty() || reason == DropReason::mbuf_alloc, "all of it or nothing");
  for (const rte_mbuf* segment : segments) {
    require(!has_intent(segment), "nothing is left to do");
    require(caps.multi_segment || segment->nb_segs == 1, "no chain for a port that takes none");
  }
  return segments;
}

std::vector<Bytes> bytes_of(const std::vector<rte_mbuf*>& frames) {
  std::vector<Bytes> all;
  for (const rte_mbuf* frame : frames) all.push_back(to_bytes(frame));
  return all;
}

void free_all(const std::vector<rte_mbuf*>& frames) {
  for (rte_mbuf* frame : frames) rte_pktmbuf_free(frame);
}

// What is merged comes apart into the same bytes again, each at its place.
void check_merged(std::vector<rte_mbuf*> segments, const std::vector<Bytes>& before, rte_mempool* pool) {
  TxCapabilities takes;
  takes.multi_segment = true;
  takes.add(Outer::none, TxCapabilities::kChecksum | TxCapabilities::kTcp);
  TxCapabilities nothing;
  nothing.multi_segment = true;
  std::vector<rte_mbuf*> apart;
  for (size_t at = 0; at < segments.size(); at += kMaxCoalesced) {
    const auto count = static_cast<uint16_t>(std::min<size_t>(kMaxCoalesced, segments.size() - at));
    const Coalesced merged = coalesce(&segments[at], count, takes);
    require(merged.frames + merged.in == count + merged.out, "as many merged as are missing");
    for (uint16_t i = 0; i < merged.frames; ++i) {
      const auto again = cut(segments[at + i], nothing, pool);
      apart.insert(apart.end(), again.begin(), again.end());
    }
  }
  require(bytes_of(apart) == before, "merged and cut again they are the same");
  free_all(apart);
}

// One frame as it was received: cut, checked against itself, merged, cut. Frees it.
void check_frame(rte_mbuf* frame, uint8_t flags, rte_mempool* pool) {
  if (!has_intent(frame) || frame->data_len < 14 ||
      ((frame->ol_flags & kNeedsSegment) != 0 && !has_sane_segments(frame))) {
    return rte_pktmbuf_free(frame);
  }
  const Bytes whole = to_bytes(frame);
  const Intent intent = intent_of(frame);
  const bool segment = (frame->ol_flags & kNeedsSegment) != 0;
  const uint32_t most = segment ? segments_of(frame) : 1;
  const TxCapabilities caps = port_of(flags);
  const std::vector<rte_mbuf*> segments = cut(frame, caps, pool);
  if (segments.empty()) return;
  require(segments.size() <= most, "no more segments than were counted");
  const std::vector<Bytes> out = bytes_of(segments);
  const size_t checksum = size_t{intent.csum_start} + intent.csum_offset;
  const Plain plain = intent.outer() == Outer::none ? plain_of(whole) : Plain{};
  if (!segment) {
    require(out.size() == 1 && out[0].size() == whole.size(), "one frame of the same length");
    Bytes same = out[0];
    std::copy_n(whole.begin() + static_cast<ptrdiff_t>(checksum), 2, same.begin() + static_cast<ptrdiff_t>(checksum));
    require(same == whole, "but for the checksum nothing changed");
    // The sum over it is the complement of what stood there; nobody asks for a field between two words.
    if (intent.csum_offset % 2 != 0) return free_all(segments);
    const uint32_t sum =
        sum_of(out[0], intent.csum_start, out[0].size()) + static_cast<uint32_t>(at16(whole, checksum));
    require(sum % 0xffff == 0, "the checksum is what the sender asked for");
  }
  if (segment) {
    const size_t headers = out[0].size() - std::min(out[0].size(), size_t{intent.gso_size});
    size_t done = 0;
    const bool sums = plain.l3 != 0 && has_pseudo_sum(whole, plain, checksum);
    for (const Bytes& one : out) {
      require(one.size() <= headers + intent.gso_size, "no segment is longer than its sender said");
      require(std::equal(one.begin() + static_cast<ptrdiff_t>(headers), one.end(),
                         whole.begin() + static_cast<ptrdiff_t>(headers + done)),
              "payload is the same");
      if (sums && plain.payload == headers) check_segment(one, whole, plain, done);
      done += one.size() - headers;
    }
    require(headers + done == whole.size(), "all of the payload is there");
  }
  if (caps.multi_segment) {
    check_merged(segments, out, pool);
  } else {
    free_all(segments);
  }
}

// The frames that one was parted into, held against it: `done` bytes of its payload so far.
class Parts {
 public:
  explicit Parts(const Bytes& whole) : whole_(whole) {}

  void add(const rte_mbuf* part) {
    ++count_;
    if (!has_intent(part)) return;
    const Bytes bytes = to_bytes(part);
    const Intent intent = intent_of(part);
    tcp_ = intent.csum_offset == 16;
    const size_t l4 = intent.csum_start;
    if (l4 + (tcp_ ? 20 : 8) > bytes.size()) return;
    const size_t payload = l4 + (tcp_ ? size_t{bytes[l4 + 12]} / 16 * 4 : 8);
    if (payload > bytes.size()) return;
    const auto sequence = static_cast<uint32_t>(at16(bytes, l4 + 4) << 16 | at16(bytes, l4 + 6));
    if (count_ == 1) first_ = sequence;
    if (tcp_) numbered_ = numbered_ && sequence == static_cast<uint32_t>(first_ + payload_.size());
    payload_.insert(payload_.end(), bytes.begin() + static_cast<ptrdiff_t>(payload), bytes.end());
  }
  void check() const {
    if (count_ < 2) return;
    require(numbered_, "sequence numbers go on from part to part");
    require(payload_.size() <= whole_.size() && whole_.size() - payload_.size() < Segmenter::kMaxHeaderBytes,
            "the parts have all of the payload");
    require(std::equal(payload_.rbegin(), payload_.rend(), whole_.rbegin()), "the parts' payload is the frame's");
    const Plain plain = plain_of(whole_);
    if (plain.l3 != 0) require(whole_.size() - payload_.size() == plain.payload, "and nothing else");
  }

 private:
  const Bytes& whole_;
  Bytes payload_;
  size_t count_ = 0;
  uint32_t first_ = 0;
  bool tcp_ = false;
  bool numbered_ = true;
};

struct OneRead {
  std::span<const uint8_t> header;
  const Bytes& frame;
  bool tag;
  bool done = false;

  ReadResult operator()(iovec* iov, int count) {
    if (done) {
      errno = EAGAIN;
      return ReadResult{-1};
    }
    done = true;
    std::memset(iov[0].iov_base, 0, iov[0].iov_len);
    std::memcpy(iov[0].iov_base, header.data(), std::min(header.size(), iov[0].iov_len));
    size_t read = 0;
    for (int i = 1; i < count && read < frame.size(); ++i) {
      const size_t part = std::min(iov[i].iov_len, frame.size() - read);
      std::memcpy(iov[i].iov_base, frame.data() + read, part);
      read += part;
    }
    ReadResult result{static_cast<ssize_t>(iov[0].iov_len + read)};
    if (tag) result.tag = VlanTag{0x8100, 5};
    return result;
  }
};

void put16(Bytes& frame, size_t at, size_t value) {
  frame[at] = static_cast<uint8_t>(value >> 8);
  frame[at + 1] = static_cast<uint8_t>(value);
}

// As a sender's kernel leaves it: lengths, IPv4 checksum, and the pseudo-header's sum where the L4 checksum will be.
void make_right(Bytes& frame) {
  const Plain plain = plain_of(frame);
  if (plain.l3 == 0 || frame.size() - plain.l3 > 65535) return;
  const size_t l4_bytes = frame.size() - plain.l4;
  if (plain.v4) {
    put16(frame, plain.l3 + 2, frame.size() - plain.l3);
    put16(frame, plain.l3 + 10, 0);
    put16(frame, plain.l3 + 10, ~sum_of(frame, plain.l3, plain.l4) & 0xffff);
  } else {
    put16(frame, plain.l3 + 4, frame.size() - plain.l3 - 40);
  }
  if (!plain.tcp) put16(frame, plain.l4 + 4, l4_bytes);
  const size_t addresses = plain.v4 ? plain.l3 + 12 : plain.l3 + 8;
  put16(frame, plain.l4 + (plain.tcp ? 16 : 6),
        sum_of(frame, addresses, addresses + (plain.v4 ? 8 : 32),
               static_cast<uint32_t>(l4_bytes) + (plain.tcp ? 6U : 17U)));
}

}  // namespace
}  // namespace causeway::test

using namespace causeway;
using namespace causeway::test;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kFront = 2 + sizeof(VnetHeader);
  if (size < kFront) return 0;
  static MbufPool pool(kMbufs);
  const uint8_t flags = data[0];
  Bytes frame(data + kFront, data + size);
  const size_t most = RxChain::kMaxFrameBytes + RxChain::kRestBytes;
  const size_t repeated = std::min(size_t{data[1]} * kRepeated, most - std::min(most, frame.size()));
  for (size_t i = 0; i < repeated; ++i) frame.push_back(static_cast<uint8_t>(i ^ i >> 8));
  if ((flags & kRightLengths) != 0) make_right(frame);
  {
    KernelRxQueue queue(-1, pool, (flags & kShortHeader) != 0 ? kVnetBytes : kVnetTunnelBytes);
    OneRead read{{data + 2, sizeof(VnetHeader)}, frame, (flags & kTag) != 0};
    std::array<rte_mbuf*, 64> burst{};
    uint64_t received = 0;
    uint64_t bytes = 0;
    Parts parts(frame);
    while (const uint16_t count = receive_burst(queue, burst.data(), burst.size(), read)) {
      received += count;
      Turn turn(TurnLength::kMost);
      for (uint16_t i = 0; i < count; ++i) {
        require(!turn.over(), "a burst ends where the turn does");
        turn.add(burst[i]);
        bytes += burst[i]->pkt_len;
        parts.add(burst[i]);
        check_frame(burst[i], flags, pool);
      }
    }
    parts.check();
    require(received + queue.errors.get() >= 1 && queue.errors.get() <= 1, "the frame is there, or counted");
    require(received == 0 || bytes + 8 >= frame.size(), "none of it is lost");  // 8: a jumbo header
  }
  require(pool.available() == kMbufs, "no buffer is lost");
  return 0;
}
