// What the stages of one worker share. The worker thread's alone: the control thread gets its ends of the mailbox and
// may read the counters and the keys in the flow cache (dataplane/worker.h).
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/batch.h"
#include "dataplane/counters.h"
#include "dataplane/drop_reason.h"
#include "dataplane/egress/tx_buffers.h"
#include "dataplane/exchange.h"
#include "dataplane/flow/cache.h"
#include "dataplane/flow/outer_cache.h"
#include "dataplane/flow/rate_limit.h"
#include "dataplane/flow/tables.h"
#include "dataplane/flow/token_bucket.h"
#include "dataplane/gso/merged_datagrams.h"
#include "dataplane/gso/segment.h"
#include "dataplane/inspect/capture.h"
#include "dataplane/inspect/drop_examples.h"
#include "dataplane/inspect/sample.h"

namespace causeway {

// Sources reported to the control thread a moment ago: a burst from one new MAC is one message, and an answer to it
// finds its way before the FDB knows the MAC.
class RecentlyReported {
 public:
  // True the first time within a tick (tick_of). `changes`: WorkerContext's.
  bool first(const LearnMessage& message, uint32_t tick, uint64_t changes) noexcept {
    Report& report = reports_[slot_of(message.bridge, message.key)];
    const bool known = report.message == message && report.tick == tick;
    report = {message, tick, changes};
    return !known;
  }
  // Where a MAC was last seen, if nothing has changed since then; kNoAdjacency: not reported.
  AdjacencyIndex find(BridgeIndex bridge, MacVlan key, uint32_t tick, uint64_t changes) const noexcept {
    const Report& report = reports_[slot_of(bridge, key)];
    const bool holds = report.message.key == key && report.message.bridge == bridge && report.changes == changes &&
                       tick - report.tick < kTicks;
    return holds ? report.message.exit : kNoAdjacency;
  }

 private:
  static constexpr uint32_t kTicks = 64;  // the control thread is never that late
  struct Report {
    LearnMessage message;
    uint32_t tick = 0;
    uint64_t changes = 0;
  };
  static size_t slot_of(BridgeIndex bridge, MacVlan key) noexcept { return hash_words(key, bridge, 0) >> 54; }
  std::array<Report, 1024> reports_{};
};

// About a millisecond, from the cycle counter.
inline uint32_t tick_of(uint64_t cycles) noexcept { return static_cast<uint32_t>(cycles >> 21); }

// Sources of frames to this host are counted in so many accounts, by hash (dataplane/to_control.h).
inline constexpr uint32_t kPuntAccounts = 4096;
// With more frames than these in the urgent queue only answers join them.
inline constexpr size_t kUnasked = 128;
// With more frames than these waiting for the control thread no chain joins them.
inline constexpr size_t kPuntedChains = 128;
// How many frames a second may wait for one tunnel end's neighbor. A few are kept, and it answers within milliseconds.
inline constexpr uint32_t kUnresolvedPerSecond = 256;
// How many VTEPs a second that a full multicast tunnel doesn't know are offered to the control thread.
inline constexpr uint32_t kOfferedVtepsPerSecond = 20;

// Frames for the host's own stack are counted by kind, so that none takes what another needs
// (dataplane/ingress/for_host.h).
enum class HostKind : uint8_t { neighbor, routing, icmp, bulk };
inline constexpr size_t kHostKinds = 4;

struct WorkerContext {
  WorkerContext(const Tables& t, uint16_t worker, uint32_t cache_entries, uint64_t seed)
      : tables(t), id(worker), cache(cache_entries, seed) {}

  const Tables& tables;  // only the control thread publishes
  const uint16_t id;     // also its transmit queue on every port
  WorkerCounters counters;
  FlowCache cache;
  OuterCache outer_cache;
  TxBuffers tx;
  Segmenter segmenter;
  DatagramCutter datagrams;
  Segmenter numbered_segmenter;  // of what is cut in front of encap, where each segment gets a number of its own
  RecentlyReported reported;
  RateLimit too_big{kMaxPorts};
  RateLimit floods{kMaxPorts};
  RateLimit tunnel_floods{kMaxAdjacencies};
  RateLimit offered_vteps{kMaxAdjacencies};
  RateLimit unresolved{kMaxAdjacencies};
  RateLimit sources{kPuntAccounts};
  RateLimit urgent_sources{kPuntAccounts};
  std::array<TokenBucket, kHostKinds> host_buckets;
  // Frames of the batch under way that leave by their underlay's host path once decap is done.
  std::array<rte_mbuf*, kBatch> for_host;
  uint16_t for_host_count = 0;
  RateLimit sightings{kMaxPorts};
  RateLimit probe_answers{kMaxPorts};
  Sampler sampler;
  rte_mempool* pool = nullptr;  // copies, headers and segments

  Mailbox mailbox;

  // Loaded at the top of each loop, valid until its end.
  const FdbTable* fdb = nullptr;
  const TunnelTable* tunnels = nullptr;
  const UdpListeners* udp_listeners = nullptr;
  const HostTable* hosts = nullptr;  // null: no bridge suppresses ARP and ND
  uint64_t changes = 0;              // of the tables, that the flow cache's epoch began with
  uint16_t now_s = 0;
  bool sampling = false;
  bool snooping = false;
  const Captures* captures = nullptr;  // null: nobody looks at frames
  const std::unique_ptr<DropExamples> examples = std::make_unique<DropExamples>();
  uint32_t tick = 0;
  PortIndex ingress = 0;               // the port of the batch under way
  AdjacencyIndex from = kNoAdjacency;  // where frames came in, once it is known; none: the control thread, too
  bool again = false;                  // the control thread has seen the batch under way (Inject::receive_again)
};

// Frames pass a place where somebody may look at them; they stay the caller's.
inline void show(const WorkerContext& w, std::span<rte_mbuf* const> frames, const CapturePlace& place) noexcept {
  if (w.captures != nullptr) [[unlikely]] {
    w.captures->look_at(w.id, frames, place);
  }
}
// The same for one that dies, in the batch that came in through w.ingress.
[[gnu::cold, gnu::noinline]] inline void show_dead(const WorkerContext& w, rte_mbuf* frame,
                                                   DropReason reason) noexcept {
  const CapturePlace place{.port = w.ingress, .reason = reason, .tunnel = w.from};
  if (w.examples->wants(reason)) w.examples->keep(frame, place);
  show(w, std::span(&frame, 1), place);
}

inline void count_drop(WorkerContext& w, DropReason reason) noexcept {
  w.counters.drops[static_cast<size_t>(reason)].add(1);
}

// The end of a frame that came in through w.ingress.
inline void drop(WorkerContext& w, rte_mbuf* frame, DropReason reason) noexcept {
  if (w.captures != nullptr || w.examples->wants(reason)) [[unlikely]] {
    show_dead(w, frame, reason);
  }
  count_drop(w, reason);
  w.counters.ports[w.ingress].rx_drops.add(1);
  rte_pktmbuf_free(frame);
}

}  // namespace causeway
