// What the stages of one worker share. Owned by the worker thread; the rings' other ends belong to the
// control thread.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/counters.h"
#include "dataplane/drop_reason.h"
#include "dataplane/egress/tx_buffers.h"
#include "dataplane/flow/cache.h"
#include "dataplane/flow/outer_cache.h"
#include "dataplane/flow/tables.h"
#include "dataplane/gso/merged_datagrams.h"
#include "dataplane/gso/segment.h"
#include "dataplane/inspect/sample.h"
#include "dataplane/spsc_ring.h"

namespace causeway {

// A source MAC the FDB doesn't know, or knows elsewhere. Worker -> control.
struct LearnMessage {
  MacVlan key = 0;
  AdjacencyIndex exit = kNoAdjacency;
  BridgeIndex bridge = kNoBridge;
  bool operator==(const LearnMessage&) const = default;
};

// Worker -> control. `stranger`: an outer frame of a VTEP that the multicast tunnel `adjacency` doesn't know yet.
// `from` set: a frame that came from there, too big for `adjacency`; it is counted as dropped, and its sender wants to
// be told. Otherwise, `adjacency` set: an inner frame for a tunnel whose next hop is unresolved. Neither: an underlay
// frame to this host itself (ARP, ND, ICMP, IGMP).
struct PuntedFrame {
  rte_mbuf* frame = nullptr;
  AdjacencyIndex adjacency = kNoAdjacency;
  PortIndex port = 0;
  uint16_t worker = 0;  // who punted it, and injects it again: of one flow, all frames pass one worker
  AdjacencyIndex from = kNoAdjacency;
  bool stranger = false;
};

// Control -> worker. `stranger`: receive it once more. `adjacency` set: encapsulate and send there; otherwise send as
// it is out of `port`.
using InjectedFrame = PuntedFrame;

// Sources told to the control thread a moment ago: a burst from one new MAC is one message, and an answer to it finds
// its way before the FDB knows it.
class RecentlyTold {
 public:
  // True the first time within a tick; `tick` changes about every millisecond. `changes`: WorkerContext's.
  bool first(const LearnMessage& message, uint32_t tick, uint64_t changes) noexcept {
    Told& told = told_[slot_of(message.bridge, message.key)];
    const bool known = told.message == message && told.tick == tick;
    told = {message, tick, changes};
    return !known;
  }
  // Where a MAC was last seen, if nothing has changed since then; kNoAdjacency: not told.
  AdjacencyIndex find(BridgeIndex bridge, MacVlan key, uint32_t tick, uint64_t changes) const noexcept {
    const Told& told = told_[slot_of(bridge, key)];
    const bool holds = told.message.key == key && told.message.bridge == bridge && told.changes == changes &&
                       tick - told.tick < kTicks;
    return holds ? told.message.exit : kNoAdjacency;
  }

 private:
  static constexpr uint32_t kTicks = 64;  // the control thread is never that late
  struct Told {
    LearnMessage message;
    uint32_t tick = 0;
    uint64_t changes = 0;
  };
  static size_t slot_of(BridgeIndex bridge, MacVlan key) noexcept { return hash_words(key, bridge, 0) >> 54; }
  std::array<Told, 1024> told_{};
};

// How often something may happen a second, to each of `count`.
class RateLimit {
 public:
  explicit RateLimit(size_t count) : seconds_(count) {}
  bool take(uint32_t which, uint32_t per_second, uint16_t now_s) noexcept {
    Second& second = seconds_[which];
    if (second.now_s != now_s) second = {now_s, 0};
    return second.taken < per_second && ++second.taken != 0;
  }

 private:
  struct Second {
    uint16_t now_s = 0;
    uint32_t taken = 0;
  };
  LazyArray<Second> seconds_;
};

// How many senders a second and ingress port may be told that a frame is too big. A flood of such frames costs what
// any other drop does.
inline constexpr uint32_t kTooBigPerSecond = 100;

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

struct WorkerContext {
  WorkerContext(Tables& t, uint16_t worker, uint32_t cache_entries, uint64_t seed)
      : tables(t), id(worker), cache(cache_entries, seed) {}

  Tables& tables;
  const uint16_t id;  // also its transmit queue on every port
  WorkerCounters counters;
  FlowCache cache;
  OuterCache outer_cache;
  TxBuffers tx;
  Segmenter segmenter;
  DatagramCutter datagrams;
  Segmenter numbered_segmenter;  // of what is cut in front of encap, where each segment gets a number of its own
  RecentlyTold told;
  RateLimit too_big{kMaxPorts};
  RateLimit floods{kMaxPorts};
  RateLimit tunnel_floods{kMaxAdjacencies};
  RateLimit offered_vteps{kMaxAdjacencies};
  RateLimit unresolved{kMaxAdjacencies};
  RateLimit sources{kPuntAccounts};
  RateLimit urgent_sources{kPuntAccounts};
  Sampler sampler;
  rte_mempool* pool = nullptr;  // copies, headers and segments

  SpscRing<LearnMessage> learned{32768};
  SpscRing<PuntedFrame> punted{1024};
  SpscRing<PuntedFrame> urgent{512};  // what neighbors and the routers of groups say
  SpscRing<InjectedFrame> injected{1024};

  // Loaded at the top of each loop, valid until its end.
  const FdbTable* fdb = nullptr;
  const TunnelTable* tunnels = nullptr;
  const UdpListeners* udp_listeners = nullptr;
  uint64_t changes = 0;  // of the tables, that the flow cache's epoch began with
  uint16_t now_s = 0;
  bool sampling = false;
  uint32_t tick = 0;
  PortIndex ingress = 0;               // the port of the batch under way
  AdjacencyIndex from = kNoAdjacency;  // where forward's frames came in; none: from the control thread
  bool again = false;                  // the control thread has seen the batch under way (InjectedFrame::stranger)
};

inline void count_drop(WorkerContext& w, DropReason reason) noexcept {
  w.counters.drops[static_cast<size_t>(reason)].add(1);
}

// The end of a frame that came in through w.ingress.
inline void drop(WorkerContext& w, rte_mbuf* frame, DropReason reason) noexcept {
  count_drop(w, reason);
  w.counters.ports[w.ingress].rx_drops.add(1);
  rte_pktmbuf_free(frame);
}

}  // namespace causeway
