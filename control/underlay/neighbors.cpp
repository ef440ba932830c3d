#include "control/underlay/neighbors.h"

#include <algorithm>

#include "dataplane/wire/arp.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/header_at.h"
#include "dataplane/wire/link_local.h"

namespace causeway {
namespace {

using namespace std::chrono_literals;

constexpr auto kRetry = 500ms;      // between probes without an answer
constexpr auto kRetryFailed = 3s;   // the same once it has failed, and twice that the next time
constexpr auto kRetrySeldom = 30s;  // but not more
constexpr auto kFresh = 30s;        // an answer is good for so long (Linux: base_reachable_time)
constexpr auto kLockTime = 1s;      // a new MAC stays for so long, whatever others say (Linux: locktime)
constexpr unsigned kProbes = 4;     // unanswered, then it has failed

}  // namespace

const char* to_string(Neighbors::State state) {
  switch (state) {
    case Neighbors::State::idle:
      return "idle";
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

Neighbors::Neighbors(const Underlay& underlay, Tables& tables, size_t held_buffers, Hooks hooks)
    : underlay_(underlay),
      tables_(tables),
      hooks_(std::move(hooks)),
      held_(held_buffers,
            [this](const PuntedFrame& frame, DropReason reason) { hooks_.drop(frame.frame, frame.port, reason); }) {}

Neighbors::Neighbor& Neighbors::make(const NextHop& hop) {
  const auto [item, is_new] = neighbors_.try_emplace(hop);
  if (is_new) tables_.known_neighbors.add(hop.port, hop.address);
  return item->second;
}

void Neighbors::erase(std::map<NextHop, Neighbor>::iterator item) {
  held_.forget(item->first);
  set_asked(item->first, item->second, false);
  tables_.known_neighbors.remove(item->first.port, item->first.address);
  neighbors_.erase(item);
}

void Neighbors::set_asked(const NextHop& hop, Neighbor& neighbor, bool asked) {
  if (std::exchange(neighbor.asked, asked) == asked) return;
  if (asked) {
    tables_.asked_neighbors.add(hop.port, hop.address);
  } else {
    tables_.asked_neighbors.remove(hop.port, hop.address);
  }
}

void Neighbors::watch(const NextHop& hop, Resolve resolve) {
  Neighbor& neighbor = make(hop);
  ++neighbor.watchers;
  if (resolve == Resolve::on_demand) return;
  neighbor.wanted = true;
  if (neighbor.state != State::idle) return;
  neighbor.state = State::incomplete;
  probe(hop, neighbor);
}

void Neighbors::unwatch(const NextHop& hop) {
  const auto found = neighbors_.find(hop);
  if (found == neighbors_.end() || --found->second.watchers != 0 || found->second.state == State::permanent) return;
  erase(found);
}

void Neighbors::set_static(const NextHop& hop, const MacAddress& mac) {
  confirm(hop, make(hop), mac, State::permanent);
}

void Neighbors::remove_static(const NextHop& hop) {
  const auto found = neighbors_.find(hop);
  if (found == neighbors_.end() || found->second.state != State::permanent) return;
  if (found->second.watchers == 0) return erase(found);
  found->second.state = State::reachable;
  found->second.confirmed = {};  // stale: the next tick probes
}

void Neighbors::remove_port(PortIndex port) {
  for (auto item = neighbors_.begin(); item != neighbors_.end();) {
    const auto current = item++;
    if (current->first.port == port) erase(current);
  }
}

bool Neighbors::restore(const NextHop& hop, const MacAddress& mac) {
  const auto found = neighbors_.find(hop);
  return found != neighbors_.end() && !found->second.usable() && doubt(found->first, found->second, mac);
}

std::optional<MacAddress> Neighbors::mac_of(const NextHop& hop) const {
  const auto found = neighbors_.find(hop);
  if (found == neighbors_.end() || !found->second.usable()) return std::nullopt;
  return found->second.mac;
}

void Neighbors::hold(const NextHop& hop, const PuntedFrame& frame) {
  const auto found = neighbors_.find(hop);
  if (found == neighbors_.end()) return refuse(frame);
  Neighbor& neighbor = found->second;
  if (neighbor.state == State::failed) {
    // A wanted neighbor is asked again soon; others when their time has come, and only if somebody still sends to them.
    if (neighbor.wanted) neighbor.next_probe = std::min(neighbor.next_probe, neighbor.last_probe + kRetryFailed);
    if (!neighbor.wanted && Clock::now() >= neighbor.next_probe) probe(hop, neighbor);
    return refuse(frame);
  }
  if (neighbor.usable() && neighbor.shown) return hooks_.resume(frame);
  held_.add(hop, neighbor.wanted, frame);
  if (neighbor.state != State::idle) return;
  neighbor.state = State::incomplete;
  probe(hop, neighbor);
}

void Neighbors::shown(const NextHop& hop) {
  const auto found = neighbors_.find(hop);
  if (found == neighbors_.end()) return;
  found->second.shown = true;
  if (!found->second.usable()) return;
  for (const PuntedFrame& frame : held_.take(hop)) hooks_.resume(frame);
}

bool Neighbors::confirm(const NextHop& hop, Neighbor& neighbor, const MacAddress& mac, State state) {
  const auto now = Clock::now();
  const std::optional<MacAddress> before = neighbor.usable() ? std::optional(neighbor.mac) : std::nullopt;
  const bool changed = before != mac;
  // Two that quarrel about an address, or one who makes believe so, must not cost a change of all tunnels a frame.
  if (before && changed && state != State::permanent && now - neighbor.mac_since < kLockTime) return false;
  if (before && changed) neighbor.mac_since = now;
  neighbor.mac = mac;
  neighbor.state = state;
  neighbor.wanted = true;
  set_asked(hop, neighbor, false);
  neighbor.probes = 0;
  neighbor.failures = 0;
  neighbor.confirmed = now;
  neighbor.next_probe = now + kFresh;
  if (!changed) return true;
  if (state != State::permanent) hooks_.noted(hop, before, mac);
  neighbor.shown = false;
  hooks_.changed(hop);
  return true;
}

void Neighbors::fail(const NextHop& hop, Neighbor& neighbor) {
  const bool was_usable = neighbor.usable();
  neighbor.state = State::failed;
  hooks_.noted(hop, was_usable ? std::optional(neighbor.mac) : std::nullopt, std::nullopt);
  held_.forget(hop);
  if (was_usable) hooks_.changed(hop);
}

void Neighbors::probe(const NextHop& hop, Neighbor& neighbor) {
  ++neighbor.probes;
  neighbor.last_probe = Clock::now();
  if (neighbor.state == State::failed) {
    constexpr unsigned kMostDoublings = 4;
    const auto pause = kRetryFailed * (1U << std::min(neighbor.failures++, kMostDoublings));
    neighbor.next_probe = neighbor.last_probe + std::min<Clock::duration>(pause, kRetrySeldom);
  } else {
    neighbor.next_probe = neighbor.last_probe + kRetry;
  }
  const auto source = underlay_.source_for(hop.port, hop.address);
  if (!source) return;
  set_asked(hop, neighbor, true);
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
    if (neighbor.watchers == 0 || neighbor.state == State::permanent || neighbor.state == State::idle) continue;
    if (neighbor.state == State::failed && !neighbor.wanted) continue;
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
  const bool for_us = underlay_.answers_for(port, target);

  // RFC 826: merge into what is known already; nothing new is made of what others say.
  const auto found = neighbors_.find(NextHop{port, sender});
  const bool known = found != neighbors_.end() && found->second.state != State::permanent;
  const bool believed = known && confirm(found->first, found->second, sender_mac);
  if (request && for_us) send_arp(port, kArpReply, target, sender_mac, sender);
  // Who says that it has our address isn't one who asks (RFC 5227 section 2.4); what dies is seen (control/doctor).
  if (believed || (request && for_us && !underlay_.owns(port, sender))) {
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
  if (underlay_.host_answers(port)) return false;
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
    return neighbor.state != State::reachable || doubt(hop, neighbor, neighbor.mac);
  }
  if (message.solicited) return confirm(hop, neighbor, mac);
  return (neighbor.usable() && mac == neighbor.mac) || doubt(hop, neighbor, mac);
}

// A MAC that is claimed but has not answered: used, and the next tick asks whether it is there (STALE).
bool Neighbors::doubt(const NextHop& hop, Neighbor& neighbor, const MacAddress& mac) {
  if ((!neighbor.usable() || neighbor.mac != mac) && !confirm(hop, neighbor, mac)) return false;
  neighbor.state = State::probing;
  neighbor.next_probe = Clock::now();
  return true;
}

void Neighbors::announce(PortIndex port) {
  if (underlay_.is_host(port)) return;
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
