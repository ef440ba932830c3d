#include "dataplane/gso/merged_datagrams.h"

#include <algorithm>
#include <cstring>

#include "dataplane/context.h"
#include "dataplane/frame/intent.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/udp.h"

namespace causeway {
namespace {

constexpr uint16_t kL3 = sizeof(EthernetHeader);
// Of a datagram that no buffer holds this much is copied, so that it has its own headers, outer and inner.
constexpr uint32_t kCopiedBytes = 512;
// Linux has checked the sum of each datagram before it merged them, and merges none without one
// (net/ipv4/udp_offload.c, udp4_gro_receive). Nobody sums them again, but zero would say that there is none.
constexpr be16 kChecked{0xffff};

struct IpView {
  IpAddress destination;
  uint32_t bytes;  // its header included
  uint16_t l4;
};

// The IP header of a frame whose L4 header starts at `csum_start`, without options or extension headers.
bool read_ip(const rte_mbuf* m, GsoType type, IpView& view) noexcept {
  const auto* ethernet = header_at<EthernetHeader>(m, 0);
  const uint16_t ethertype = ethernet != nullptr ? ethernet->ethertype.get() : 0;
  if (ethertype == kEtherTypeIpv4 && type == GsoType::udp4) {
    const auto* ip = header_at<Ipv4Header>(m, kL3);
    if (ip == nullptr || ip->version_ihl != Ipv4Header::kVersionIhl || ip->protocol != kIpProtocolUdp) return false;
    view = {ip->destination_address(), ip->total_bytes.get(), kL3 + sizeof(Ipv4Header)};
    return !ip->is_fragment();
  }
  if (ethertype == kEtherTypeIpv6 && type == GsoType::udp6) {
    const auto* ip = header_at<Ipv6Header>(m, kL3);
    if (ip == nullptr || ip->version() != 6 || ip->next_header != kIpProtocolUdp) return false;
    view = {ip->destination_address(), ip->payload_bytes.get() + static_cast<uint32_t>(sizeof(Ipv6Header)),
            kL3 + sizeof(Ipv6Header)};
    return true;
  }
  return false;
}

}  // namespace

bool holds_datagrams(const WorkerContext& w, const PortEntry& port, const rte_mbuf* m) noexcept {
  if ((m->ol_flags & kNeedsSegment) == 0) return false;
  const Intent intent = intent_of(m);
  IpView ip{};
  if (intent.gso_size == 0 || !read_ip(m, intent.gso_type, ip) || ip.l4 != intent.csum_start) return false;
  const auto* udp = header_at<UdpHeader>(m, ip.l4);
  const uint32_t payload = ip.l4 + static_cast<uint32_t>(sizeof(UdpHeader));
  if (udp == nullptr || kL3 + ip.bytes != rte_pktmbuf_pkt_len(m) || kL3 + ip.bytes <= payload) return false;
  const uint16_t to = udp->destination_port.get();
  return std::ranges::find(port.addresses, ip.destination) != port.addresses.end() &&
         std::ranges::any_of(*w.udp_listeners, [&](const UdpListener& listener) { return listener.port == to; });
}

void DatagramCutter::begin(rte_mbuf* frame) noexcept {
  const Intent intent = intent_of(frame);
  frame_ = frame;
  gso_size_ = intent.gso_size;
  header_bytes_ = static_cast<uint16_t>(intent.csum_start + sizeof(UdpHeader));
  std::memcpy(headers_.data(), rte_pktmbuf_mtod(frame, const void*), header_bytes_);
  ip_.take(headers_.data(), kL3, intent.gso_type == GsoType::udp4);
  reinterpret_cast<UdpHeader*>(headers_.data() + intent.csum_start)->checksum = kChecked;
  at_ = frame;
  at_offset_ = header_bytes_;
  payload_left_ = rte_pktmbuf_pkt_len(frame) - header_bytes_;
  left_ = (payload_left_ + gso_size_ - 1) / gso_size_;
  index_ = 0;
}

void DatagramCutter::end() noexcept {
  rte_pktmbuf_free(frame_);
  frame_ = nullptr;
  left_ = 0;
}

uint16_t DatagramCutter::next(rte_mbuf** out, uint16_t room, rte_mempool* pool) noexcept {
  const auto count = static_cast<uint16_t>(std::min<uint32_t>(room, left_));
  if (count == 0 || rte_pktmbuf_alloc_bulk(pool, out, count) != 0) return 0;
  for (uint16_t i = 0; i < count; ++i) {
    if (build(out[i], pool)) continue;
    rte_pktmbuf_free_bulk(out, count);
    return 0;
  }
  left_ -= count;
  if (left_ == 0) end();
  return count;
}

bool DatagramCutter::build(rte_mbuf* datagram, rte_mempool* pool) noexcept {
  const uint32_t bytes = std::min<uint32_t>(payload_left_, gso_size_);
  const uint32_t frame_bytes = header_bytes_ + bytes;
  auto* const headers = rte_pktmbuf_mtod(datagram, uint8_t*);
  std::memcpy(headers, headers_.data(), header_bytes_);
  ip_.write(headers, frame_bytes, index_++);
  auto* const udp = reinterpret_cast<UdpHeader*>(headers + header_bytes_ - sizeof(UdpHeader));
  udp->length_bytes.set(static_cast<uint16_t>(bytes + sizeof(UdpHeader)));
  datagram->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  datagram->data_len = header_bytes_;
  datagram->pkt_len = frame_bytes;
  payload_left_ -= bytes;
  const bool fits = bytes <= rte_pktmbuf_tailroom(datagram);
  const uint32_t copied = copy_payload(datagram, fits ? bytes : kCopiedBytes);
  return copied == bytes || share_payload(datagram, bytes - copied, pool);
}

// Bytes of payload where we are, in one mbuf; 0: the chain has ended.
uint32_t DatagramCutter::step() noexcept {
  while (at_ != nullptr && at_offset_ >= rte_pktmbuf_data_len(at_)) {
    at_offset_ -= rte_pktmbuf_data_len(at_);
    at_ = at_->next;
  }
  return at_ != nullptr ? rte_pktmbuf_data_len(at_) - at_offset_ : 0;
}

// A datagram in one mbuf passes the stages behind faster than one that shares its payload.
uint32_t DatagramCutter::copy_payload(rte_mbuf* datagram, uint32_t bytes) noexcept {
  uint32_t copied = 0;
  while (copied < bytes) {
    const uint32_t part = std::min(step(), bytes - copied);
    if (part == 0) break;
    std::memcpy(rte_pktmbuf_mtod_offset(datagram, uint8_t*, datagram->data_len),
                rte_pktmbuf_mtod_offset(at_, const uint8_t*, at_offset_), part);
    datagram->data_len = static_cast<uint16_t>(datagram->data_len + part);
    at_offset_ += part;
    copied += part;
  }
  return copied;
}

// Jumbo frames: the rest as mbufs that point into the merged frame.
bool DatagramCutter::share_payload(rte_mbuf* datagram, uint32_t bytes, rte_mempool* pool) noexcept {
  rte_mbuf* tail = datagram;
  while (bytes != 0) {
    const uint32_t part = std::min(step(), bytes);
    rte_mbuf* const piece = part != 0 ? rte_pktmbuf_alloc(pool) : nullptr;
    if (piece == nullptr) return false;
    rte_pktmbuf_attach(piece, const_cast<rte_mbuf*>(at_));
    piece->data_off = static_cast<uint16_t>(at_->data_off + at_offset_);
    piece->data_len = static_cast<uint16_t>(part);
    tail->next = piece;
    tail = piece;
    ++datagram->nb_segs;
    at_offset_ += part;
    bytes -= part;
  }
  return true;
}

}  // namespace causeway
