#include "control/neighbors.h"

#include "dataplane/wire/arp.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/ipv4.h"

namespace causeway {
namespace {

using namespace std::chrono_literals;

constexpr auto kRetry = 500ms;         // between probes without an answer
constexpr auto kRetryFailed = 3s;      // the same once it has failed
constexpr auto kFresh = 30s;           // an answer is good for so long (Linux: base_reachable_time)
constexpr unsigned kProbes = 4;        // unanswered, then it has failed
constexpr size_t kWaitingFrames = 16;  // a neighbor

}  // namespace

const char* to_string(Neighbors::State state) {
  switch (state) {
    case Neighbors::State::incomplete:
      return "incomplete";
    case Neighbors::State::reachable:
      return "reachable";
    case Neighbors::State::probing:
      return "probing";
    case Neighbors::State::failed:
      return "failed";
    case Neighbors::State::permanent:
      return "permanent";
  }
  return "";
}

Neighbors::~Neighbors() {
  for (auto& [hop, neighbor] : neighbors_) {
    for (const PuntedFrame& frame : neighbor.waiting) rte_pktmbuf_free(frame.frame);
  }
}

void Neighbors::watch(const NextHop& hop) {
  Neighbor& neighbor = neighbors_[hop];
  if (++neighbor.watchers == 1 && neighbor.state == State::incomplete) probe(hop, neighbor);
}

void Neighbors::unwatch(const NextHop& hop) {
  const auto found = neighbors_.find(hop);
  if (found == neighbors_.end() || --found->second.watchers != 0 || found->second.state == State::permanent) return;
  for (const PuntedFrame& frame : found->second.waiting) {
    hooks_.drop(frame.frame, frame.port, DropReason::neighbor_unresolved);
  }
  neighbors_.erase(found);
}

void Neighbors::set_static(const NextHop& hop, const MacAddress& mac) {
  Neighbor& neighbor = neighbors_[hop];
  confirm(hop, neighbor, mac);
  neighbor.state = State::permanent;
}

void Neighbors::remove_static(const NextHop& hop) {
  const auto found = neighbors_.find(hop);
  if (found == neighbors_.end() || found->second.state != State::permanent) return;
  if (found->second.watchers == 0) {
    neighbors_.erase(found);
    return;
  }
  found->second.state = State::reachable;
  found->second.confirmed = {};  // stale: the next tick probes
}

void Neighbors::remove_port(PortIndex port) {
  std::erase_if(neighbors_, [&](auto& item) {
    if (item.first.port != port) return false;
    for (const PuntedFrame& frame : item.second.waiting) {
      hooks_.drop(frame.frame, frame.port, DropReason::neighbor_unresolved);
    }
    return true;
  });
}

std::optional<MacAddress> Neighbors::mac_of(const NextHop& hop) const {
  const auto found = neighbors_.find(hop);
  if (found == neighbors_.end() || !found->second.usable()) return std::nullopt;
  return found->second.mac;
}

void Neighbors::hold(const NextHop& hop, const PuntedFrame& frame) {
  const auto found = neighbors_.find(hop);
  if (found == neighbors_.end() || found->second.state == State::failed) {
    hooks_.drop(frame.frame, frame.port, DropReason::neighbor_unresolved);
    return;
  }
  Neighbor& neighbor = found->second;
  if (neighbor.usable()) {
    hooks_.resume(frame);
    return;
  }
  if (neighbor.waiting.size() == kWaitingFrames) {  // the oldest is the least wanted
    hooks_.drop(neighbor.waiting.front().frame, neighbor.waiting.front().port, DropReason::neighbor_unresolved);
    neighbor.waiting.pop_front();
  }
  neighbor.waiting.push_back(frame);
}

void Neighbors::forget(const NextHop& hop, AdjacencyIndex adjacency) {
  const auto found = neighbors_.find(hop);
  if (found == neighbors_.end()) return;
  std::erase_if(found->second.waiting, [&](const PuntedFrame& frame) {
    if (frame.adjacency != adjacency) return false;
    hooks_.drop(frame.frame, frame.port, DropReason::neighbor_unresolved);
    return true;
  });
}

void Neighbors::confirm(const NextHop& hop, Neighbor& neighbor, const MacAddress& mac) {
  const bool changed = !neighbor.usable() || neighbor.mac != mac;
  neighbor.mac = mac;
  neighbor.state = State::reachable;
  neighbor.probes = 0;
  neighbor.confirmed = Clock::now();
  neighbor.next_probe = neighbor.confirmed + kFresh;
  if (changed) hooks_.changed(hop);
  for (const PuntedFrame& frame : std::exchange(neighbor.waiting, {})) hooks_.resume(frame);
}

void Neighbors::fail(const NextHop& hop, Neighbor& neighbor) {
  const bool was_usable = neighbor.usable();
  neighbor.state = State::failed;
  for (const PuntedFrame& frame : std::exchange(neighbor.waiting, {})) {
    hooks_.drop(frame.frame, frame.port, DropReason::neighbor_unresolved);
  }
  if (was_usable) hooks_.changed(hop);
}

void Neighbors::probe(const NextHop& hop, Neighbor& neighbor) {
  ++neighbor.probes;
  neighbor.next_probe = Clock::now() + (neighbor.state == State::failed ? kRetryFailed : kRetry);
  const auto source = underlay_.source_for(hop.port, hop.address);
  if (!source || !hop.address.is_v4()) return;
  // While an old answer stands the request goes to it alone (RFC 1122 section 2.3.2.1).
  send_arp(hop.port, kArpRequest, *source, neighbor.state == State::probing ? neighbor.mac : MacAddress{}, hop.address);
}

void Neighbors::tick() {
  const auto now = Clock::now();
  for (auto& [hop, neighbor] : neighbors_) {
    if (neighbor.watchers == 0 || neighbor.state == State::permanent) continue;
    if (neighbor.state == State::reachable && now - neighbor.confirmed >= kFresh) {
      neighbor.state = State::probing;
      neighbor.next_probe = now;
    }
    if (neighbor.state == State::reachable || now < neighbor.next_probe) continue;
    if (neighbor.state != State::failed && neighbor.probes >= kProbes) {
      fail(hop, neighbor);
    }
    probe(hop, neighbor);
  }
}

void Neighbors::receive(PortIndex port, rte_mbuf* frame) {
  const auto* ethernet = header_at<EthernetHeader>(frame, 0);
  switch (ethernet != nullptr ? ethernet->ethertype.get() : 0) {
    case kEtherTypeArp:
      receive_arp(port, frame);
      break;
    case kEtherTypeIpv4:
      receive_icmp(port, frame);
      break;
    default:
      hooks_.drop(frame, port, DropReason::control_ignored);
      break;
  }
}

void Neighbors::receive_arp(PortIndex port, rte_mbuf* frame) {
  const auto* arp = header_at<ArpPacket>(frame, sizeof(EthernetHeader));
  if (arp == nullptr || arp->hardware_type.get() != kArpHardwareEthernet ||
      arp->protocol_type.get() != kEtherTypeIpv4 || arp->hardware_bytes != 6 || arp->protocol_bytes != 4 ||
      arp->sender_mac.is_multicast()) {
    hooks_.drop(frame, port, DropReason::control_ignored);
    return;
  }
  const IpAddress sender = arp->sender_address();
  const IpAddress target = arp->target_address();
  const MacAddress sender_mac = arp->sender_mac;
  const bool request = arp->operation.get() == kArpRequest;
  const bool for_us = underlay_.owns(port, target);

  // RFC 826: merge into what is known already; nothing new is made of what others say.
  const auto found = neighbors_.find(NextHop{port, sender});
  const bool known = found != neighbors_.end() && found->second.state != State::permanent;
  if (known) confirm(found->first, found->second, sender_mac);
  if (request && for_us) send_arp(port, kArpReply, target, sender_mac, sender);
  if (known || (request && for_us)) {
    rte_pktmbuf_free(frame);
  } else {
    hooks_.drop(frame, port, DropReason::control_ignored);
  }
}

// `target_mac` zero: broadcast.
void Neighbors::send_arp(PortIndex port, uint16_t operation, const IpAddress& sender, const MacAddress& target_mac,
                         const IpAddress& target) {
  const Underlay::Port* const underlay = underlay_.find(port);
  rte_mbuf* const frame = hooks_.make_frame();
  if (frame == nullptr || underlay == nullptr) {
    rte_pktmbuf_free(frame);
    return;
  }
  constexpr uint16_t kMinFrameBytes = 60;
  auto* bytes = rte_pktmbuf_append(frame, kMinFrameBytes);
  std::memset(bytes, 0, kMinFrameBytes);
  auto* ethernet = reinterpret_cast<EthernetHeader*>(bytes);
  ethernet->destination = target_mac.is_zero() ? kBroadcastMac : target_mac;
  ethernet->source = underlay->mac;
  ethernet->ethertype.set(kEtherTypeArp);
  auto* arp = reinterpret_cast<ArpPacket*>(bytes + sizeof(EthernetHeader));
  arp->hardware_type.set(kArpHardwareEthernet);
  arp->protocol_type.set(kEtherTypeIpv4);
  arp->hardware_bytes = 6;
  arp->protocol_bytes = 4;
  arp->operation.set(operation);
  arp->sender_mac = underlay->mac;
  std::memcpy(&arp->sender_ip, sender.v4_wire(), 4);
  arp->target_mac = target_mac;
  std::memcpy(&arp->target_ip, target.v4_wire(), 4);
  hooks_.send(port, frame);
}

// An echo request becomes its own reply. The dataplane has checked the IP header.
void Neighbors::receive_icmp(PortIndex port, rte_mbuf* frame) {
  auto* ethernet = writable_header_at<EthernetHeader>(frame, 0);
  auto* ip = writable_header_at<Ipv4Header>(frame, sizeof(EthernetHeader));
  constexpr uint32_t kIcmpOffset = sizeof(EthernetHeader) + sizeof(Ipv4Header);
  auto* icmp = writable_header_at<IcmpHeader>(frame, kIcmpOffset);
  const Underlay::Port* const underlay = underlay_.find(port);
  if (underlay == nullptr || ip == nullptr || icmp == nullptr || ip->protocol != kIpProtocolIcmp ||
      icmp->type != kIcmpEchoRequest || ethernet->destination != underlay->mac ||
      ip->total_bytes.get() < sizeof(Ipv4Header) + sizeof(IcmpHeader) ||
      fold(sum_chain(frame, kIcmpOffset, ip->total_bytes.get() - static_cast<uint32_t>(sizeof(Ipv4Header)))) !=
          0xffff) {
    hooks_.drop(frame, port, DropReason::control_ignored);
    return;
  }
  ethernet->destination = std::exchange(ethernet->source, underlay->mac);
  std::swap(ip->source, ip->destination);
  ip->ttl = 64;
  ip->checksum = ipv4_checksum(*ip);
  const be16 before = be16::from_raw(__builtin_bit_cast(uint16_t, std::array<uint8_t, 2>{icmp->type, icmp->code}));
  icmp->type = kIcmpEchoReply;
  const be16 after = be16::from_raw(__builtin_bit_cast(uint16_t, std::array<uint8_t, 2>{icmp->type, icmp->code}));
  icmp->checksum = update_checksum(icmp->checksum, before, after);
  hooks_.send(port, frame);
}

}  // namespace causeway
