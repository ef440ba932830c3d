#include "control/gateway/exchange.h"

#include <algorithm>

#include "control/gateway/packet_too_big.h"
#include "control/underlay/icmp_echo.h"
#include "control/underlay/path_mtu.h"

namespace causeway {

Exchange::Exchange(const Workers& workers, rte_mempool* pool, const Subjects& subjects)
    : workers_(workers), pool_(pool), subjects_(subjects) {}

size_t Exchange::serve(Clock::time_point until, uint16_t now_s) {
  size_t all = 0;
  for (size_t served = 1; served != 0 && Clock::now() < until; all += served) {
    served = 0;
    for (const auto& worker : workers_) served += serve(*worker, now_s);
  }
  return all;
}

size_t Exchange::serve(Worker& worker, uint16_t now_s) {
  constexpr size_t kOfEach = 64;
  Mailbox::ControlEnd mailbox = worker.mailbox();
  size_t served = 0;
  PuntedFrame frame;
  for (size_t i = 0; i < kOfEach && mailbox.take_urgent(frame); ++i, ++served) receive(frame, now_s);
  for (size_t i = 0; i < kOfEach && mailbox.take_punted(frame); ++i, ++served) receive(frame, now_s);
  LearnMessage message;
  size_t learned = 0;
  for (; learned < kOfEach && mailbox.take_learned(message); ++learned) {
    subjects_.fdb.learn(message.bridge, message.key, message.exit, now_s);
  }
  served += learned;
  // Behind the MACs that they have: while there may be more of these, hosts wait.
  HostSighting host;
  for (size_t i = 0; i < kOfEach && learned < kOfEach && mailbox.take_sighted(host); ++i, ++served) {
    subjects_.hosts.sighted(host);
  }
  FlowKey flow;
  for (size_t i = 0; i < kOfEach && mailbox.take_sample(flow); ++i, ++served) subjects_.elephants.sampled(flow);
  return served;
}

void Exchange::receive(const PuntedFrame& punted, uint16_t now_s) {
  switch (punted.kind) {
    case Punt::to_us:
      return receive_for_host(punted);
    case Punt::unresolved:
      return subjects_.tunnels.hold(punted);
    case Punt::too_big:
      return answer_too_big(punted, now_s);
    case Punt::unknown_vtep:
      return learn_vtep(punted, now_s);
  }
}

// Of a host path's frame we read a copy: it is the host's, and goes on to there.
void Exchange::receive_for_host(const PuntedFrame& punted) {
  const PortEntry* const port = subjects_.tables.port(punted.port);
  if (port == nullptr || port->host_path == kNoPort) return receive_own(punted.port, punted.frame);
  rte_mbuf* const copy = rte_pktmbuf_copy(punted.frame, pool_, 0, UINT32_MAX);
  if (copy != nullptr) receive_own(punted.port, copy);
  inject(punted.worker, {.frame = punted.frame, .kind = Inject::send, .port = port->host_path});
}

void Exchange::receive_own(PortIndex port, rte_mbuf* frame) {
  const Underlay::Port* const underlay = subjects_.underlay.find(port);
  const bool answers = underlay != nullptr && !subjects_.underlay.host_answers(port);
  if (answers && make_echo_reply(frame, underlay->mac)) return send(port, frame);
  const auto error = read_tunnel_error(frame, *subjects_.tables.udp_listeners.load(std::memory_order_relaxed));
  if (subjects_.memberships.receive(port, frame) || (error && learn_error(*error))) {
    rte_pktmbuf_free(frame);
  } else {
    subjects_.neighbors.receive(port, frame);
  }
}

bool Exchange::learn_error(const TunnelError& error) {
  const AdjacencyIndex end = subjects_.tunnels.sender_of(error.tunnel);
  if (end == kNoAdjacency) return false;
  if (error.kind == TunnelError::Kind::too_big) {
    const auto report = path_mtu_report(error);
    if (!report || !subjects_.tunnels.learn_path_mtu(*report)) return false;
    subjects_.events.path_mtu(end, error);
    return true;
  }
  subjects_.refusals.learn(end, error, received_from(end), Refusals::Clock::now());
  subjects_.events.refused(end, error);
  return true;
}

// The answer goes back to where the frame came from, through the worker that had it.
void Exchange::answer_too_big(const PuntedFrame& punted, uint16_t now_s) {
  const Adjacency* const to = subjects_.adjacencies.get(punted.to);
  const bool may = to != nullptr && too_big_.take(punted.port, kTooBigPerSecond, now_s);
  rte_mbuf* const answer = may ? make_frame() : nullptr;
  if (answer != nullptr && write_packet_too_big(answer, punted.frame, *to)) {
    inject(punted.worker, {.frame = answer, .kind = Inject::encap, .port = punted.port, .to = punted.from});
  } else {
    rte_pktmbuf_free(answer);
  }
  rte_pktmbuf_free(punted.frame);
}

// The worker receives the frame again once the tunnel knows the VTEP.
void Exchange::learn_vtep(const PuntedFrame& punted, uint16_t now_s) {
  const AdjacencyIndex group = punted.from;
  const DropReason reason = subjects_.tunnels.learn_vtep(group, punted.vtep, now_s);
  if (reason != DropReason::none) return drop(punted.frame, punted.port, reason);
  const Tunnels::Tunnel& tunnel = *subjects_.tunnels.find(subjects_.adjacencies.owner(group).interface);
  if (const auto vtep = tunnel.vteps.find(punted.vtep); vtep != tunnel.vteps.end()) {
    subjects_.fdb.limit_with(vtep->second.adjacency, group);
    subjects_.offload_sync.changed();
  }
  inject(punted.worker, {.frame = punted.frame, .kind = Inject::receive_again, .port = punted.port});
}

void Exchange::send(PortIndex port, rte_mbuf* frame) {
  inject(0, {.frame = frame, .kind = Inject::send, .port = port});
}

void Exchange::forward(const Adjacency& to, rte_mbuf* frame) {
  inject(0, {.frame = frame, .kind = Inject::encap, .port = to.port, .to = to.index});
}

void Exchange::resume(const PuntedFrame& punted) {
  inject(punted.worker, {.frame = punted.frame, .kind = Inject::encap, .port = punted.port, .to = punted.to});
}

void Exchange::inject(uint16_t worker, const InjectedFrame& frame) {
  if (!workers_[worker]->mailbox().inject(frame)) drop(frame.frame, frame.port, DropReason::control_queue_full);
  workers_[worker]->wake();
}

void Exchange::drop(rte_mbuf* frame, PortIndex port, DropReason reason) {
  const CapturePlace place{.port = port, .reason = reason};
  if (drop_examples_->wants(reason)) drop_examples_->keep(frame, place);
  if (const Captures* const captures = subjects_.tables.captures.load(std::memory_order_relaxed)) {
    captures->look_at(workers_.size(), {&frame, 1}, place);
  }
  count_drops(reason, 1);
  rte_pktmbuf_free(frame);
}

bool Exchange::has_unsent() const {
  return std::ranges::any_of(workers_, [](const auto& worker) { return worker->mailbox().waiting_for_worker() != 0; });
}

Tunnels::Packets Exchange::packets_of(AdjacencyIndex end) const {
  Tunnels::Packets packets;
  for (const auto& worker : workers_) {
    const TrafficCounters& traffic = worker->counters().tunnels[end];
    packets.received += traffic.rx_packets.get();
    packets.sent += traffic.tx_packets.get();
  }
  return packets;
}

uint64_t Exchange::dropped_by_workers(DropReason reason) const {
  uint64_t frames = 0;
  for (const auto& worker : workers_) frames += worker->counters().drops[static_cast<size_t>(reason)].get();
  return frames;
}

}  // namespace causeway
