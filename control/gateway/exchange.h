// The slow path: takes from the workers what they punt and report, hands each message to its subject, and injects
// frames. Control thread.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "control/bridge/fdb.h"
#include "control/gateway/event_log.h"
#include "control/hosts/hosts.h"
#include "control/offload/elephants.h"
#include "control/offload/tunnel_rules.h"
#include "control/publish/adjacencies.h"
#include "control/tunnel/tunnels.h"
#include "control/underlay/memberships.h"
#include "control/underlay/neighbors.h"
#include "control/underlay/refusals.h"
#include "control/underlay/underlay.h"
#include "dataplane/drop_reason.h"
#include "dataplane/exchange.h"
#include "dataplane/flow/rate_limit.h"
#include "dataplane/flow/tables.h"
#include "dataplane/inspect/drop_examples.h"
#include "dataplane/worker.h"

namespace causeway {

class Exchange {
 public:
  using Workers = std::vector<std::unique_ptr<Worker>>;

  // Whom the messages are for.
  struct Subjects {
    const Tables& tables;
    const Adjacencies& adjacencies;
    const Underlay& underlay;
    Fdb& fdb;
    Hosts& hosts;
    EventLog& events;
    Neighbors& neighbors;
    Memberships& memberships;
    Tunnels& tunnels;
    Refusals& refusals;
    OffloadSync& offload_sync;
    Elephants& elephants;
  };

  Exchange(const Workers& workers, rte_mempool* pool, const Subjects& subjects);

  // Takes what the workers have until they have no more or the time is over. Returns how many things that were.
  using Clock = std::chrono::steady_clock;
  size_t serve(Clock::time_point until, uint16_t now_s);

  // An empty frame; null: no buffer is left.
  rte_mbuf* make_frame() { return rte_pktmbuf_alloc(pool_); }
  // Takes over a complete frame, which leaves by `port`.
  void send(PortIndex port, rte_mbuf* frame);
  // Takes over a complete frame, as it is in the bridge, which leaves by a bridge port.
  void forward(const Adjacency& to, rte_mbuf* frame);
  // Takes over a frame that waited for its next hop (Punt::unresolved), which is known now.
  void resume(const PuntedFrame& punted);
  // Counts and frees a frame that came in by `port`.
  void drop(rte_mbuf* frame, PortIndex port, DropReason reason);
  // Whether frames wait for a worker that is to send them.
  bool has_unsent() const;

  // What all workers have counted so far.
  Tunnels::Packets packets_of(AdjacencyIndex end) const;
  uint64_t received_from(AdjacencyIndex end) const { return packets_of(end).received; }
  uint64_t dropped_by_workers(DropReason reason) const;
  // Drops counted on the control thread.
  const std::array<uint64_t, kDropReasons>& drops() const { return drops_; }
  // What has died on the control thread.
  DropExamples& drop_examples() { return *drop_examples_; }
  void count_drops(DropReason reason, uint64_t frames) { drops_[static_cast<size_t>(reason)] += frames; }

 private:
  // Takes a few of each thing that one worker has.
  size_t serve(Worker& worker, uint16_t now_s);
  void receive(const PuntedFrame& punted, uint16_t now_s);
  // A frame to this host from an underlay port.
  void receive_for_host(const PuntedFrame& punted);
  void receive_own(PortIndex port, rte_mbuf* frame);
  // False: it isn't about a tunnel of ours, or no news.
  bool learn_error(const TunnelError& error);
  void answer_too_big(const PuntedFrame& punted, uint16_t now_s);
  void learn_vtep(const PuntedFrame& punted, uint16_t now_s);
  void inject(uint16_t worker, const InjectedFrame& frame);

  const Workers& workers_;
  rte_mempool* pool_;
  Subjects subjects_;
  std::array<uint64_t, kDropReasons> drops_{};
  std::unique_ptr<DropExamples> drop_examples_ = std::make_unique<DropExamples>();
  RateLimit too_big_{kMaxPorts};  // of all workers together
};

}  // namespace causeway
