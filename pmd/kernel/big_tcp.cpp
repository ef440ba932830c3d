#include "pmd/kernel/big_tcp.h"

#include <algorithm>
#include <cstring>

#include "dataplane/frame/intent.h"
#include "dataplane/gso/segment.h"
#include "dataplane/gso/segment_layout.h"
#include "dataplane/gso/segment_limits.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/tcp.h"
#include "dataplane/wire/udp.h"

namespace causeway {
namespace {

// Of a piece, with room for outer headers within an IP packet's 64 KB.
constexpr uint32_t kPieceBytes = 65000;
// What has more is nothing that could be cut.
constexpr uint32_t kMaxHeaderBytes = Segmenter::kMaxHeaderBytes;

// RFC 2675 section 2 as Linux writes it (struct hop_jumbo_hdr): a hop-by-hop header with this option alone.
struct JumboHeader {
  uint8_t next_header;
  uint8_t length_units;
  uint8_t option;
  uint8_t option_bytes;
  be32 payload_bytes;
};
constexpr uint8_t kJumboOption = 0xc2;

// The sum of a length of 32 bits in a pseudo-header.
uint32_t sum_of(uint32_t bytes) noexcept { return fold(be32(bytes).raw()); }

// A frame to be parted: what its sender says of it.
struct Whole {
  rte_mbuf* head;  // goes on with
  std::span<const uint8_t> rest;
  uint32_t csum_start;
  uint16_t gso_size;
  bool tcp;
  bool ecn;

  uint32_t bytes() const noexcept { return static_cast<uint32_t>(head->pkt_len + rest.size()); }
};

// Its headers, which become those of each piece.
class WholeHeaders {
 public:
  // False: not TCP (or UDP) in one IP header. Takes the jumbo header out of its own copy.
  bool read(const Whole& whole) noexcept {
    source_bytes_ = std::min<uint32_t>(whole.head->data_len, kMaxHeaderBytes);
    std::memcpy(headers_.data(), rte_pktmbuf_mtod(whole.head, const void*), source_bytes_);
    const HeaderBytes bytes{headers_.data(), source_bytes_};
    const NetworkHeader ip = find_ip(bytes, 0);
    if (ip.l4 == 0 || ip.l4 != whole.csum_start) return false;
    if (ip.protocol != (whole.tcp ? kIpProtocolTcp : kIpProtocolUdp)) return false;
    l3_ = ip.l3;
    l4_ = ip.l4;
    is_v4_ = ip.is_v4;
    be16 sum;
    if (!read_l4(bytes, whole.tcp, sum)) return false;
    header_bytes_ = source_bytes_;
    pseudo_sum_ = uint32_t{sum.raw()} + static_cast<uint16_t>(~sum_of(whole.bytes() - l4_));
    if (!is_v4_) remove_jumbo_header();
    return true;
  }

  uint32_t source_bytes() const noexcept { return source_bytes_; }  // of headers in the whole
  uint32_t header_bytes() const noexcept { return header_bytes_; }  // in each piece
  const uint8_t* headers() const noexcept { return headers_.data(); }
  // As the IP header says. Nothing behind it is a part of the packet (and what is over 64 KB has no such length).
  uint32_t said_bytes() const noexcept {
    if (is_v4_) return l3_ + reinterpret_cast<const Ipv4Header*>(headers_.data() + l3_)->total_bytes.get();
    const auto* ip = reinterpret_cast<const Ipv6Header*>(headers_.data() + l3_);
    return l3_ + static_cast<uint32_t>(sizeof(Ipv6Header)) + ip->payload_bytes.get();
  }

  // Gives the piece that starts `done` bytes into the payload its headers and its Intent.
  void finish(rte_mbuf* piece, uint32_t done, bool last, const Whole& whole) const noexcept {
    auto* const headers = rte_pktmbuf_mtod(piece, uint8_t*);
    std::memcpy(headers, headers_.data(), header_bytes_);
    if (is_v4_) {
      auto* ip = reinterpret_cast<Ipv4Header*>(headers + l3_);
      ip->total_bytes.set(static_cast<uint16_t>(piece->pkt_len - l3_));
      ip->id.set(static_cast<uint16_t>(ip->id.get() + done / whole.gso_size));
      ip->checksum = ipv4_checksum(*ip);
    } else {
      auto* ip = reinterpret_cast<Ipv6Header*>(headers + l3_);
      ip->payload_bytes.set(static_cast<uint16_t>(piece->pkt_len - l3_ - sizeof(Ipv6Header)));
    }
    const uint32_t l4_bytes = piece->pkt_len - l4_;
    const be16 sum = be16::from_raw(fold(uint64_t{pseudo_sum_} + sum_of(l4_bytes)));
    if (whole.tcp) {
      finish_tcp(*reinterpret_cast<TcpHeader*>(headers + l4_), done, last, sum);
    } else {
      auto* udp = reinterpret_cast<UdpHeader*>(headers + l4_);
      udp->length_bytes.set(static_cast<uint16_t>(l4_bytes));
      udp->checksum = sum;
    }
    say_work(piece, whole);
  }

