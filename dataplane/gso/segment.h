// The last stage before a port that can't do what a frame's Intent asks: completes the checksum, cuts the
// super-packet into segments, or puts a chain of mbufs into one. Checksums leave here complete.
//
// A device that cuts inside of a tunnel but can't fill the outer UDP checksum (TxCapabilities::kKeepsOuterChecksum)
// gets all segments but a shorter last one as one frame, still to be cut: it is the same in all of them, since from the
// inner IP header on each sums to what the headers say (RFC 1071; Linux calls it GSO_PARTIAL).
//
// The outer UDP checksum of a tunnelled super-packet is wanted if its field is not zero: encap
// writes kOuterChecksumWanted there, and here it becomes the real one, per segment. Zero stays zero.
// A GRE checksum is filled where the C flag stands. The same holds for tunnels of the sender's own (segment_layout.h),
// but that its kernel leaves the pseudo-header's sum in a wanted UDP checksum. (Any other frame gets its outer checksum
// in encap: it doesn't come here for that.)
//
// Each worker has its own Segmenter and uses it for one frame at a time:
//
//   if (!port_takes(frame, caps)) {
//     reason = segmenter.begin(frame, caps, buffers);        // the frame is the segmenter's now
//     while (segmenter.pending()) {
//       count += segmenter.next(out + count, room - count, reason);
//       if (count == room) flush();
//     }
//     if (reason != DropReason::none) count a drop;
//   }
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "dataplane/drop_reason.h"
#include "dataplane/frame/intent.h"
#include "dataplane/gso/segment_layout.h"
#include "dataplane/port_io.h"
#include "dataplane/wire/big_endian.h"

namespace causeway {

inline constexpr be16 kOuterChecksumWanted{0xffff};

// Whether the port can do all that the frame wants, so that it needs no Segmenter.
inline bool port_takes(const rte_mbuf* m, const TxCapabilities& caps) noexcept {
  if (m->nb_segs > 1 && !caps.multi_segment) return false;
  if (!has_intent(m)) return true;
  const Intent intent = intent_of(m);
  if ((m->ol_flags & kNeedsSegment) == 0) return caps.has(intent.outer(), TxCapabilities::kChecksum);
  const unsigned outer_sum = intent.outer_checksum != 0 ? TxCapabilities::kOuterChecksum : 0U;
  return caps.has(intent.outer(), static_cast<uint8_t>(1U << (static_cast<unsigned>(intent.gso_type) & 7) | outer_sum));
}

// Where new mbufs come from; both outlive the frames. `payload` mbufs only point into the super-packet and
// need no data room; the two pools may be one.
struct SegmentBuffers {
  rte_mempool* headers = nullptr;
  rte_mempool* payload = nullptr;
};

// The IP header of every segment of a super-packet: its lengths, ids and checksum, without summing it again.
struct IpPatch {
  uint16_t l3 = 0;
  uint16_t id = 0;
  bool is_v4 = false;
  uint32_t sum = 0;  // IPv4: of what is the same in all segments

  // Takes the fields out of the header at `l3`, which leaves them 0.
  void take(uint8_t* headers, uint16_t l3_offset, bool is_version4) noexcept;
  // Each segment takes an id of its own, DF or not, as Linux does (net/ipv4/af_inet.c, inet_gso_segment). Returns the
  // sum of what was written.
  uint32_t write(uint8_t* headers, uint32_t frame_bytes, uint32_t index) const noexcept;
};

// The same for a tunnel's IP header, and for UDP or GRE if that is behind it.
struct OuterPatch {
  IpPatch ip;
  uint16_t l4 = 0;
  uint16_t checksum_at = 0;  // 0: none is wanted
  TunnelLayout::L4 kind = TunnelLayout::L4::none;
  uint32_t sum = 0;  // from there to `end`

