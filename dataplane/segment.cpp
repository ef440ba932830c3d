#include "dataplane/segment.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/tcp.h"
#include "dataplane/wire/udp.h"
#include "dataplane/wire/vlan.h"

namespace causeway {

namespace {

constexpr uint8_t kTcpChecksumOffset = offsetof(TcpHeader, checksum);
constexpr uint8_t kUdpChecksumOffset = offsetof(UdpHeader, checksum);

uint16_t negated(uint32_t sum) noexcept { return static_cast<uint16_t>(~fold(sum)); }

// A frame's headers, copied or in place, read within their bounds.
struct Headers {
  const uint8_t* bytes;
  uint32_t count;

  template <class Header>
  const Header* at(uint32_t offset) const noexcept {
    static_assert(alignof(Header) == 1);
    return offset + sizeof(Header) <= count ? reinterpret_cast<const Header*>(bytes + offset) : nullptr;
  }
};

struct NetworkHeader {
  uint32_t l3 = 0;
  uint32_t l4 = 0;  // 0: not IP, or cut off
  uint8_t protocol = 0;
  bool is_v4 = false;
};

// Over hop-by-hop, routing and destination options (RFC 8200 section 4.1) to the L4 header.
void skip_extension_headers(Headers headers, NetworkHeader& ip) noexcept {
  struct Extension {
    uint8_t next_header;
    uint8_t length_units;  // of 8 bytes behind the first 8
  };
  while (ip.protocol == kIpv6HopByHop || ip.protocol == kIpv6Routing || ip.protocol == kIpv6DestinationOptions) {
    const auto* extension = headers.at<Extension>(ip.l4);
    if (extension == nullptr) {
      ip.l4 = 0;
      return;
    }
    ip.protocol = extension->next_header;
    ip.l4 += 8U + extension->length_units * 8U;
  }
}

// The IP header behind the Ethernet header at `offset`, VLAN tags skipped.
NetworkHeader find_ip(Headers headers, uint32_t offset) noexcept {
  const auto* ethernet = headers.at<EthernetHeader>(offset);
  if (ethernet == nullptr) return {};
  NetworkHeader found;
  found.l3 = offset + sizeof(EthernetHeader);
  uint16_t ethertype = ethernet->ethertype.get();
  while (is_vlan_ethertype(ethertype)) {
    const auto* vlan = headers.at<VlanHeader>(found.l3);
    if (vlan == nullptr) return {};
    ethertype = vlan->ethertype.get();
    found.l3 += sizeof(VlanHeader);
  }
  if (ethertype == kEtherTypeIpv4) {
    const auto* ip = headers.at<Ipv4Header>(found.l3);
    if (ip == nullptr || ip->version() != 4 || ip->header_bytes() < sizeof(Ipv4Header) || ip->is_fragment()) return {};
    found.is_v4 = true;
    found.protocol = ip->protocol;
    found.l4 = found.l3 + ip->header_bytes();
  } else if (ethertype == kEtherTypeIpv6) {
    const auto* ip = headers.at<Ipv6Header>(found.l3);
    if (ip == nullptr || ip->version() != 6) return {};
    found.protocol = ip->next_header;
    found.l4 = found.l3 + static_cast<uint32_t>(sizeof(Ipv6Header));
    skip_extension_headers(headers, found);
  }
  return found;
}

bool find_outer(Headers headers, const Intent& intent, SegmentLayout& layout) noexcept {
  if (intent.tunnel_bytes == 0) return true;
  headers.count = std::min<uint32_t>(headers.count, intent.tunnel_bytes);
  const NetworkHeader ip = find_ip(headers, 0);
  if (ip.l4 == 0) return false;
  layout.outer_l3 = static_cast<uint16_t>(ip.l3);
  layout.outer_l4 = static_cast<uint16_t>(ip.l4);
  layout.outer_is_v4 = ip.is_v4;
  layout.outer_is_udp = ip.protocol == kIpProtocolUdp;
  if (layout.outer_is_udp) return headers.at<UdpHeader>(ip.l4) != nullptr;
  const auto* gre = ip.protocol == kIpProtocolGre ? headers.at<GreHeader>(ip.l4) : nullptr;
  return gre != nullptr && ip.l4 + gre->header_bytes() <= headers.count;
}

// The super-packet's IP and L4 header, against what its Intent says and `frame_bytes`.
bool find_inner(Headers headers, const Intent& intent, uint32_t frame_bytes, SegmentLayout& layout) noexcept {
  const NetworkHeader ip = find_ip(headers, intent.tunnel_bytes);
  if (ip.l4 == 0 || ip.l4 != intent.csum_start) return false;
  const bool tcp = intent.gso_type == GsoType::tcp4 || intent.gso_type == GsoType::tcp6;
  const bool v4 = intent.gso_type == GsoType::tcp4 || intent.gso_type == GsoType::udp4;
  if (ip.is_v4 != v4 || ip.protocol != (tcp ? kIpProtocolTcp : kIpProtocolUdp)) return false;
  if (intent.csum_offset != (tcp ? kTcpChecksumOffset : kUdpChecksumOffset)) return false;
  const uint32_t ip_bytes = v4 ? headers.at<Ipv4Header>(ip.l3)->total_bytes.get()
                               : headers.at<Ipv6Header>(ip.l3)->payload_bytes.get() + sizeof(Ipv6Header);
  if (ip.l3 + ip_bytes != frame_bytes) return false;  // padding must not become payload
  uint32_t l4_header_bytes = sizeof(UdpHeader);
  if (tcp) {
    const auto* header = headers.at<TcpHeader>(ip.l4);
    if (header == nullptr || header->header_bytes() < sizeof(TcpHeader)) return false;
    l4_header_bytes = header->header_bytes();
  }
  if (ip.l4 + l4_header_bytes > headers.count) return false;
  layout.inner_l3 = static_cast<uint16_t>(ip.l3);
  layout.l4 = static_cast<uint16_t>(ip.l4);
  layout.header_bytes = static_cast<uint16_t>(ip.l4 + l4_header_bytes);
  layout.inner_is_v4 = v4;
  layout.is_tcp = tcp;
  return true;
}

// Lengths, id and header checksum of the IP header at `l3` of a frame of `frame_bytes`. Each segment takes
// an id of its own, DF or not, as Linux does (net/ipv4/af_inet.c, inet_gso_segment).
void patch_ip(uint8_t* headers, uint16_t l3, bool is_v4, uint32_t frame_bytes, uint32_t index) noexcept {
  if (is_v4) {
    auto* ip = reinterpret_cast<Ipv4Header*>(headers + l3);
    ip->total_bytes.set(static_cast<uint16_t>(frame_bytes - l3));
    ip->id.set(static_cast<uint16_t>(ip->id.get() + index));
    ip->checksum = ipv4_checksum(*ip);
  } else {
    auto* ip = reinterpret_cast<Ipv6Header*>(headers + l3);
    ip->payload_bytes.set(static_cast<uint16_t>(frame_bytes - l3 - sizeof(Ipv6Header)));
  }
}

// Outer lengths and checksums. The inner headers are final, and everything from `l4` to the frame's end
// sums, its checksum included, to the complement of its pseudo-header's: no need to read it again.
void patch_outer(uint8_t* headers, const SegmentLayout& layout, uint16_t l4, uint32_t l4_pseudo_sum,
                 uint32_t frame_bytes, uint32_t index) noexcept {
  patch_ip(headers, layout.outer_l3, layout.outer_is_v4, frame_bytes, index);
  const auto sum_behind_ip = [&] {
    return sum_bytes(headers + layout.outer_l4, l4 - layout.outer_l4, negated(l4_pseudo_sum));
  };
  if (layout.outer_is_udp) {
    auto* udp = reinterpret_cast<UdpHeader*>(headers + layout.outer_l4);
    const uint32_t udp_bytes = frame_bytes - layout.outer_l4;
    udp->length_bytes.set(static_cast<uint16_t>(udp_bytes));
    if (udp->checksum == be16{}) return;
    udp->checksum = be16{};
    const uint8_t* ip = headers + layout.outer_l3;
    const uint32_t pseudo_sum =
        layout.outer_is_v4 ? pseudo_header_sum(*reinterpret_cast<const Ipv4Header*>(ip), kIpProtocolUdp, udp_bytes)
                           : pseudo_header_sum(*reinterpret_cast<const Ipv6Header*>(ip), kIpProtocolUdp, udp_bytes);
    udp->checksum = udp_checksum_of(pseudo_sum + sum_behind_ip());
  } else if (reinterpret_cast<const GreHeader*>(headers + layout.outer_l4)->has_checksum()) {
    auto* checksum = reinterpret_cast<be16*>(headers + layout.outer_l4 + GreHeader::checksum_offset());
    *checksum = be16{};
    *checksum = checksum_of(sum_behind_ip());
  }
}

// Whether this thread may write into the first mbuf's data: no clone or second holder reads it.
bool is_writable(const rte_mbuf* m) noexcept { return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1; }

uint32_t room_bytes(rte_mempool* pool) noexcept { return rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM; }

// What a new first mbuf takes from the frame's old one; the Intent stays behind.
void copy_metadata(rte_mbuf* to, const rte_mbuf* from) noexcept {
  to->port = from->port;
  to->ol_flags = from->ol_flags & ~(kIntentFlags | RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL);
  to->vlan_tci = from->vlan_tci;
  to->hash = from->hash;
  rte_mbuf_dynfield_copy(to, from);
}

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
    reason = (frame->ol_flags & kNeedsSegment) != 0 ? begin_cut(buffers) : make_whole(buffers);
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
  // A super-packet without payload still is one segment.
  const uint32_t segments = std::max(1U, (payload_left_ + intent_.gso_size - 1) / intent_.gso_size);
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

DropReason Segmenter::begin_cut(const SegmentBuffers& buffers) noexcept {
  const uint32_t frame_bytes = rte_pktmbuf_pkt_len(frame_);
  const uint32_t copied = std::min<uint32_t>(frame_bytes, kMaxHeaderBytes);
  // Headers may be spread over the chain: encap chains its own in front of a frame that it shares.
  const auto* read = static_cast<const uint8_t*>(rte_pktmbuf_read(frame_, 0, copied, headers_.data()));
  if (read == nullptr || intent_.gso_size == 0) return DropReason::segment_failed;
  layout_ = {};
  const Headers headers{read, copied};
  if (!find_outer(headers, intent_, layout_) || !find_inner(headers, intent_, frame_bytes, layout_)) {
    return DropReason::segment_failed;
  }
  if (read != headers_.data()) std::memcpy(headers_.data(), read, layout_.header_bytes);
  const uint32_t first_bytes = layout_.header_bytes + (linear_ ? intent_.gso_size : 0U);
  if (first_bytes > room_bytes(buffers.headers)) return DropReason::too_big;

  be16 partial;
  std::memcpy(&partial, headers_.data() + layout_.l4 + intent_.csum_offset, sizeof partial);
  pseudo_sum_ = partial.raw() + negated(fold(be32(frame_bytes - layout_.l4).raw()));
  at_ = frame_;
  at_offset_ = layout_.header_bytes;
  payload_left_ = frame_bytes - layout_.header_bytes;
  payload_done_ = 0;
  index_ = 0;
  cutting_ = true;
  return DropReason::none;
}

DropReason Segmenter::build(rte_mbuf* segment) noexcept {
  const uint32_t bytes = std::min<uint32_t>(payload_left_, intent_.gso_size);
  auto* headers = rte_pktmbuf_mtod(segment, uint8_t*);
  std::memcpy(headers, headers_.data(), layout_.header_bytes);
  copy_metadata(segment, frame_);
  segment->data_len = layout_.header_bytes;
  segment->pkt_len = layout_.header_bytes + bytes;
  uint32_t payload_sum = 0;
  const DropReason reason = append_payload(segment, bytes, payload_sum);
  if (reason != DropReason::none) return reason;
  payload_left_ -= bytes;
  patch(headers, bytes, payload_sum);
  payload_done_ += bytes;
  ++index_;
  return DropReason::none;
}

// The next `bytes` of payload go behind the segment's headers: copied where the port takes no chains,
// else as mbufs that point into the super-packet.
DropReason Segmenter::append_payload(rte_mbuf* segment, uint32_t bytes, uint32_t& sum) noexcept {
  rte_mbuf* tail = segment;
  bool odd = false;
  while (bytes != 0) {
    if (at_ == nullptr) return DropReason::segment_failed;  // the chain is shorter than its pkt_len
    const uint32_t length = rte_pktmbuf_data_len(at_);
    if (at_offset_ >= length) {
      at_offset_ -= length;
      at_ = at_->next;
      continue;
    }
    const uint32_t part = std::min(bytes, length - at_offset_);
    const auto* from = rte_pktmbuf_mtod_offset(at_, const uint8_t*, at_offset_);
    if (linear_) {
      std::memcpy(rte_pktmbuf_mtod_offset(segment, uint8_t*, segment->data_len), from, part);
      segment->data_len = static_cast<uint16_t>(segment->data_len + part);
    } else {
      rte_mbuf* piece = point_into(buffers_.payload, at_, at_offset_, part);
      if (piece == nullptr) return DropReason::mbuf_alloc;
      tail->next = piece;
      tail = piece;
      ++segment->nb_segs;
    }
    const uint32_t part_sum = sum_bytes(from, part);
    sum += odd ? odd_sum(part_sum) : part_sum;
    odd ^= (part & 1) != 0;
    at_offset_ += part;
    bytes -= part;
  }
  return DropReason::none;
}

void Segmenter::patch(uint8_t* headers, uint32_t payload_bytes, uint32_t payload_sum) const noexcept {
  const uint32_t frame_bytes = layout_.header_bytes + payload_bytes;
  const uint32_t l4_bytes = frame_bytes - layout_.l4;
  patch_ip(headers, layout_.inner_l3, layout_.inner_is_v4, frame_bytes, index_);

  const uint32_t pseudo_sum = fold(pseudo_sum_ + fold(be32(l4_bytes).raw()));
  if (layout_.is_tcp) {
    auto* tcp = reinterpret_cast<TcpHeader*>(headers + layout_.l4);
    tcp->sequence.set(tcp->sequence.get() + payload_done_);
    if (payload_left_ != 0) tcp->flags &= static_cast<uint8_t>(~(kTcpFin | kTcpPsh));
    if (index_ != 0) tcp->flags &= static_cast<uint8_t>(~kTcpCwr);  // RFC 3168 section 6.1.2: once
    tcp->checksum = be16{};
    tcp->checksum = checksum_of(sum_bytes(tcp, static_cast<size_t>(layout_.header_bytes - layout_.l4), pseudo_sum) +
                                fold(payload_sum));
  } else {
    auto* udp = reinterpret_cast<UdpHeader*>(headers + layout_.l4);
    udp->length_bytes.set(static_cast<uint16_t>(l4_bytes));
    udp->checksum = be16{};
    udp->checksum = udp_checksum_of(sum_header(*udp) + pseudo_sum + fold(payload_sum));
  }
  if (layout_.outer_l3 != 0) patch_outer(headers, layout_, layout_.l4, pseudo_sum, frame_bytes, index_);
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
  if (layout_.outer_l3 != 0 && ((intent_.csum_start - layout_.outer_l4) & 1) != 0) return DropReason::segment_failed;
  be16 checksum;
  std::memcpy(&checksum, headers + field, sizeof checksum);
  const uint32_t pseudo_sum = checksum.raw();
  const uint32_t sum = sum_chain(frame_, intent_.csum_start, frame_bytes - intent_.csum_start);
  checksum = intent_.csum_offset == kUdpChecksumOffset ? udp_checksum_of(sum) : checksum_of(sum);
  std::memcpy(headers + field, &checksum, sizeof checksum);
  if (layout_.outer_l3 != 0) patch_outer(headers, layout_, intent_.csum_start, pseudo_sum, frame_bytes, 0);
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
  copy_metadata(head, frame_);
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
  if (frame_ != nullptr) rte_pktmbuf_free(frame_);
  frame_ = nullptr;
}

}  // namespace causeway
