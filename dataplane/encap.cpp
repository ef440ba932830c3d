#include "dataplane/encap.h"

#include <algorithm>
#include <utility>

#include "dataplane/segment.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/gre.h"

namespace causeway {

rte_mbuf* prepend_segment(WorkerContext& w, rte_mbuf* frame, uint16_t bytes) noexcept {
  rte_mbuf* const head = rte_pktmbuf_alloc(w.pool);
  if (head == nullptr) return nullptr;
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

namespace {

void finish_gre(rte_mbuf* m, uint32_t offset) noexcept {
  auto* gre = rte_pktmbuf_mtod_offset(m, GreHeader*, offset);
  if (!gre->has_checksum() || has_intent(m)) return;  // with an intent the segment stage fills it
  const be16 sum = checksum_of(sum_chain(m, offset, rte_pktmbuf_pkt_len(m) - offset));
  *rte_pktmbuf_mtod_offset(m, be16*, offset + GreHeader::checksum_offset()) = sum;
}

}  // namespace

void finish_outer(rte_mbuf* m, const Adjacency& to) noexcept {
  if (has_intent(m)) {
    Intent intent = intent_of(m);
    intent.csum_start = static_cast<uint16_t>(intent.csum_start + to.outer_bytes);
    intent.tunnel_bytes = to.outer_bytes;
    set_intent(m, intent, m->ol_flags & kIntentFlags);
  }
  if (to.kind == AdjacencyKind::gretap) {
    finish_gre(m, to.udp_offset);
  } else if (to.udp_checksum) {
    // With an unfinished inner checksum the segment stage fills this one after it.
    rte_pktmbuf_mtod_offset(m, UdpHeader*, to.udp_offset)->checksum =
        has_intent(m) ? kOuterChecksumWanted : udp_checksum_over(m, to.ip_offset);
  }
}

}  // namespace causeway
