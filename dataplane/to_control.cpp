#include "dataplane/to_control.h"

#include "dataplane/context.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/igmp.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/word_at.h"

namespace causeway {
namespace {

// Neighbor: what somebody we deal with says, and routers of groups. Answer: of one that was asked.
enum class Claim : uint8_t { none, common, neighbor, answer };

struct Asker {
  Claim claim = Claim::common;  // who reads it looks closer
  IpAddress address;
};

// What the host at `address` says; `otherwise` where nothing is known of it.
Claim claim_of(const WorkerContext& w, const PortEntry& port, const IpAddress& address, Claim otherwise) noexcept {
  if (w.tables.asked_neighbors.may_know(port.index, address)) return Claim::answer;
  return w.tables.known_neighbors.may_know(port.index, address) ? Claim::neighbor : otherwise;
}

// RFC 826: merged into what is known; otherwise only a request for an own address asks anything of us.
Asker asker_by_arp(const WorkerContext& w, const PortEntry& port, const rte_mbuf* m) noexcept {
  const auto* arp = header_at<ArpPacket>(m, sizeof(EthernetHeader));
  if (arp == nullptr) return {Claim::none, {}};
  const IpAddress sender = arp->sender_address();
  const bool asks_us = arp->operation.get() == kArpRequest && port.owns(arp->target_address());
  return {claim_of(w, port, sender, asks_us ? Claim::common : Claim::none), sender};
}

Asker asker_by_ipv6(const WorkerContext& w, const PortEntry& port, const rte_mbuf* m) noexcept {
  const auto* ip = header_at<Ipv6Header>(m, sizeof(EthernetHeader));
  if (ip == nullptr) return {Claim::none, {}};
  const IpAddress source = ip->source_address();
  if (ip->next_header == kIpv6HopByHop) return {Claim::neighbor, source};  // MLD, or the parser would have dropped it
  constexpr uint32_t kIcmpOffset = sizeof(EthernetHeader) + sizeof(Ipv6Header);
  const auto* icmp = header_at<IcmpHeader>(m, kIcmpOffset);
  if (icmp == nullptr) return {Claim::none, {}};
  if (icmp->type == kIcmpv6NeighborAdvertisement) {
    const auto* advertisement = header_at<NeighborAdvertisement>(m, kIcmpOffset);
    if (advertisement == nullptr) return {Claim::none, {}};
    return {claim_of(w, port, IpAddress::v6(advertisement->target.data()), Claim::none), source};
  }
  if (icmp->type != kIcmpv6NeighborSolicitation) return {Claim::common, source};
  return {claim_of(w, port, source, Claim::common), source};
}

Asker asker_of(const WorkerContext& w, const PortEntry& port, const rte_mbuf* m) noexcept {
  switch (header_at<EthernetHeader>(m, 0)->ethertype.get()) {
    case kEtherTypeArp:
      return asker_by_arp(w, port, m);
    case kEtherTypeIpv6:
      return asker_by_ipv6(w, port, m);
    default: {
      const auto* ip = header_at<Ipv4Header>(m, sizeof(EthernetHeader));
      if (ip == nullptr) return {Claim::none, {}};
      return {ip->protocol == kIpProtocolIgmp ? Claim::neighbor : Claim::common, ip->source_address()};
    }
  }
}

// False: there is no room, and the frame stays the caller's.
bool try_punt(WorkerContext& w, const PuntedFrame& punted) noexcept {
  // Chains are not welcome where much waits already: the queue must never hold a good part of all buffers.
  const bool room = punted.frame->nb_segs == 1 || w.mailbox.punted() < kPuntedChains;
  if (!room || !w.mailbox.punt(punted)) return false;
  w.counters.to_control.add(1);
  return true;
}

void punt(WorkerContext& w, const PuntedFrame& punted) noexcept {
  if (!try_punt(w, punted)) drop(w, punted.frame, DropReason::control_queue_full);
}

bool try_punt_urgent(WorkerContext& w, const PuntedFrame& punted, Claim claim) noexcept {
  // Most of its room is for answers.
  const bool room = claim == Claim::answer || w.mailbox.urgent() < kUnasked;
  if (!room || !w.mailbox.punt_urgent(punted)) return false;
  w.counters.to_control.add(1);
  return true;
}

// Errors about packets that were sent: RFC 792; RFC 4443 section 2.1, types below 128.
bool is_icmp_error(const rte_mbuf* m) noexcept {
  constexpr uint32_t kIp = sizeof(EthernetHeader);
  const auto* ethernet = header_at<EthernetHeader>(m, 0);
  if (ethernet->ethertype.get() == kEtherTypeIpv4) {
    const auto* ip = header_at<Ipv4Header>(m, kIp);
    if (ip == nullptr || ip->protocol != kIpProtocolIcmp) return false;
    const auto* icmp = header_at<IcmpHeader>(m, kIp + ip->header_bytes());
    return icmp != nullptr && (icmp->type == kIcmpUnreachable || icmp->type == kIcmpTimeExceeded);
  }
  if (ethernet->ethertype.get() != kEtherTypeIpv6) return false;
  const auto* ip = header_at<Ipv6Header>(m, kIp);
  if (ip == nullptr || ip->next_header != kIpProtocolIcmpv6) return false;
  const auto* icmp = header_at<IcmpHeader>(m, kIp + static_cast<uint32_t>(sizeof(Ipv6Header)));
  return icmp != nullptr && icmp->type < kIcmpv6EchoRequest;
}

struct Turn {
  bool urgent = false;
  bool mine = false;  // within what its source may have
};

// Counts a frame against its source.
Turn take_turn(WorkerContext& w, const rte_mbuf* frame, const Asker& asker) noexcept {
  const bool urgent = asker.claim != Claim::common;
  RateLimit& limit = urgent ? w.urgent_sources : w.sources;
  return {urgent, limit.take(account_of(frame, asker.address), urgent ? kUrgentPerSecond : kToHostPerSecond, w.now_s)};
}

}  // namespace

uint32_t account_of(const rte_mbuf* frame, const IpAddress& source) noexcept {
  const uint64_t mac = header_at<EthernetHeader>(frame, 0)->source.to_u64();
  const uint64_t address =
      hash_words(word_at<uint64_t>(source.bytes.data()), word_at<uint64_t>(source.bytes.data() + 8), 0);
  return static_cast<uint32_t>(hash_words(mac, address, 0) >> 32) & (kPuntAccounts - 1);
}

void punt_to_us(WorkerContext& w, const PortEntry& port, rte_mbuf* frame) noexcept {
  const Asker asker = asker_of(w, port, frame);
  if (asker.claim == Claim::none) {
    return drop(w, frame, port.host ? DropReason::host_traffic : DropReason::control_ignored);
  }
  const Turn turn = take_turn(w, frame, asker);
  if (!turn.mine) return drop(w, frame, DropReason::control_limit);
  const PuntedFrame punted{.frame = frame, .kind = Punt::to_us, .port = w.ingress, .worker = w.id};
  const bool taken = turn.urgent ? try_punt_urgent(w, punted, asker.claim) : try_punt(w, punted);
  if (!taken) drop(w, frame, DropReason::control_queue_full);
}

bool offer_to_control(WorkerContext& w, const PortEntry& port, rte_mbuf* frame) noexcept {
  const Asker asker = asker_of(w, port, frame);
  const bool concerns_us = asker.claim == Claim::neighbor || asker.claim == Claim::answer || is_icmp_error(frame);
  if (!concerns_us || asker.claim == Claim::none) return false;
  const Turn turn = take_turn(w, frame, asker);
  const PuntedFrame punted{.frame = frame, .kind = Punt::to_us, .port = w.ingress, .worker = w.id};
  return turn.mine && (turn.urgent ? try_punt_urgent(w, punted, asker.claim) : try_punt(w, punted));
}

void punt_unresolved(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  punt(w, {.frame = frame, .kind = Punt::unresolved, .port = w.ingress, .worker = w.id, .to = to.index});
}

void punt_unknown_vtep(WorkerContext& w, rte_mbuf* frame, AdjacencyIndex group, const IpAddress& vtep) noexcept {
  punt(w, {.frame = frame, .kind = Punt::unknown_vtep, .port = w.ingress, .worker = w.id, .from = group, .vtep = vtep});
}

bool punt_too_big(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  return w.mailbox.punt(
      {.frame = frame, .kind = Punt::too_big, .port = w.ingress, .worker = w.id, .to = to.index, .from = w.from});
}

}  // namespace causeway
