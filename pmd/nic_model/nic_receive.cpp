#include "pmd/nic_model/nic_receive.h"

#include <algorithm>

#include "dataplane/frame/intent.h"

namespace causeway {
namespace {

uint64_t verdict(const NicBytes& frame, bool lies) {
  const NicHeaders at = nic_headers(frame, 0);
  if (at.l4 == 0 || at.end > frame.size() || at.l4 > at.end) return 0;
  uint64_t flags = 0;
  if (at.v4) {
    const bool right = frame.sum(at.l3, at.l4) == 0xffff || lies;
    flags |= right ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : RTE_MBUF_F_RX_IP_CKSUM_BAD;
  }
  const bool fragment = at.v4 && (frame.get16(at.l3 + 6) & 0x3fff) != 0;
  if (fragment || at.protocol != 17 || frame.get16(at.l4 + 6) == 0) return flags;
  const uint32_t bytes = frame.get16(at.l4 + 4);
  const uint32_t addresses = at.v4 ? at.l3 + 12 : at.l3 + 8;
  const uint32_t pseudo = frame.sum(addresses, addresses + (at.v4 ? 8 : 32), at.protocol + bytes);
  const bool right = frame.sum(at.l4, std::min(at.l4 + bytes, at.end), pseudo) == 0xffff || lies;
  return flags | (right ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : RTE_MBUF_F_RX_L4_CKSUM_BAD);
}

// Addresses and, where there are any, ports.
uint32_t spread(const NicBytes& frame, uint32_t ethernet) {
  const NicHeaders at = nic_headers(frame, ethernet);
  if (at.l4 == 0) return 0;
  const bool ports = at.protocol == 6 || at.protocol == 17;
  uint32_t hash = 2166136261;  // FNV-1a
  for (uint32_t i = at.v4 ? at.l3 + 12 : at.l3 + 8; i < at.l4 + (ports ? 4 : 0); ++i) {
    hash = (hash ^ frame.get8(i)) * 16777619;
  }
  return hash ^ hash >> 16;
}

}  // namespace

uint16_t NicReceive::look_at(rte_mbuf* frame, bool judge, NicFlows* flows) const {
  constexpr uint64_t kSays =
      RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
  const NicBytes bytes(frame);
  // What still has work to do never was on a wire.
  if (!has_intent(frame)) {
    frame->ol_flags &= ~kSays;
    if (judge) frame->ol_flags |= verdict(bytes, misreport_.has(NicFeature::rx_checksum));
  }
  const auto rule = flows != nullptr ? flows->classify(bytes) : std::nullopt;
  if (!rule) return static_cast<uint16_t>(spread(bytes, 0) % queues_.size());
  if (rule->mark) {
    frame->ol_flags |= RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
    frame->hash.fdir.hi = *rule->mark;
  }
  const uint16_t queue = rule->queues[spread(bytes, rule->inner) % rule->queues.size()];
  return static_cast<uint16_t>(queue % queues_.size());
}

bool NicReceive::enqueue(uint16_t queue, rte_mbuf* frame) {
  if (queues_[queue].size() == kDepth) return false;
  queues_[queue].push_back(frame);
  return true;
}

uint16_t NicReceive::take(uint16_t queue, rte_mbuf** frames, uint16_t count) {
  std::deque<rte_mbuf*>& waiting = queues_[queue];
  const auto taken = static_cast<uint16_t>(std::min<size_t>(count, waiting.size()));
  std::copy_n(waiting.begin(), taken, frames);
  waiting.erase(waiting.begin(), waiting.begin() + taken);
  return taken;
}

void NicReceive::drop_all() {
  for (std::deque<rte_mbuf*>& queue : queues_) {
    for (rte_mbuf* frame : queue) rte_pktmbuf_free(frame);
    queue.clear();
  }
}

}  // namespace causeway
