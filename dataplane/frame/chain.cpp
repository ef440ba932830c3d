#include "dataplane/frame/chain.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/frame/intent.h"

namespace causeway {
namespace {

// Frames up to this size are copied whole when flooded: cheaper than a header segment and a reference.
constexpr uint32_t kCopyBytes = 512;
// Of larger ones this much is copied, so that every copy has its own headers to write.
constexpr uint16_t kCopiedHeaderBytes = 256;

}  // namespace

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

rte_mbuf* replicate(rte_mempool* pool, rte_mbuf* frame) noexcept {
  rte_mbuf* const copy = rte_pktmbuf_alloc(pool);
  if (copy == nullptr) return nullptr;
  const bool whole = frame->nb_segs == 1 && frame->pkt_len <= kCopyBytes;
  const auto bytes = whole ? frame->data_len : std::min(frame->data_len, kCopiedHeaderBytes);
  std::memcpy(rte_pktmbuf_mtod(copy, void*), rte_pktmbuf_mtod(frame, const void*), bytes);
  copy->data_len = bytes;
  copy->pkt_len = frame->pkt_len;
  copy->ol_flags = frame->ol_flags & kIntentFlags;
  copy->tx_offload = frame->tx_offload;
  if (bytes == frame->pkt_len) return copy;
  // No empty segment: there are devices that hang on one.
  const uint16_t skip = bytes == frame->data_len ? uint16_t{0} : bytes;
  rte_mbuf* const rest = rte_pktmbuf_clone(skip != 0 ? frame : frame->next, pool);
  if (rest == nullptr) {
    rte_pktmbuf_free(copy);
    return nullptr;
  }
  rest->data_off = static_cast<uint16_t>(rest->data_off + skip);
  rest->data_len = static_cast<uint16_t>(rest->data_len - skip);
  copy->next = rest;
  copy->nb_segs = static_cast<uint16_t>(rest->nb_segs + 1);
  return copy;
}

void trim(rte_mbuf* m, uint32_t bytes) noexcept {
  m->pkt_len = bytes;
  rte_mbuf* segment = m;
  while (segment->next != nullptr && bytes > segment->data_len) {
    bytes -= segment->data_len;
    segment = segment->next;
  }
  segment->data_len = static_cast<uint16_t>(bytes);
  if (segment->next == nullptr) return;
  uint16_t kept = 1;
  for (const rte_mbuf* s = m; s != segment; s = s->next) ++kept;
  rte_pktmbuf_free(segment->next);
  segment->next = nullptr;
  m->nb_segs = kept;
}

}  // namespace causeway
