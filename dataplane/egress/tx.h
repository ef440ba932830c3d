// The transmit stage: a buffer per output port, flushed when full and at the end of each loop. Frames that
// want more than the port can do pass the segment stage on their way in.
#pragma once

#include <rte_mbuf.h>

#include "dataplane/context.h"
#include "dataplane/frame/intent.h"

namespace causeway {

// Sends one port's frames and takes it off the pending ones. A device's refusal drops them as tx_full.
void tx_flush_full(WorkerContext& w, PortIndex port) noexcept;
void tx_flush_all(WorkerContext& w) noexcept;

// Queues a complete frame; takes it over.
inline void tx_push(WorkerContext& w, PortIndex port, rte_mbuf* frame) noexcept {
  TxBuffer& buffer = w.tx.port[port];
  if (buffer.count == 0) w.tx.pending[w.tx.pending_count++] = port;
  buffer.frame[buffer.count++] = frame;
  buffer.bytes += frame->pkt_len;
  if (buffer.count == TxBuffer::kCapacity) [[unlikely]] {
    tx_flush_full(w, port);
  }
}

// The same for several at once, kCapacity at most, `bytes` long together.
inline void tx_push_run(WorkerContext& w, PortIndex port, rte_mbuf** frames, uint16_t count, uint32_t bytes) noexcept {
  TxBuffer& buffer = w.tx.port[port];
  if (buffer.count + count > TxBuffer::kCapacity) [[unlikely]] {
    tx_flush_full(w, port);
  }
  if (buffer.count == 0) w.tx.pending[w.tx.pending_count++] = port;
  for (uint16_t i = 0; i < count; ++i) buffer.frame[buffer.count + i] = frames[i];
  buffer.count = static_cast<uint16_t>(buffer.count + count);
  buffer.bytes += bytes;
  if (buffer.count == TxBuffer::kCapacity) tx_flush_full(w, port);
}

// The same for a frame with an intent or in several segments: through the segment stage if need be.
void tx_finish_and_push(WorkerContext& w, PortIndex port, rte_mbuf* frame) noexcept;

// Queues any frame; takes it over.
inline void tx_enqueue(WorkerContext& w, PortIndex port, rte_mbuf* frame) noexcept {
  if (has_intent(frame) || frame->nb_segs > 1) [[unlikely]] {
    tx_finish_and_push(w, port, frame);
  } else {
    tx_push(w, port, frame);
  }
}

}  // namespace causeway
