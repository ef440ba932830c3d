#include "dataplane/frame/chain.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/frame/intent.h"

namespace causeway {

rte_mbuf* prepend_segment(rte_mempool* pool, rte_mbuf* frame, uint16_t bytes) noexcept {
  rte_mbuf* const head = rte_pktmbuf_alloc(pool);
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

}  // namespace causeway
