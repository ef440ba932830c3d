#include "control/neighbors.h"

#include "dataplane/wire/arp.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/link_local.h"

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
  confirm(hop, neighbor, mac, State::permanent);
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

void Neighbors::confirm(const NextHop& hop, Neighbor& neighbor, const MacAddress& mac, State state) {
  const std::optional<MacAddress> before = neighbor.usable() ? std::optional(neighbor.mac) : std::nullopt;
  const bool changed = before != mac;
  neighbor.mac = mac;
  neighbor.state = state;
  neighbor.probes = 0;
  neighbor.confirmed = Clock::now();
  neighbor.next_probe = neighbor.confirmed + kFresh;
  if (changed && state != State::permanent) hooks_.noted(hop, before, mac);
  if (changed) hooks_.changed(hop);
  for (const PuntedFrame& frame : std::exchange(neighbor.waiting, {})) hooks_.resume(frame);
}

void Neighbors::fail(const NextHop& hop, Neighbor& neighbor) {
  const bool was_usable = neighbor.usable();
  neighbor.state = State::failed;
  hooks_.noted(hop, was_usable ? std::optional(neighbor.mac) : std::nullopt, std::nullopt);
  for (const PuntedFrame& frame : std::exchange(neighbor.waiting, {})) {
    hooks_.drop(frame.frame, frame.port, DropReason::neighbor_unresolved);
  }
  if (was_usable) hooks_.changed(hop);
}

void Neighbors::probe(const NextHop& hop, Neighbor& neighbor) {
  ++neighbor.probes;
  neighbor.next_probe = Clock::now() + (neighbor.state == State::failed ? kRetryFailed : kRetry);
  const auto source = underlay_.source_for(hop.port, hop.address);
  if (!source) return;
  // While an old answer stands the request goes to it alone (RFC 1122 section 2.3.2.1, RFC 4861 section 7.3.3).
  const MacAddress to = neighbor.state == State::probing ? neighbor.mac : MacAddress{};
  if (hop.address.is_v4()) {
    send_arp(hop.port, kArpRequest, *source, to, hop.address);
  } else if (rte_mbuf* const frame = hooks_.make_frame()) {
    write_solicitation(frame, underlay_.find(hop.port)->mac, *source, hop.address, to);
    hooks_.send(hop.port, frame);
  }
}

void Neighbors::tick() {
  send_announcements();
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
  if (ethernet != nullptr && ethernet->ethertype.get() == kEtherTypeArp) {
    receive_arp(port, frame);
  } else {
    receive_nd(port, frame);
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

void Neighbors::receive_nd(PortIndex port, rte_mbuf* frame) {
  const std::optional<NeighborMessage> message = read_neighbor_message(frame);
  const bool taken = message && (message->solicitation ? solicited(port, *message) : advertised(port, *message));
  if (taken) {
    rte_pktmbuf_free(frame);
  } else {
    hooks_.drop(frame, port, DropReason::control_ignored);
  }
}

// RFC 4861 sections 7.2.3 and 7.2.4.
bool Neighbors::solicited(PortIndex port, const NeighborMessage& message) {
  if (!underlay_.owns(port, message.target)) return false;
  const auto found = neighbors_.find(NextHop{port, message.source});
  // Who asks tells its MAC, not that it hears us.
  if (found != neighbors_.end() && found->second.state != State::permanent && message.link_address &&
      !(found->second.usable() && found->second.mac == *message.link_address)) {
    doubt(found->first, found->second, *message.link_address);
  }
  std::optional<Host> asker;
  if (!message.source.is_unspecified()) {
    asker = Host{message.link_address.value_or(message.frame_source), message.source};
  }
  if (rte_mbuf* const answer = hooks_.make_frame()) {
    write_advertisement(answer, {underlay_.find(port)->mac, message.target}, asker);
    hooks_.send(port, answer);
  }
  return true;
}

// RFC 4861 section 7.2.5.
bool Neighbors::advertised(PortIndex port, const NeighborMessage& message) {
  const auto found = neighbors_.find(NextHop{port, message.target});
  if (found == neighbors_.end() || found->second.state == State::permanent) return false;
  auto& [hop, neighbor] = *found;
  if (!neighbor.usable() && !message.link_address) return false;
  const MacAddress mac = message.link_address.value_or(neighbor.mac);
  if (neighbor.usable() && !message.override_mac && mac != neighbor.mac) {
    // It may be another one that has the same address: ask the one we know.
    if (neighbor.state == State::reachable) doubt(hop, neighbor, neighbor.mac);
  } else if (message.solicited) {
    confirm(hop, neighbor, mac);
  } else if (!neighbor.usable() || mac != neighbor.mac) {
    doubt(hop, neighbor, mac);
  }
  return true;
}

// A MAC that is claimed but has not answered: used, and the next tick asks whether it is there (STALE).
void Neighbors::doubt(const NextHop& hop, Neighbor& neighbor, const MacAddress& mac) {
  if (!neighbor.usable() || neighbor.mac != mac) confirm(hop, neighbor, mac);
  neighbor.state = State::probing;
  neighbor.next_probe = Clock::now();
}

void Neighbors::announce(PortIndex port) {
  constexpr unsigned kTimes = 3;  // MAX_NEIGHBOR_ADVERTISEMENT; ANNOUNCE_NUM is 2
  announcements_[port] = {kTimes, Clock::now()};
}

void Neighbors::send_announcements() {
  constexpr auto kInterval = 1s;  // RETRANS_TIMER
  const auto now = Clock::now();
  for (auto& [port, announcement] : announcements_) {
    const Underlay::Port* const underlay = underlay_.find(port);
    if (underlay == nullptr) {
      announcement.left = 0;
      continue;
    }
    if (now < announcement.next || !underlay->link_up) continue;
    for (const IpPrefix& own : underlay->addresses) {
      // To the address made of the MAC nobody sends who hasn't asked for it.
      if (own.address == link_local_address(underlay->mac)) continue;
      if (own.address.is_v4()) {
        send_arp(port, kArpRequest, own.address, {}, own.address);
      } else if (rte_mbuf* const frame = hooks_.make_frame()) {
        write_advertisement(frame, {underlay->mac, own.address}, std::nullopt);
        hooks_.send(port, frame);
      }
    }
    announcement.next = now + kInterval;
    --announcement.left;
  }
  std::erase_if(announcements_, [](const auto& item) { return item.second.left == 0; });
}

}  // namespace causeway