  // `is_encaps`: encap has written it.
  void take(uint8_t* headers, const TunnelLayout& tunnel, bool is_encaps, uint32_t end) noexcept;
  // `rest`: the sum of the frame from `end` on, and of what has changed in front of it.
  uint32_t write(uint8_t* headers, uint32_t frame_bytes, uint32_t index, uint32_t rest) const noexcept;
  // Of a frame that will be cut into some of `segment_bytes`: its own lengths, their checksum.
  void write_whole(uint8_t* headers, uint32_t frame_bytes, uint32_t segment_bytes, uint32_t index,
                   uint32_t segment_rest) const noexcept;
};

// One worker's. No allocation but from the mempools.
class Segmenter {
 public:
  static constexpr uint16_t kMaxHeaderBytes = 512;

  Segmenter() = default;
  Segmenter(const Segmenter&) = delete;
  Segmenter& operator=(const Segmenter&) = delete;
  ~Segmenter() { drop(); }

  // Takes the frame over; only when nothing is pending. Anything but `none` means that it was freed:
  // segment_failed, mbuf_alloc, or too_big (one mbuf can't hold it and the port takes no chains).
  DropReason begin(rte_mbuf* frame, const TxCapabilities& caps, const SegmentBuffers& buffers) noexcept;

  // Something is left to fetch.
  bool pending() const noexcept { return frame_ != nullptr; }

  // Writes up to `room` finished frames to `out`, in order, and returns how many; they are the caller's.
  // Sets `reason` only when the rest of the super-packet had to be dropped; then nothing is pending.
  uint16_t next(rte_mbuf** out, uint16_t room, DropReason& reason) noexcept;

 private:
  DropReason begin_cut(const TxCapabilities& caps, const SegmentBuffers& buffers) noexcept;
  DropReason make_whole(const SegmentBuffers& buffers) noexcept;
  DropReason make_linear(rte_mempool* pool) noexcept;
  DropReason own_headers(uint32_t header_bytes, const SegmentBuffers& buffers) noexcept;
  void take_headers(uint32_t frame_bytes) noexcept;
  rte_mbuf* next_piece(uint32_t part, uint32_t segment_left, uint32_t mbuf_left) noexcept;
  void give_back_references() noexcept;
  DropReason build(rte_mbuf* segment) noexcept;
  DropReason append_payload(rte_mbuf* segment, uint32_t bytes, uint32_t* sum) noexcept;
  uint32_t frames_left() const noexcept;
  void patch(uint8_t* headers, uint32_t payload_bytes, uint32_t payload_sum) const noexcept;
  void patch_whole(uint8_t* headers, uint32_t payload_bytes) const noexcept;
  void patch_tcp(uint8_t* headers) const noexcept;
  uint32_t sum_from_inner(uint32_t frame_bytes) const noexcept;
  void drop() noexcept;

  rte_mbuf* frame_ = nullptr;
  SegmentBuffers buffers_{};
  Intent intent_{};
  bool cutting_ = false;  // else frame_ is what next() hands out
  bool linear_ = false;   // the port takes no chains
  // Of the super-packet being cut:
  const rte_mbuf* at_ = nullptr;  // the payload not handed out yet starts here,
  uint32_t at_offset_ = 0;        // so many bytes in
  uint32_t references_ = 0;       // to that mbuf, counted for pieces that are still to come
  uint32_t payload_left_ = 0;
  uint32_t payload_done_ = 0;
  uint32_t whole_bytes_ = 0;  // of payload, in front, that the device cuts; 0: none
  uint32_t index_ = 0;        // of the next segment
  uint32_t pseudo_sum_ = 0;   // of the L4 pseudo-header, its length taken out
  uint32_t l4_sum_ = 0;       // that, and what is the same in every segment's L4 header
  uint32_t sequence_ = 0;
  uint8_t tcp_flags_ = 0;
  uint16_t pieces_left_ = 0;  // of pieces_
  IpPatch inner_ip_;
  std::array<OuterPatch, kMaxTunnels> tunnels_;  // as in layout_
  SegmentLayout layout_{};
  std::array<rte_mbuf*, 32> pieces_;              // raw, for payload
  std::array<uint8_t, kMaxHeaderBytes> headers_;  // the super-packet's own, without what differs per segment
};

}  // namespace causeway
