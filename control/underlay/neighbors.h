// Neighbors of the underlay: next hops resolved by ARP (RFC 826) or neighbor discovery (RFC 4861), kept fresh, and
// never learnt from tunnelled data. Answers both for our own addresses; for those of the host's (`addresses: host`) the
// host does. Frames for a next hop under resolution wait here (control/underlay/held_frames.h).
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "control/config/config.h"
#include "control/underlay/held_frames.h"
#include "control/underlay/neighbor_discovery.h"
#include "control/underlay/underlay.h"
#include "dataplane/exchange.h"
#include "dataplane/flow/tables.h"

namespace causeway {

class Neighbors {
 public:
  using Clock = std::chrono::steady_clock;
  // Idle: nobody has sent to it, and so it wasn't asked for.
  enum class State : uint8_t { idle, incomplete, reachable, probing, failed, permanent };
  struct Neighbor {
    State state = State::idle;
    MacAddress mac;
    unsigned watchers = 0;          // tunnels that go through it
    bool wanted = false;            // asked for without a frame that waits: it is configured, or has answered before
    bool shown = true;              // Hooks::changed was dealt with
    bool asked = false;             // and not answered yet
    unsigned probes = 0;            // sent without an answer
    unsigned failures = 0;          // probes in vain since it has failed
    Clock::time_point confirmed{};  // last answer
    Clock::time_point mac_since{};  // when it last took the place of another one
    Clock::time_point last_probe{};
    Clock::time_point next_probe{};
    bool usable() const { return state == State::reachable || state == State::probing || state == State::permanent; }
  };

  // What the neighbors need of the rest. `send` takes the frame over.
  struct Hooks {
    std::function<rte_mbuf*()> make_frame;                       // empty; null when no buffer is left
    std::function<void(PortIndex, rte_mbuf*)> send;              // a complete frame out of a port
    std::function<void(const PuntedFrame&)> resume;              // a frame whose next hop is known now
    std::function<void(rte_mbuf*, PortIndex, DropReason)> drop;  // counts and frees
    std::function<void(const NextHop&)> changed;                 // MAC known, changed or lost; answered by shown()
    // Before that, and when one never answered: what is known of it, before and now. Not of static ones.
    std::function<void(const NextHop&, const std::optional<MacAddress>&, const std::optional<MacAddress>&)> noted;
  };

  // `held_buffers`: how many mbufs may wait for neighbors.
  Neighbors(const Underlay& underlay, Tables& tables, size_t held_buffers, Hooks hooks);

  // Somebody's frames go to `hop` from now on: resolve it and keep it fresh until unwatch. On demand: when the first
  // frame wants to go there.
  enum class Resolve : uint8_t { now, on_demand };
  void watch(const NextHop& hop, Resolve resolve = Resolve::now);
  void unwatch(const NextHop& hop);
  void set_static(const NextHop& hop, const MacAddress& mac);
  void remove_static(const NextHop& hop);
  void remove_port(PortIndex port);
  // A MAC that an earlier process has learnt: used, and asked for soon. False: nobody watches the hop, or it has one.
  bool restore(const NextHop& hop, const MacAddress& mac);

  // The MAC if it is known.
  std::optional<MacAddress> mac_of(const NextHop& hop) const;
  // Keeps a frame until the next hop answers or fails.
  void hold(const NextHop& hop, const PuntedFrame& frame);
  // Drops the frames that wait for this adjacency: it goes away, or leads elsewhere from now on.
  void forget(const NextHop& hop, AdjacencyIndex adjacency) { held_.forget(hop, adjacency); }
  // The workers know what Hooks::changed told: frames that waited go on.
  void shown(const NextHop& hop);
  // Counts and frees a frame that has no next hop at all.
  void refuse(const PuntedFrame& frame) { hooks_.drop(frame.frame, frame.port, DropReason::neighbor_unresolved); }
  // ARP or neighbor discovery from an underlay port, or nothing that anybody else wanted. Takes it over.
  void receive(PortIndex port, rte_mbuf* frame);
  // Tells everybody on the link where our addresses are now (RFC 5227 section 2.3, RFC 4861 section 7.2.6), from the
  // next tick on.
  void announce(PortIndex port);
  // Probes, retries and gives up. Called a few times a second.
  void tick();

  const std::map<NextHop, Neighbor>& all() const { return neighbors_; }
  const HeldFrames& held() const { return held_; }

 private:
  Neighbor& make(const NextHop& hop);
  void erase(std::map<NextHop, Neighbor>::iterator item);
  void set_asked(const NextHop& hop, Neighbor& neighbor, bool asked);
  void probe(const NextHop& hop, Neighbor& neighbor);
  // False: it had another MAC a moment ago, and keeps it.
  bool confirm(const NextHop& hop, Neighbor& neighbor, const MacAddress& mac, State state = State::reachable);
  void fail(const NextHop& hop, Neighbor& neighbor);
  void receive_arp(PortIndex port, rte_mbuf* frame);
  void receive_nd(PortIndex port, rte_mbuf* frame);
  bool solicited(PortIndex port, const NeighborMessage& message);
  bool advertised(PortIndex port, const NeighborMessage& message);
  bool doubt(const NextHop& hop, Neighbor& neighbor, const MacAddress& mac);
  void send_announcements();
  void send_arp(PortIndex port, uint16_t operation, const IpAddress& sender, const MacAddress& target_mac,
                const IpAddress& target);

  const Underlay& underlay_;
  Tables& tables_;
  Hooks hooks_;
  HeldFrames held_;
  std::map<NextHop, Neighbor> neighbors_;
  struct Announcement {
    unsigned left = 0;
    Clock::time_point next{};
  };
  std::map<PortIndex, Announcement> announcements_;
};

const char* to_string(Neighbors::State state);

}  // namespace causeway
