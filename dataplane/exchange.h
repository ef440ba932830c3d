// What a worker and the control thread hand each other. Each message says what it is, and each thread sees its own ends
// of the rings alone: a worker what Mailbox offers, the control thread what Mailbox::ControlEnd does.
#pragma once

#include <rte_mbuf.h>

#include <cstddef>
#include <cstdint>

#include "dataplane/flow/adjacency.h"
#include "dataplane/flow/key.h"
#include "dataplane/spsc_ring.h"
#include "dataplane/wire/address.h"

namespace causeway {

// A source MAC that the FDB doesn't know, or knows elsewhere.
struct LearnMessage {
  MacVlan key = 0;
  AdjacencyIndex exit = kNoAdjacency;
  BridgeIndex bridge = kNoBridge;
  bool operator==(const LearnMessage&) const = default;
};

// What a host in a bridge says of itself, or its DHCP server says, as `dataplane/bridging/suppress` reads it.
struct HostSighting {
  IpAddress ip;
  MacAddress mac;
  BridgeIndex bridge = kNoBridge;
  uint16_t vlan = 0;
  bool answers = false;   // a probe of the control thread's
  bool leased = false;    // the server's word
  uint32_t nd_flags = 0;  // of an advertisement: kNdAdvertisementRouter, kNdAdvertisementOverride
};

// Why a worker hands a frame to the control thread.
enum class Punt : uint8_t {
  to_us,         // an underlay frame for this host itself: ARP, ND, ICMP, IGMP, MLD
  unresolved,    // an inner frame for the tunnel `to`, whose next hop has no known MAC
  too_big,       // a frame from `from` that doesn't fit `to`; it counts as dropped, but its sender may get an answer
  unknown_vtep,  // an outer frame for the multicast tunnel `from`, which doesn't know the sender `vtep`
};

struct PuntedFrame {
  rte_mbuf* frame = nullptr;
  Punt kind = Punt::to_us;
  PortIndex port = 0;                  // that the frame came in by
  uint16_t worker = 0;                 // that punted it, and injects it again: all frames of a flow pass one worker
  AdjacencyIndex to = kNoAdjacency;    // unresolved, too_big
  AdjacencyIndex from = kNoAdjacency;  // too_big, unknown_vtep
  IpAddress vtep{};                    // unknown_vtep: the outer source, as the parser read it
};
static_assert(sizeof(PuntedFrame) <= 64);

// What a worker does with a frame that the control thread hands it.
enum class Inject : uint8_t {
  send,           // sends it out of `port` as it is
  encap,          // forwards it to the adjacency `to`: encapsulates it if that is a tunnel
  receive_again,  // takes it as if `port` had just received it, but punts it as unknown_vtep no more
};

struct InjectedFrame {
  rte_mbuf* frame = nullptr;
  Inject kind = Inject::send;
  PortIndex port = 0;                // send: out of it; else the frame came in by it
  AdjacencyIndex to = kNoAdjacency;  // encap
};

// How many senders a second and ingress port get an answer that a frame is too big. A flood of such frames costs what
// any other drop does.
inline constexpr uint32_t kTooBigPerSecond = 100;

// How many sightings of hosts a second and ingress port a worker tells, beside the answers to probes.
inline constexpr uint32_t kSightingsPerSecond = 256;
inline constexpr uint32_t kProbeAnswersPerSecond = 1024;

// The rings between one worker and the control thread. The public functions are the worker's.
class Mailbox {
 public:
  class ControlEnd;

  // False: there is no room, and the frame stays the caller's.
  bool punt(const PuntedFrame& frame) noexcept { return punted_.push(frame); }
  // The same for what neighbors and the routers of groups say.
  bool punt_urgent(const PuntedFrame& frame) noexcept { return urgent_.push(frame); }
  bool learn(const LearnMessage& message) noexcept { return learned_.push(message); }
  bool sight(const HostSighting& sighting) noexcept { return sighted_.push(sighting); }
  // The key of a frame picked by chance (dataplane/inspect/sample.h).
  bool sample(const FlowKey& key) noexcept { return samples_.push(key); }
  // False: nothing was injected.
  bool take(InjectedFrame& frame) noexcept { return injected_.pop(frame); }

  size_t punted() const noexcept { return punted_.size(); }
  size_t urgent() const noexcept { return urgent_.size(); }
  bool has_injected() const noexcept { return !injected_.empty(); }

 private:
  SpscRing<LearnMessage> learned_{32768};
  SpscRing<PuntedFrame> punted_{1024};
  SpscRing<PuntedFrame> urgent_{512};
  SpscRing<HostSighting> sighted_{1024};
  SpscRing<FlowKey> samples_{4096};
  SpscRing<InjectedFrame> injected_{1024};
};

// The control thread's ends. Only a Worker gives them out (Worker::mailbox).
class Mailbox::ControlEnd {
 public:
  // False: there is none.
  bool take_urgent(PuntedFrame& frame) noexcept { return mailbox_->urgent_.pop(frame); }
  bool take_punted(PuntedFrame& frame) noexcept { return mailbox_->punted_.pop(frame); }
  bool take_learned(LearnMessage& message) noexcept { return mailbox_->learned_.pop(message); }
  bool take_sighted(HostSighting& sighting) noexcept { return mailbox_->sighted_.pop(sighting); }
  bool take_sample(FlowKey& key) noexcept { return mailbox_->samples_.pop(key); }
  // False: there is no room, and the frame stays the caller's. The worker may sleep: Worker::wake.
  bool inject(const InjectedFrame& frame) noexcept { return mailbox_->injected_.push(frame); }

  // Frames, a moment ago.
  size_t waiting_for_control() const noexcept { return mailbox_->punted() + mailbox_->urgent(); }
  size_t waiting_for_worker() const noexcept { return mailbox_->injected_.size(); }

 private:
  friend class Worker;
  explicit ControlEnd(Mailbox& mailbox) noexcept : mailbox_(&mailbox) {}
  Mailbox* mailbox_;
};

}  // namespace causeway