 private:
  bool read_l4(HeaderBytes bytes, bool is_tcp, be16& sum) noexcept {
    if (!is_tcp) {
      const auto* udp = bytes.at<UdpHeader>(l4_);
      if (udp == nullptr) return false;
      source_bytes_ = l4_ + static_cast<uint32_t>(sizeof(UdpHeader));
      sum = udp->checksum;
      return true;
    }
    const auto* tcp = bytes.at<TcpHeader>(l4_);
    if (tcp == nullptr || tcp->header_bytes() < sizeof(TcpHeader)) return false;
    source_bytes_ = l4_ + tcp->header_bytes();
    sum = tcp->checksum;
    return source_bytes_ <= bytes.count;
  }

  static void finish_tcp(TcpHeader& tcp, uint32_t done, bool last, be16 sum) noexcept {
    tcp.sequence = be32(tcp.sequence.get() + done);
    if (!last) tcp.flags &= static_cast<uint8_t>(~(kTcpFin | kTcpPsh));
    if (done != 0) tcp.flags &= static_cast<uint8_t>(~kTcpCwr);  // RFC 3168 section 6.1.2: once
    tcp.checksum = sum;
  }

  void say_work(rte_mbuf* piece, const Whole& whole) const noexcept {
    Intent intent;
    intent.csum_start = static_cast<uint16_t>(l4_);
    intent.csum_offset =
        static_cast<uint8_t>(whole.tcp ? offsetof(TcpHeader, checksum) : offsetof(UdpHeader, checksum));
    if (piece->pkt_len - header_bytes_ <= whole.gso_size) {
      set_intent(piece, intent, kNeedsChecksum);
      return;
    }
    intent.gso_size = whole.gso_size;
    intent.gso_type = whole.tcp ? (is_v4_ ? GsoType::tcp4 : GsoType::tcp6) : (is_v4_ ? GsoType::udp4 : GsoType::udp6);
    intent.ecn = whole.ecn ? 1 : 0;
    set_intent(piece, intent, kIntentFlags);
  }

  void remove_jumbo_header() noexcept {
    auto* ip = reinterpret_cast<Ipv6Header*>(headers_.data() + l3_);
    const uint32_t at = l3_ + static_cast<uint32_t>(sizeof(Ipv6Header));
    const auto* jumbo = reinterpret_cast<const JumboHeader*>(headers_.data() + at);
    if (ip->next_header != kIpv6HopByHop || jumbo->length_units != 0 || jumbo->option != kJumboOption) return;
    ip->next_header = jumbo->next_header;
    std::memmove(headers_.data() + at, headers_.data() + at + sizeof(JumboHeader),
                 header_bytes_ - at - sizeof(JumboHeader));
    header_bytes_ -= static_cast<uint32_t>(sizeof(JumboHeader));
    l4_ -= static_cast<uint32_t>(sizeof(JumboHeader));
  }

  std::array<uint8_t, kMaxHeaderBytes> headers_;
  uint32_t source_bytes_ = 0;
  uint32_t header_bytes_ = 0;
  uint32_t l3_ = 0;
  uint32_t l4_ = 0;
  uint32_t pseudo_sum_ = 0;  // its length taken out
  bool is_v4_ = false;
};

// The big frame's bytes, one after the other.
class Reader {
 public:
  Reader(const rte_mbuf* head, std::span<const uint8_t> rest) noexcept : at_(head), rest_(rest) {}

  // Fewer than wanted only at the end.
  uint32_t read(uint8_t* to, uint32_t bytes) noexcept {
    uint32_t done = 0;
    while (done < bytes) {
      const std::span<const uint8_t> from = next();
      if (from.empty()) break;
      const auto part = std::min<uint32_t>(bytes - done, static_cast<uint32_t>(from.size()));
      if (to != nullptr) std::memcpy(to + done, from.data(), part);
      done += part;
      offset_ += part;
    }
    return done;
  }
  void skip(uint32_t bytes) noexcept { read(nullptr, bytes); }

 private:
  std::span<const uint8_t> next() noexcept {
    while (at_ != nullptr && offset_ >= at_->data_len) {
      offset_ -= at_->data_len;
      at_ = at_->next;
    }
    if (at_ == nullptr) return rest_.subspan(std::min<size_t>(offset_, rest_.size()));
    return {rte_pktmbuf_mtod_offset(at_, const uint8_t*, offset_), at_->data_len - size_t{offset_}};
  }

