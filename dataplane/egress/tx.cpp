#include "dataplane/egress/tx.h"

#include "dataplane/egress/coalesce.h"

namespace causeway {
namespace {

void drop_unsent(WorkerContext& w, PortIndex port, rte_mbuf** frames, uint16_t count, DropReason reason) noexcept {
  const CapturePlace place{.port = port, .outgoing = true, .reason = reason};
  if (w.examples->wants(reason)) w.examples->keep(frames[0], place);
  show(w, {frames, count}, place);
  w.counters.drops[static_cast<size_t>(reason)].add(count);
  w.counters.ports[port].tx_drops.add(count);
  rte_pktmbuf_free_bulk(frames, count);
}

void merge(WorkerContext& w, TxBuffer& buffer, const TxCapabilities& caps) noexcept {
  static_assert(TxBuffer::kCapacity <= kMaxCoalesced);
  const Coalesced result = coalesce(buffer.frame.data(), buffer.count, caps);
  w.counters.gro_in.add(result.in);
  w.counters.gro_out.add(result.out);
  buffer.count = result.frames;
  buffer.bytes -= result.bytes_less;
}

void flush(WorkerContext& w, PortIndex index) noexcept {
  TxBuffer& buffer = w.tx.port[index];
  const PortEntry* const port = w.tables.port(index);
  if (port != nullptr && port->coalesce && buffer.count > 1) merge(w, buffer, port->capabilities);
  const uint16_t count = buffer.count;
  uint64_t sent_bytes = buffer.bytes;
  buffer.count = 0;
  buffer.bytes = 0;
  if (port == nullptr) {
    drop_unsent(w, index, buffer.frame.data(), count, DropReason::port_down);
    return;
  }
  show(w, {buffer.frame.data(), count}, {.port = index, .outgoing = true});
  uint16_t sent = 0;
  uint16_t refused = 0;
  // A device that takes some of them may take more after it.
  for (uint16_t taken = 1; sent < count && taken != 0; sent = static_cast<uint16_t>(sent + taken)) {
    taken = port->io->tx_burst(w.id, &buffer.frame[sent], static_cast<uint16_t>(count - sent));
    if (sent + taken == count || !port->io->refused(w.id)) [[likely]] {
      continue;
    }
    rte_mbuf** const frame = &buffer.frame[sent + taken];
    sent_bytes -= (*frame)->pkt_len;
    drop_unsent(w, index, frame, 1, DropReason::tx_refused);
    ++refused;
    ++taken;
  }
  for (uint16_t i = sent; i < count; ++i) sent_bytes -= buffer.frame[i]->pkt_len;
  TrafficCounters& traffic = w.counters.ports[index].traffic;
  traffic.tx_packets.add(static_cast<uint64_t>(sent - refused));
  traffic.tx_bytes.add(sent_bytes);
  if (sent < count) [[unlikely]] {
    drop_unsent(w, index, &buffer.frame[sent], static_cast<uint16_t>(count - sent), DropReason::tx_full);
  }
}

}  // namespace

void tx_flush_full(WorkerContext& w, PortIndex port) noexcept {
  flush(w, port);
  // Its place among the pending ports is known by name only: look from the end, where it usually is.
  for (uint16_t i = w.tx.pending_count; i-- > 0;) {
    if (w.tx.pending[i] != port) continue;
    w.tx.pending[i] = w.tx.pending[--w.tx.pending_count];
    return;
  }
}

void tx_finish_and_push(WorkerContext& w, PortIndex port, rte_mbuf* frame) noexcept {
  const PortEntry* const entry = w.tables.port(port);
  if (entry == nullptr || port_takes(frame, entry->capabilities)) {
    tx_push(w, port, frame);  // flush drops it if the port has gone
    return;
  }
  DropReason reason = w.segmenter.begin(frame, entry->capabilities, {w.pool, w.pool});
  while (w.segmenter.pending()) {
    std::array<rte_mbuf*, 32> out;
    const uint16_t count = w.segmenter.next(out.data(), out.size(), reason);
    for (uint16_t i = 0; i < count; ++i) tx_push(w, port, out[i]);
  }
  if (reason != DropReason::none) {
    count_drop(w, reason);
    w.counters.ports[port].tx_drops.add(1);
  }
}

void tx_flush_all(WorkerContext& w) noexcept {
  for (uint16_t i = 0; i < w.tx.pending_count; ++i) flush(w, w.tx.pending[i]);
  w.tx.pending_count = 0;
}

}  // namespace causeway
