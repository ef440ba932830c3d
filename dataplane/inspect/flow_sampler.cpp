#include "dataplane/inspect/flow_sampler.h"

#include <rte_mbuf.h>

#include <algorithm>
#include <cstring>

namespace causeway {

// xorshift stays at 0 for good. The first gap is shorter by the frame that would be picked at its start.
FlowSampler::FlowSampler(uint32_t one_of, uint32_t header_bytes, uint32_t seed, size_t ring_bytes)
    : one_of_(one_of), header_bytes_(header_bytes), state_(seed | 1), wait_(gap() - 1), ring_(ring_bytes) {}

void FlowSampler::take(const Batch& batch, uint16_t i) noexcept {
  if (batch.out[i] == kGone) return;
  const rte_mbuf* const frame = batch.frame[i];
  const uint32_t kept = std::min(frame->pkt_len, header_bytes_);
  CapturedFrame* const record = ring_.reserve(static_cast<uint32_t>(sizeof(SampleWay)) + kept);
  if (record == nullptr) return lost_[batch.port].add(1);
  record->frame_bytes = frame->pkt_len;
  record->place.port = batch.port;
  const SampleWay way{batch.in[i]->index, batch.out[i], vlan_of(batch.key[i].destination())};
  auto* const to = reinterpret_cast<uint8_t*>(record + 1);
  std::memcpy(to, &way, sizeof way);
  const void* const from = rte_pktmbuf_read(frame, 0, kept, to + sizeof way);
  if (from != to + sizeof way) std::memcpy(to + sizeof way, from, kept);
  ring_.commit();
}

bool FlowSampler::front(FlowSample& sample) noexcept {
  const CapturedFrame* const record = ring_.front();
  if (record == nullptr) return false;
  sample.port = record->place.port;
  sample.frame_bytes = record->frame_bytes;
  std::memcpy(&sample.way, record->bytes(), sizeof sample.way);
  sample.header = record->bytes() + sizeof sample.way;
  sample.header_bytes = record->kept_bytes - static_cast<uint32_t>(sizeof sample.way);
  return true;
}

}  // namespace causeway
