#include "dataplane/encap.h"

#include <utility>

#include "dataplane/intent.h"
#include "dataplane/parse.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/udp.h"

namespace causeway {
namespace {

// Source ports 32768 to 60999, the range Linux hands out by itself (ip_local_port_range).
constexpr uint32_t kFirstPort = 32768;
constexpr uint32_t kPorts = 61000 - kFirstPort;

// Where the outer headers may be written: in front of the frame, or in a segment of their own if another
// frame shares this buffer or its headroom is too small.
rte_mbuf* make_room(WorkerContext& w, rte_mbuf* frame, uint16_t bytes) noexcept {
  const bool own = RTE_MBUF_DIRECT(frame) && rte_mbuf_refcnt_read(frame) == 1;
  if (own && rte_pktmbuf_headroom(frame) >= bytes) [[likely]] {
    frame->data_off = static_cast<uint16_t>(frame->data_off - bytes);
    frame->data_len = static_cast<uint16_t>(frame->data_len + bytes);
    frame->pkt_len += bytes;
    return frame;
  }
  rte_mbuf* const head = rte_pktmbuf_alloc(w.pool);
  if (head == nullptr) return nullptr;
  // The stages behind want the inner headers in the first segment too.
  const auto inner = static_cast<uint16_t>(std::min<uint32_t>(frame->data_len, 256));
  std::memcpy(rte_pktmbuf_mtod_offset(head, void*, bytes), rte_pktmbuf_mtod(frame, const void*), inner);
  head->data_len = static_cast<uint16_t>(bytes + inner);
  head->pkt_len = frame->pkt_len + bytes;
  head->ol_flags = frame->ol_flags & kIntentFlags;
  head->tx_offload = frame->tx_offload;
  if (inner == frame->pkt_len) {
    rte_pktmbuf_free(frame);
    return head;
  }
  if (inner == frame->data_len) {  // no empty segment: there are devices that hang on one
    head->next = std::exchange(frame->next, nullptr);
    head->nb_segs = std::exchange(frame->nb_segs, uint16_t{1});
    rte_pktmbuf_free_seg(frame);
    return head;
  }
  frame->data_off = static_cast<uint16_t>(frame->data_off + inner);
  frame->data_len = static_cast<uint16_t>(frame->data_len - inner);
  head->next = frame;
  head->nb_segs = static_cast<uint16_t>(frame->nb_segs + 1);
  return head;
}

void copy_template(uint8_t* outer, const Adjacency& to, uint16_t headroom) noexcept {
  const uint8_t* const end = to.outer.data.data() + OuterTemplate::kCapacity;
  uint8_t* const inner = outer + to.outer_bytes;
  // A fixed size is a few vector moves; what it writes in front of the outer headers is headroom.
  if (to.outer_bytes <= 64 && headroom + to.outer_bytes >= 64) [[likely]] {
    std::memcpy(inner - 64, end - 64, 64);
  } else {
    std::memcpy(outer, end - to.outer_bytes, to.outer_bytes);
  }
}

// Lengths, DSCP, ECN (RFC 6040 normal mode: the inner field is copied) and the IPv4 checksum. The id
// stays 0: with DF set nothing reads it (RFC 6864 section 4.1).
void patch_ip(uint8_t* outer, const Adjacency& to, uint32_t frame_bytes, const InnerFlow& flow) noexcept {
  const uint8_t copied = static_cast<uint8_t>(flow.tos & (to.inherit_tos ? 0xff : kEcnMask));
  uint8_t* const l3 = outer + to.ip_offset;
  if (!to.ipv6) [[likely]] {
    auto* ip = reinterpret_cast<Ipv4Header*>(l3);
    ip->tos = static_cast<uint8_t>(ip->tos | copied);
    ip->total_bytes.set(static_cast<uint16_t>(frame_bytes - to.ip_offset));
    ip->checksum = checksum_of(to.ip_sum + ip->total_bytes.raw() + be16(copied).raw());
    return;
  }
  auto* ip = reinterpret_cast<Ipv6Header*>(l3);
  ip->payload_bytes.set(static_cast<uint16_t>(frame_bytes - to.ip_offset - sizeof(Ipv6Header)));
  // RFC 6437 section 3: the flow label carries the entropy for routers that don't look behind the header.
  ip->version_class_flow =
      be32(ip->version_class_flow.get() | static_cast<uint32_t>(copied) << 20 | (flow.entropy & 0xfffff));
}

}  // namespace

rte_mbuf* encap(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  const InnerFlow flow = inner_flow(frame);
  rte_mbuf* const m = make_room(w, frame, to.outer_bytes);
  if (m == nullptr) return nullptr;
  auto* const outer = rte_pktmbuf_mtod(m, uint8_t*);
  copy_template(outer, to, rte_pktmbuf_headroom(m));
  const uint32_t frame_bytes = rte_pktmbuf_pkt_len(m);
  patch_ip(outer, to, frame_bytes, flow);

  const bool unfinished = has_intent(m);
  if (unfinished) [[unlikely]] {
    Intent intent = intent_of(m);
    intent.csum_start = static_cast<uint16_t>(intent.csum_start + to.outer_bytes);
    intent.tunnel_bytes = to.outer_bytes;
    set_intent(m, intent, m->ol_flags & kIntentFlags);
  }
  if (to.kind == AdjacencyKind::gretap) {
    auto* gre = reinterpret_cast<GreHeader*>(outer + to.udp_offset);
    if (gre->has_checksum() && !unfinished) {  // otherwise the segment stage fills it
      const be16 sum = checksum_of(sum_chain(m, to.udp_offset, frame_bytes - to.udp_offset));
      std::memcpy(reinterpret_cast<uint8_t*>(gre) + GreHeader::checksum_offset(), &sum, sizeof(sum));
    }
    return m;
  }
  auto* udp = reinterpret_cast<UdpHeader*>(outer + to.udp_offset);
  udp->source_port.set(static_cast<uint16_t>(kFirstPort + (uint64_t{flow.entropy} * kPorts >> 32)));
  udp->length_bytes.set(static_cast<uint16_t>(frame_bytes - to.udp_offset));
  if (to.udp_checksum) {
    // With an unfinished inner checksum the segment stage fills this one after it; non-zero says so.
    udp->checksum = unfinished ? be16(0xffff) : udp_checksum_over(m, to.ip_offset);
  }
  return m;
}

}  // namespace causeway
