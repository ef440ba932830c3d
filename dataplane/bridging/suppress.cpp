#include "dataplane/bridging/suppress.h"

#include "dataplane/bridging/host_messages.h"
#include "dataplane/bridging/output.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/link_local.h"

namespace causeway {
namespace {

bool is_to_prober(const WorkerContext& w, const rte_mbuf* frame) noexcept {
  return rte_pktmbuf_mtod(frame, const EthernetHeader*)->destination == w.hosts->prober();
}

HostSighting sighting_of(const Adjacency& in, uint16_t vlan, const HostClaim& claim) noexcept {
  return {.ip = claim.ip,
          .mac = claim.mac,
          .bridge = in.bridge,
          .vlan = vlan,
          .leased = claim.by_server,
          .nd_flags = claim.nd_flags};
}

// Where a MAC lives; kNoAdjacency: nobody knows.
AdjacencyIndex exit_of(const WorkerContext& w, BridgeIndex bridge, uint16_t vlan, const MacAddress& mac) noexcept {
  const uint32_t slot = w.fdb->find(bridge, mac_vlan(mac, vlan));
  return slot != kNoSlot ? w.fdb->slot(slot).exit.load(std::memory_order_relaxed) & ~kFdbStatic : kNoAdjacency;
}

// What a host answers to a probe of the control thread's is for that thread alone. The probe went to where its MAC
// lives: nobody answers from elsewhere.
void take_probe_answer(WorkerContext& w, rte_mbuf* frame, const Adjacency& in) noexcept {
  if (solicits(frame, link_local_address(w.hosts->prober()))) {
    w.counters.to_control.add(1);  // who has answered looks whether the prober is still there, which nobody needs
    return rte_pktmbuf_free(frame);
  }
  const auto claim = claim_in(frame);
  const uint16_t vlan = outer_vlan(frame, 0);
  const bool own_word = claim && !claim->by_server && in.kind == TunnelType::none;
  if (!own_word || exit_of(w, in.bridge, vlan, claim->mac) != in.index) {
    return drop(w, frame, DropReason::control_ignored);
  }
  HostSighting sighting = sighting_of(in, vlan, *claim);
  sighting.answers = true;
  if (!w.probe_answers.take(w.ingress, kProbeAnswersPerSecond, w.now_s)) {
    return drop(w, frame, DropReason::control_limit);
  }
  if (!w.mailbox.sight(sighting)) return drop(w, frame, DropReason::control_queue_full);
  w.counters.to_control.add(1);
  rte_pktmbuf_free(frame);
}

// What is known already needs no telling, but that it was heard again.
void tell(WorkerContext& w, const HostSighting& sighting) noexcept {
  const KnownHost* const known = w.hosts->find(sighting.bridge, sighting.vlan, sighting.ip);
  if (known != nullptr && known->source == HostSource::bound) return;
  if (known != nullptr && known->source == HostSource::snooped && known->mac == sighting.mac &&
      (known->nd_flags == sighting.nd_flags || known->ip.is_v4())) {
    if (!sighting.leased && known->seen_s.load(std::memory_order_relaxed) != w.now_s) {
      known->seen_s.store(w.now_s, std::memory_order_relaxed);
    }
    return;
  }
  // Beyond that, or with a full ring, it isn't learnt yet: hosts go on speaking.
  if (w.sightings.take(w.ingress, kSightingsPerSecond, w.now_s)) w.mailbox.sight(sighting);
}

// The host that is asked for, if the answer is ours to give (RFC 9161 section 3.3): it is known, and where it lives is
// known, too: not where the question comes from, but where frames from there may go. Null: flood it.
const KnownHost* host_asked_for(const WorkerContext& w, const HostQuestion& question, uint16_t vlan,
                                const Adjacency& in) noexcept {
  const KnownHost* const host = w.hosts->find(in.bridge, vlan, question.target);
  // Who asks for its own address has moved, or looks whether it is alone with it.
  if (host == nullptr || host->mac == question.asker) return nullptr;
  const Adjacency* const to = w.tables.adjacency(exit_of(w, in.bridge, vlan, host->mac));
  if (to == nullptr || to->index == in.index || of_one_split_group(in, *to)) return nullptr;
  const bool open = to->blocked == DropReason::none || to->blocked == DropReason::neighbor_unresolved;
  return open ? host : nullptr;
}

}  // namespace

bool suppress(WorkerContext& w, rte_mbuf* frame, const Adjacency& in) noexcept {
  if (w.hosts == nullptr) return false;
  if (is_to_prober(w, frame)) {
    take_probe_answer(w, frame, in);
    return true;
  }
  const auto question = question_in(frame);
  const KnownHost* const host = question ? host_asked_for(w, *question, outer_vlan(frame, 0), in) : nullptr;
  if (host == nullptr || !write_answer(frame, *question, *host)) return false;
  w.counters.answered[in.bridge].add(1);
  output(w, frame, in);
  return true;
}

void snoop(WorkerContext& w, const Batch& batch) noexcept {
  for (uint16_t i = 0; i < batch.count; ++i) {
    if (batch.out[i] == kGone || is_to_prober(w, batch.frame[i])) continue;
    const auto claim = claim_in(batch.frame[i]);
    if (!claim) continue;
    const Adjacency& in = *batch.in[i];
    const BridgeEntry* const bridge = w.tables.bridge(in.bridge);
    if (bridge == nullptr || !bridge->suppresses) continue;
    // Those behind a tunnel are another gateway's to verify; a server may be anywhere.
    if (in.kind != TunnelType::none && !claim->by_server) continue;
    tell(w, sighting_of(in, vlan_of(batch.key[i].lo), *claim));
  }
}

}  // namespace causeway
