// All that workers read and the control thread writes. Every pointer here is replaced whole (release
// store) and what it pointed at is freed after a grace period (dataplane/flow/quiescence.h); the FDB and the tunnel
// table are also changed in place, under the rules of their headers.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dataplane/flow/adjacency.h"
#include "dataplane/flow/fdb.h"
#include "dataplane/flow/host_table.h"
#include "dataplane/flow/known_neighbors.h"
#include "dataplane/flow/lazy_array.h"
#include "dataplane/flow/quiescence.h"
#include "dataplane/flow/tunnel_table.h"
#include "dataplane/port_io.h"

namespace causeway {

class Captures;

// One port as the workers see it.
struct PortEntry {
  PortIo* io = nullptr;
  PortIndex index = 0;
  bool coalesce = false;                    // segments of a TCP flow leave as one frame (dataplane/egress/coalesce.h)
  bool underlay = false;                    // IP frames to our addresses are ours; nothing is bridged
  bool host = false;                        // the host has the same frames, and answers what is for its addresses
  PortIndex host_path = kNoPort;            // underlay: the port of its host's stack; that one: its underlay
  AdjacencyIndex adjacency = kNoAdjacency;  // as a bridge port
  TxCapabilities capabilities{};
  MacAddress mac{};
  std::vector<IpAddress> addresses;  // underlay: every address that frames to us may carry
  // A device that has VLAN interfaces: the port of each VLAN, kNoPort where there is none. Else empty.
  std::vector<PortIndex> port_of_vlan;
  std::vector<IpPrefix> allow_from;  // underlay: whom tunnels are taken from; empty: anybody
  uint32_t flood_rate = 0;           // frames a second that a worker floods for this port; 0: any number

  bool owns(const IpAddress& address) const noexcept {
    return std::ranges::any_of(addresses, [&](const IpAddress& own) { return own == address; });
  }
};

struct BridgeEntry {
  using Members = std::vector<AdjacencyIndex>;
  Members members;  // flooded to, but for the ingress and split horizon
  // Where some members carry some VLANs only: which of `lists` a VLAN floods to. Else both are empty.
  std::vector<uint16_t> list_of_vlan;
  std::vector<Members> lists;
  bool suppresses = false;  // who asks for a known host gets the answer here (dataplane/bridging/suppress.h)
};

// UDP ports that tunnels listen on.
struct UdpListener {
  uint16_t port = 0;  // host order
  TunnelType kind = TunnelType::geneve;
};
using UdpListeners = std::vector<UdpListener>;

// GENEVE options that a tunnel's end knows, by its adjacency.
struct KnownOption {
  uint16_t option_class = 0;
  uint8_t type = 0;
  std::vector<uint8_t> data;
};
using KnownOptions = std::unordered_map<AdjacencyIndex, std::vector<KnownOption>>;

// Tunnels without remotes of their own, by the adjacency of their records without a source: multicast tunnels by their
// group's, and those of a fabric.
struct GroupTunnel {
  std::vector<IpPrefix> allow_from;  // who may be learnt; empty: anybody
  IpAddress local;                   // our own frames that come back are nobody's
  // As many VTEPs as it may have: what others send comes in as if from the group, as it does in kernel VXLAN.
  bool full = false;
  bool fabric = false;  // nobody may be learnt: its VTEPs are those that BGP names
};
using GroupTunnels = std::unordered_map<AdjacencyIndex, GroupTunnel>;

struct Tables {
  LazyArray<std::atomic<const Adjacency*>> adjacencies{kMaxAdjacencies};
  LazyArray<std::atomic<const PortEntry*>> ports{kMaxPorts};
  LazyArray<std::atomic<const BridgeEntry*>> bridges{1U << 16};
  std::atomic<const UdpListeners*> udp_listeners{nullptr};
  std::atomic<const GroupTunnels*> group_tunnels{nullptr};
  std::atomic<const KnownOptions*> known_options{nullptr};
  std::atomic<const FdbTable*> fdb{nullptr};
  std::atomic<const TunnelTable*> tunnels{nullptr};
  std::atomic<const HostTable*> hosts{nullptr};  // null: no bridge suppresses ARP and ND
  KnownNeighbors known_neighbors;
  KnownNeighbors asked_neighbors;  // of these: who hasn't answered yet
  Quiescence quiescence;
  // How often something changed that an entry of a worker's caches could rest on: an FDB slot was freed or has another
  // exit, a tunnel key went, anything published was replaced (control/publish/publisher.h). Not for new FDB
  // entries.
  std::atomic<uint64_t> changes{0};
  std::atomic<bool> sampling{false};               // whether large flows are looked for (dataplane/inspect/sample.h)
  std::atomic<bool> snooping{false};               // whether hosts are listened to (dataplane/bridging/suppress.h)
  std::atomic<const Captures*> captures{nullptr};  // null: nobody looks at frames (dataplane/inspect/capture.h)
  // Control thread, behind the stores that made the change. The workers hear of it by announce_changes(): before any
  // grace period begins, so that nothing they hold is freed, and once for many changes, since each costs them a second
  // look at every flow.
  void changed() noexcept { changes_pending_ = true; }
  bool changes_pending() const noexcept { return changes_pending_; }
  void announce_changes() noexcept {
    if (std::exchange(changes_pending_, false)) changes.fetch_add(1, std::memory_order_release);
  }

  const Adjacency* adjacency(AdjacencyIndex index) const noexcept {
    return adjacencies[index & (kMaxAdjacencies - 1)].load(std::memory_order_acquire);
  }
  const PortEntry* port(PortIndex index) const noexcept { return ports[index].load(std::memory_order_acquire); }
  const BridgeEntry* bridge(BridgeIndex index) const noexcept { return bridges[index].load(std::memory_order_acquire); }

 private:
  bool changes_pending_ = false;  // control thread
};

}  // namespace causeway