  const rte_mbuf* at_;
  uint32_t offset_ = 0;  // in at_, or behind the chain in rest_
  std::span<const uint8_t> rest_;
};

// A chain with `header_bytes` of room and `payload_bytes` from `reader`; null when the pool is empty.
rte_mbuf* copy_piece(Reader& reader, uint32_t header_bytes, uint32_t payload_bytes, rte_mempool* pool) noexcept {
  rte_mbuf* const head = rte_pktmbuf_alloc(pool);
  if (head == nullptr) return nullptr;
  rte_mbuf* tail = head;
  head->data_len = static_cast<uint16_t>(header_bytes);
  head->pkt_len = header_bytes + payload_bytes;
  for (;;) {
    const auto room = std::min<uint32_t>(payload_bytes, rte_pktmbuf_tailroom(tail));
    reader.read(rte_pktmbuf_mtod_offset(tail, uint8_t*, tail->data_len), room);
    tail->data_len = static_cast<uint16_t>(tail->data_len + room);
    payload_bytes -= room;
    if (payload_bytes == 0) return head;
    tail->next = rte_pktmbuf_alloc(pool);
    if (tail->next == nullptr) {
      rte_pktmbuf_free(head);
      return nullptr;
    }
    tail = tail->next;
    ++head->nb_segs;
  }
}

// Takes whole.head. No piece: `pool` is empty.
Pieces part(const Whole& whole, const WholeHeaders& headers, rte_mempool* pool) noexcept {
  const uint32_t room = (kPieceBytes - headers.header_bytes()) / whole.gso_size;  // segments
  const bool insane = whole.tcp && whole.gso_size < kSmallestTcpSegment;          // nobody is going to cut it
  const uint32_t most = (room > kMostWholeSegments && !insane ? kPieceSegments : room) * whole.gso_size;
  const uint32_t payload_bytes = whole.bytes() - headers.source_bytes();
  Reader reader(whole.head, whole.rest);
  reader.skip(headers.source_bytes());
  Pieces pieces;
  bool good = true;
  for (uint32_t done = 0; done < payload_bytes; done += most) {
    const uint32_t bytes = std::min(most, payload_bytes - done);
    good = pieces.count < pieces.frame.size();
    rte_mbuf* const piece = good ? copy_piece(reader, headers.header_bytes(), bytes, pool) : nullptr;
    good = piece != nullptr;
    if (!good) break;
    headers.finish(piece, done, done + bytes == payload_bytes, whole);
    pieces.frame[pieces.count++] = piece;
  }
  rte_pktmbuf_free(whole.head);
  if (!good && pieces.count != 0) {
    rte_pktmbuf_free_bulk(pieces.frame.data(), static_cast<unsigned>(pieces.count));
    pieces.count = 0;
  }
  return pieces;
}

}  // namespace

Pieces split_big_tcp(rte_mbuf* head, std::span<const uint8_t> rest, const VnetHeader& header, uint16_t inserted_bytes,
                     rte_mempool* pool) noexcept {
  const uint8_t type = header.gso_type & static_cast<uint8_t>(~kVnetGsoEcn);
  const Whole whole{head,
                    rest,
                    uint32_t{header.csum_start} + inserted_bytes,
                    header.gso_size,
                    true,
                    (header.gso_type & kVnetGsoEcn) != 0};
  WholeHeaders headers;
  if ((type == kVnetGsoTcp4 || type == kVnetGsoTcp6) && (header.flags & kVnetNeedsChecksum) != 0 &&
      headers.read(whole) && header.gso_size != 0 && header.gso_size + headers.header_bytes() <= kPieceBytes) {
    return part(whole, headers, pool);
  }
  rte_pktmbuf_free(head);
  return {};
}

bool has_many_segments(const rte_mbuf* frame) noexcept {
  if ((frame->ol_flags & kNeedsSegment) == 0) return false;
  return segments_of(frame) > kMostWholeSegments && has_sane_segments(frame);
}

bool split_many_segments(rte_mbuf* frame, rte_mempool* pool, Pieces& pieces) noexcept {
  const Intent intent = intent_of(frame);
  const bool tcp = intent.gso_type == GsoType::tcp4 || intent.gso_type == GsoType::tcp6;
  const Whole whole{frame, {}, intent.csum_start, intent.gso_size, tcp, intent.ecn != 0};
  WholeHeaders headers;
  if (!headers.read(whole) || headers.said_bytes() != whole.bytes()) return false;
  pieces = part(whole, headers, pool);
  return true;
}

}  // namespace causeway
