#include "dataplane/gso/segment.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/tcp.h"
#include "dataplane/wire/udp.h"

namespace causeway {

namespace {

constexpr uint8_t kUdpChecksumOffset = offsetof(UdpHeader, checksum);

uint16_t negated(uint32_t sum) noexcept { return static_cast<uint16_t>(~fold(sum)); }

// Whether this thread may write into the first mbuf's data: no clone or second holder reads it.
bool is_writable(const rte_mbuf* m) noexcept { return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1; }

uint32_t room_bytes(rte_mempool* pool) noexcept { return rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM; }

// An mbuf that points at `bytes` of `from`'s data instead of its own; null when the pool is empty.
rte_mbuf* point_into(rte_mempool* pool, const rte_mbuf* from, uint32_t offset, uint32_t bytes) noexcept {
  rte_mbuf* piece = rte_pktmbuf_alloc(pool);
  if (piece == nullptr) return nullptr;
  rte_pktmbuf_attach(piece, const_cast<rte_mbuf*>(from));
  piece->data_off = static_cast<uint16_t>(from->data_off + offset);
  piece->data_len = static_cast<uint16_t>(bytes);
  return piece;
}

}  // namespace

void IpPatch::take(uint8_t* headers, uint16_t l3_offset, bool is_version4) noexcept {
  l3 = l3_offset;
  is_v4 = is_version4;
  if (!is_v4) {
    reinterpret_cast<Ipv6Header*>(headers + l3)->payload_bytes = be16{};
    return;
  }
  auto* ip = reinterpret_cast<Ipv4Header*>(headers + l3);
  id = ip->id.get();
  ip->total_bytes = ip->id = ip->checksum = be16{};
  sum = sum_bytes(ip, ip->header_bytes());
}

uint32_t IpPatch::write(uint8_t* headers, uint32_t frame_bytes, uint32_t index) const noexcept {
  if (is_v4) {
    auto* ip = reinterpret_cast<Ipv4Header*>(headers + l3);
    const be16 total(static_cast<uint16_t>(frame_bytes - l3));
    const be16 own_id(static_cast<uint16_t>(id + index));
    ip->total_bytes = total;
    ip->id = own_id;
    ip->checksum = checksum_of(sum + total.raw() + own_id.raw());
    return negated(sum);  // the whole sums to nothing
  }
  const be16 bytes(static_cast<uint16_t>(frame_bytes - l3 - sizeof(Ipv6Header)));
  reinterpret_cast<Ipv6Header*>(headers + l3)->payload_bytes = bytes;
  return bytes.raw();
}

void OuterPatch::take(uint8_t* headers, const TunnelLayout& tunnel, bool is_encaps, uint32_t end) noexcept {
  ip.take(headers, tunnel.l3, tunnel.is_v4);
  l4 = tunnel.l4;
  kind = tunnel.kind;
  sum = 0;
  checksum_at = 0;
  if (kind == TunnelLayout::L4::udp) {
    auto* udp = reinterpret_cast<UdpHeader*>(headers + l4);
    checksum_at = static_cast<uint16_t>(udp->checksum != be16{} ? l4 + kUdpChecksumOffset : 0);
    // Encap leaves a mark there, the sender's kernel the pseudo-header's sum (udp_set_csum): with routing headers
    // nobody else knows the address that counts.
    sum = is_encaps ? pseudo_header_sum_at(headers + ip.l3, kIpProtocolUdp, 0)
                    : uint32_t{udp->checksum.raw()} + negated(udp->length_bytes.raw());
    udp->length_bytes = udp->checksum = be16{};
  } else if (kind == TunnelLayout::L4::gre) {
    const bool wanted = reinterpret_cast<const GreHeader*>(headers + l4)->has_checksum();
    checksum_at = static_cast<uint16_t>(wanted ? l4 + GreHeader::checksum_offset() : 0);
    if (wanted) *reinterpret_cast<be16*>(headers + checksum_at) = be16{};
  }
  if (checksum_at != 0) sum = sum_bytes(headers + l4, end - l4, sum);
}

uint32_t OuterPatch::write(uint8_t* headers, uint32_t frame_bytes, uint32_t index, uint32_t rest) const noexcept {
  uint32_t written = ip.write(headers, frame_bytes, index);
  const be16 bytes(static_cast<uint16_t>(frame_bytes - l4));
  const bool is_udp = kind == TunnelLayout::L4::udp;
  if (is_udp) {
    reinterpret_cast<UdpHeader*>(headers + l4)->length_bytes = bytes;
    written += bytes.raw();
  }
  if (checksum_at == 0) return written;
  // The length counts twice: in the header and in the pseudo-header.
  const be16 checksum = is_udp ? udp_checksum_of(sum + 2U * bytes.raw() + rest) : checksum_of(sum + rest);
  *reinterpret_cast<be16*>(headers + checksum_at) = checksum;
  return written + checksum.raw();
}

void OuterPatch::write_whole(uint8_t* headers, uint32_t frame_bytes, uint32_t segment_bytes, uint32_t index,
                             uint32_t segment_rest) const noexcept {
  write(headers, segment_bytes, index, segment_rest);
  const be16 checksum = *reinterpret_cast<const be16*>(headers + checksum_at);
  write(headers, frame_bytes, index, 0);
  *reinterpret_cast<be16*>(headers + checksum_at) = checksum;
}

DropReason Segmenter::begin(rte_mbuf* frame, const TxCapabilities& caps, const SegmentBuffers& buffers) noexcept {
  frame_ = frame;
  buffers_ = buffers;
  linear_ = !caps.multi_segment;
  cutting_ = false;
  DropReason reason = DropReason::none;
  if (!has_intent(frame)) {
    reason = linear_ ? make_linear(buffers.headers) : DropReason::none;
  } else {
    intent_ = intent_of(frame);
    reason = (frame->ol_flags & kNeedsSegment) != 0 ? begin_cut(caps, buffers) : make_whole(buffers);
  }
  if (reason != DropReason::none) drop();
  return reason;
}

uint16_t Segmenter::next(rte_mbuf** out, uint16_t room, DropReason& reason) noexcept {
  if (frame_ == nullptr || room == 0) return 0;
  if (!cutting_) {
    out[0] = frame_;
    frame_ = nullptr;
    return 1;
  }
  const uint32_t segments = frames_left();
  const auto count = static_cast<uint16_t>(std::min<uint32_t>(room, segments));
  DropReason failed = DropReason::none;
  if (rte_pktmbuf_alloc_bulk(buffers_.headers, out, count) != 0) {
    failed = DropReason::mbuf_alloc;
  } else {
    for (uint16_t i = 0; i < count && failed == DropReason::none; ++i) failed = build(out[i]);
    if (failed != DropReason::none) rte_pktmbuf_free_bulk(out, count);
  }
  if (failed != DropReason::none) reason = failed;
  if (failed != DropReason::none || count == segments) drop();
  return failed == DropReason::none ? count : 0;
}

// A super-packet without payload still is one segment.
uint32_t Segmenter::frames_left() const noexcept {
  const uint32_t cut_here = payload_left_ - whole_bytes_;
  const uint32_t segments = (cut_here + intent_.gso_size - 1) / intent_.gso_size;
  return whole_bytes_ != 0 ? segments + 1 : std::max(1U, segments);
}

DropReason Segmenter::begin_cut(const TxCapabilities& caps, const SegmentBuffers& buffers) noexcept {
  const uint32_t frame_bytes = rte_pktmbuf_pkt_len(frame_);
  const uint32_t copied = std::min<uint32_t>(frame_bytes, kMaxHeaderBytes);
  // Headers may be spread over the chain: encap chains its own in front of a frame that it shares.
  const auto* read = static_cast<const uint8_t*>(rte_pktmbuf_read(frame_, 0, copied, headers_.data()));
  if (read == nullptr || intent_.gso_size == 0) return DropReason::segment_failed;
  layout_ = {};
  const HeaderBytes headers{read, copied};
  if (!find_outer(headers, intent_, layout_) || !find_inner(headers, intent_, frame_bytes, layout_)) {
    return DropReason::segment_failed;
  }
  if (read != headers_.data()) std::memcpy(headers_.data(), read, layout_.header_bytes);
  const uint32_t first_bytes = layout_.header_bytes + (linear_ ? intent_.gso_size : 0U);
  if (first_bytes > room_bytes(buffers.headers)) return DropReason::too_big;

  take_headers(frame_bytes);
  at_ = frame_;
  at_offset_ = layout_.header_bytes;
  payload_left_ = frame_bytes - layout_.header_bytes;
  payload_done_ = 0;
  index_ = 0;
  const auto cuts = static_cast<uint8_t>(1U << (static_cast<unsigned>(intent_.gso_type) & 7));
  const bool device_cuts = !linear_ && caps.has(intent_.outer(), cuts | TxCapabilities::kKeepsOuterChecksum) &&
                           intent_.outer_checksum != 0 && layout_.first_is_encaps && layout_.tunnel_count == 1 &&
                           tunnels_[0].checksum_at != 0;
  const uint32_t whole = payload_left_ / intent_.gso_size * intent_.gso_size;
  whole_bytes_ = device_cuts && whole > intent_.gso_size ? whole : 0;
  cutting_ = true;
  return DropReason::none;
}

// Takes out of headers_ what each segment has its own of, and sums the rest.
void Segmenter::take_headers(uint32_t frame_bytes) noexcept {
  uint8_t* const headers = headers_.data();
  inner_ip_.take(headers, layout_.inner_l3, layout_.inner_is_v4);
  // An IPv4 header sums to nothing.
  const uint16_t end = layout_.inner_is_v4 ? layout_.inner_l3 : layout_.l4;
  for (size_t i = layout_.tunnel_count; i-- > 0;) {
    tunnels_[i].take(headers, layout_.tunnels[i], i == 0 && layout_.first_is_encaps, end);
  }
  be16 partial;
  std::memcpy(&partial, headers + layout_.l4 + intent_.csum_offset, sizeof partial);
  pseudo_sum_ = fold(uint32_t{partial.raw()} + negated(be16(static_cast<uint16_t>(frame_bytes - layout_.l4)).raw()));
  if (layout_.is_tcp) {
    auto* tcp = reinterpret_cast<TcpHeader*>(headers + layout_.l4);
    sequence_ = tcp->sequence.get();
    tcp_flags_ = tcp->flags;
    tcp->sequence = be32{};
    tcp->flags = 0;
    tcp->checksum = be16{};
  } else {
    auto* udp = reinterpret_cast<UdpHeader*>(headers + layout_.l4);
    udp->length_bytes = udp->checksum = be16{};
  }
  l4_sum_ = sum_bytes(headers + layout_.l4, static_cast<size_t>(layout_.header_bytes - layout_.l4), pseudo_sum_);
}

DropReason Segmenter::build(rte_mbuf* segment) noexcept {
  const bool whole = whole_bytes_ != 0;
  const uint32_t bytes = whole ? whole_bytes_ : std::min<uint32_t>(payload_left_, intent_.gso_size);
  auto* headers = rte_pktmbuf_mtod(segment, uint8_t*);
  std::memcpy(headers, headers_.data(), layout_.header_bytes);
  segment->data_len = layout_.header_bytes;
  segment->pkt_len = layout_.header_bytes + bytes;
  uint32_t payload_sum = 0;
  const DropReason reason = append_payload(segment, bytes, whole ? nullptr : &payload_sum);
  if (reason != DropReason::none) return reason;
  payload_left_ -= bytes;
  if (whole) {
    patch_whole(headers, bytes);
    Intent intent = intent_;
    intent.outer_checksum = 0;
    set_intent(segment, intent, kNeedsChecksum | kNeedsSegment);
    index_ += bytes / intent_.gso_size;
    whole_bytes_ = 0;
  } else {
    patch(headers, bytes, payload_sum);
    ++index_;
  }
  payload_done_ += bytes;
  return DropReason::none;
}

// The next `bytes` of payload go behind the segment's headers: copied where the port takes no chains,
// else as mbufs that point into the super-packet. `sum`: of these bytes; null: nobody wants it.
DropReason Segmenter::append_payload(rte_mbuf* segment, uint32_t bytes, uint32_t* sum) noexcept {
  rte_mbuf* tail = segment;
  bool odd = false;
  while (bytes != 0) {
    if (at_ == nullptr) return DropReason::segment_failed;  // the chain is shorter than its pkt_len
    const uint32_t length = rte_pktmbuf_data_len(at_);
    if (at_offset_ >= length) {
      at_offset_ -= length;
      give_back_references();
      at_ = at_->next;
      continue;
    }
    const uint32_t part = std::min(bytes, length - at_offset_);
    const auto* from = rte_pktmbuf_mtod_offset(at_, const uint8_t*, at_offset_);
    if (linear_) {
      std::memcpy(rte_pktmbuf_mtod_offset(segment, uint8_t*, segment->data_len), from, part);
      segment->data_len = static_cast<uint16_t>(segment->data_len + part);
    } else {
      rte_mbuf* piece = next_piece(part, bytes, length - at_offset_);
      if (piece == nullptr) return DropReason::mbuf_alloc;
      tail->next = piece;
      tail = piece;
      ++segment->nb_segs;
    }
    if (sum != nullptr) {
      const uint32_t part_sum = sum_bytes(from, part);
      *sum += odd ? odd_sum(part_sum) : part_sum;
      odd ^= (part & 1) != 0;
    }
    at_offset_ += part;
    bytes -= part;
  }
  return DropReason::none;
}

// A piece of payload, `part` bytes from where we are: rte_pktmbuf_attach() for many. Mbufs come by the dozen, and an
// mbuf's references are counted once for all pieces of it, since atomic additions cost more than all the rest.
rte_mbuf* Segmenter::next_piece(uint32_t part, uint32_t segment_left, uint32_t mbuf_left) noexcept {
  if (RTE_MBUF_HAS_EXTBUF(at_)) return point_into(buffers_.payload, at_, at_offset_, part);
  if (pieces_left_ == 0) {
    void** const room = reinterpret_cast<void**>(pieces_.data());
    uint16_t count = pieces_.size();
    if (rte_mempool_get_bulk(buffers_.payload, room, count) != 0) count = 1;
    if (count == 1 && rte_mempool_get(buffers_.payload, room) != 0) return nullptr;
    pieces_left_ = count;
  }
  rte_mbuf* const direct =
      RTE_MBUF_CLONED(at_) ? rte_mbuf_from_indirect(const_cast<rte_mbuf*>(at_)) : const_cast<rte_mbuf*>(at_);
  if (references_ == 0) {
    const uint32_t behind = mbuf_left > segment_left ? mbuf_left - segment_left : 0;
    references_ = 1 + std::min((behind + intent_.gso_size - 1U) / intent_.gso_size, 1000U);
    rte_mbuf_refcnt_update(direct, static_cast<int16_t>(references_));
  }
  --references_;
  rte_mbuf* const piece = pieces_[--pieces_left_];
  piece->priv_size = at_->priv_size;
  piece->buf_addr = at_->buf_addr;
  rte_mbuf_iova_set(piece, rte_mbuf_iova_get(at_));
  piece->buf_len = at_->buf_len;
  piece->ol_flags = RTE_MBUF_F_INDIRECT;
  piece->data_off = static_cast<uint16_t>(at_->data_off + at_offset_);
  piece->data_len = static_cast<uint16_t>(part);
  piece->pkt_len = part;
  return piece;
}

// Those that no piece has needed: the chain was longer than its frame, or pieces ran out.
void Segmenter::give_back_references() noexcept {
  if (references_ == 0) return;
  auto* const m = const_cast<rte_mbuf*>(at_);
  rte_mbuf_refcnt_update(RTE_MBUF_CLONED(m) ? rte_mbuf_from_indirect(m) : m,
                         static_cast<int16_t>(-static_cast<int>(references_)));
  references_ = 0;
}

void Segmenter::patch(uint8_t* headers, uint32_t payload_bytes, uint32_t payload_sum) const noexcept {
  const uint32_t frame_bytes = layout_.header_bytes + payload_bytes;
  const be16 l4_bytes(static_cast<uint16_t>(frame_bytes - layout_.l4));
  inner_ip_.write(headers, frame_bytes, index_);

  const uint64_t sum = uint64_t{l4_sum_} + l4_bytes.raw() + payload_sum;
  if (layout_.is_tcp) {
    patch_tcp(headers);
    auto* tcp = reinterpret_cast<TcpHeader*>(headers + layout_.l4);
    tcp->checksum = checksum_of(fold(sum + tcp->sequence.raw() + be16(tcp->flags).raw()));
  } else {
    auto* udp = reinterpret_cast<UdpHeader*>(headers + layout_.l4);
    udp->length_bytes = l4_bytes;
    udp->checksum = udp_checksum_of(fold(sum + l4_bytes.raw()));
  }
  if (layout_.tunnel_count == 0) return;
  uint32_t rest = sum_from_inner(frame_bytes);
  for (size_t i = layout_.tunnel_count; i-- > 0;) rest += tunnels_[i].write(headers, frame_bytes, index_, rest);
}

void Segmenter::patch_tcp(uint8_t* headers) const noexcept {
  auto* tcp = reinterpret_cast<TcpHeader*>(headers + layout_.l4);
  uint8_t flags = tcp_flags_;
  if (payload_left_ != 0) flags &= static_cast<uint8_t>(~(kTcpFin | kTcpPsh));
  if (index_ != 0) flags &= static_cast<uint8_t>(~kTcpCwr);  // RFC 3168 section 6.1.2: once
  tcp->sequence = be32(sequence_ + payload_done_);
  tcp->flags = flags;
}

// Of a frame from its innermost IP header on, but for what take() has summed. From the L4 header to the end everything,
// its checksum included, sums to the complement of its pseudo-header's.
uint32_t Segmenter::sum_from_inner(uint32_t frame_bytes) const noexcept {
  const uint32_t rest = negated(pseudo_sum_ + be16(static_cast<uint16_t>(frame_bytes - layout_.l4)).raw());
  if (layout_.inner_is_v4) return rest;
  return rest + be16(static_cast<uint16_t>(frame_bytes - layout_.inner_l3 - sizeof(Ipv6Header))).raw();
}

// Of what the device cuts: an Intent's checksum field holds the pseudo-header's sum (dataplane/frame/intent.h).
void Segmenter::patch_whole(uint8_t* headers, uint32_t payload_bytes) const noexcept {
  const uint32_t frame_bytes = layout_.header_bytes + payload_bytes;
  const be16 l4_bytes(static_cast<uint16_t>(frame_bytes - layout_.l4));
  inner_ip_.write(headers, frame_bytes, index_);
  const be16 partial = be16::from_raw(fold(pseudo_sum_ + l4_bytes.raw()));
  if (layout_.is_tcp) {
    patch_tcp(headers);
    reinterpret_cast<TcpHeader*>(headers + layout_.l4)->checksum = partial;
  } else {
    auto* udp = reinterpret_cast<UdpHeader*>(headers + layout_.l4);
    udp->length_bytes = l4_bytes;
    udp->checksum = partial;
  }
  const uint32_t segment_bytes = layout_.header_bytes + uint32_t{intent_.gso_size};
  tunnels_[0].write_whole(headers, frame_bytes, segment_bytes, index_, sum_from_inner(segment_bytes));
}

// Completes the checksum of a frame that needs no cutting.
DropReason Segmenter::make_whole(const SegmentBuffers& buffers) noexcept {
  const uint32_t field = uint32_t{intent_.csum_start} + intent_.csum_offset;
  const uint32_t header_bytes = field + static_cast<uint32_t>(sizeof(be16));
  const uint32_t frame_bytes = rte_pktmbuf_pkt_len(frame_);
  if (header_bytes > frame_bytes || intent_.csum_start < intent_.tunnel_bytes) return DropReason::segment_failed;
  DropReason reason = linear_ ? make_linear(buffers.headers) : DropReason::none;
  if (reason == DropReason::none) reason = own_headers(header_bytes, buffers);
  if (reason != DropReason::none) return reason;

  auto* headers = rte_pktmbuf_mtod(frame_, uint8_t*);
  layout_ = {};
  if (!find_outer({headers, header_bytes}, intent_, layout_)) return DropReason::segment_failed;
  // Sums of what lies in front don't add up across an odd offset, and no L4 header stands at one.
  const TunnelLayout& outer = layout_.tunnels[0];
  if (layout_.tunnel_count != 0 && ((intent_.csum_start - outer.l4) & 1) != 0) return DropReason::segment_failed;
  be16 checksum;
  std::memcpy(&checksum, headers + field, sizeof checksum);
  const uint32_t pseudo_sum = checksum.raw();
  const uint32_t sum = sum_chain(frame_, intent_.csum_start, frame_bytes - intent_.csum_start);
  checksum = intent_.csum_offset == kUdpChecksumOffset ? udp_checksum_of(sum) : checksum_of(sum);
  std::memcpy(headers + field, &checksum, sizeof checksum);
  if (layout_.tunnel_count != 0) {
    tunnels_[0].take(headers, outer, true, intent_.csum_start);
    tunnels_[0].write(headers, frame_bytes, 0, negated(pseudo_sum));
  }
  clear_intent(frame_);
  return DropReason::none;
}

// Puts frame_ into one mbuf.
DropReason Segmenter::make_linear(rte_mempool* pool) noexcept {
  if (frame_->nb_segs == 1) return DropReason::none;
  if (is_writable(frame_) && rte_pktmbuf_linearize(frame_) == 0) return DropReason::none;
  if (rte_pktmbuf_pkt_len(frame_) > room_bytes(pool)) return DropReason::too_big;
  rte_mbuf* copy = rte_pktmbuf_copy(frame_, pool, 0, UINT32_MAX);
  if (copy == nullptr) return DropReason::mbuf_alloc;
  rte_pktmbuf_free(frame_);
  frame_ = copy;
  return DropReason::none;
}

// Makes the first `header_bytes` of frame_ contiguous and ours to write, without copying the payload.
DropReason Segmenter::own_headers(uint32_t header_bytes, const SegmentBuffers& buffers) noexcept {
  if (is_writable(frame_) && header_bytes <= rte_pktmbuf_data_len(frame_)) return DropReason::none;
  const uint32_t frame_bytes = rte_pktmbuf_pkt_len(frame_);
  // A linear frame is copied whole, since pointing at its payload would make a chain of it.
  const uint32_t copied = linear_ ? frame_bytes : header_bytes;
  if (copied > room_bytes(buffers.headers)) return DropReason::too_big;
  rte_mbuf* head = rte_pktmbuf_alloc(buffers.headers);
  if (head == nullptr) return DropReason::mbuf_alloc;
  auto* headers = rte_pktmbuf_mtod(head, uint8_t*);
  const auto* read = static_cast<const uint8_t*>(rte_pktmbuf_read(frame_, 0, copied, headers));
  if (read != nullptr && read != headers) std::memcpy(headers, read, copied);
  head->data_len = static_cast<uint16_t>(copied);
  head->pkt_len = frame_bytes;

  DropReason reason = read == nullptr ? DropReason::segment_failed : DropReason::none;
  rte_mbuf* tail = head;
  uint32_t skip = copied;
  for (const rte_mbuf* m = frame_; m != nullptr && reason == DropReason::none; m = m->next) {
    const uint32_t length = rte_pktmbuf_data_len(m);
    if (skip < length) {
      tail->next = point_into(buffers.payload, m, skip, length - skip);
      reason = tail->next == nullptr ? DropReason::mbuf_alloc : reason;
      tail = tail->next;
      head->nb_segs = static_cast<uint16_t>(head->nb_segs + (tail != nullptr));
    }
    skip -= std::min(skip, length);
  }
  rte_pktmbuf_free(reason == DropReason::none ? frame_ : head);
  if (reason == DropReason::none) frame_ = head;
  return reason;
}

void Segmenter::drop() noexcept {
  give_back_references();
  if (pieces_left_ != 0) rte_mempool_put_bulk(buffers_.payload, reinterpret_cast<void**>(pieces_.data()), pieces_left_);
  pieces_left_ = 0;
  if (frame_ != nullptr) rte_pktmbuf_free(frame_);
  frame_ = nullptr;
}

}  // namespace causeway
