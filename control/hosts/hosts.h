// The hosts of bridges that suppress ARP and ND (`arp-nd-suppress`, RFC 9161): which MAC an IP address has in a VLAN.
// `bindings` say so, or the fabric (EVPN type 2 with an address), or the hosts themselves on bridge ports: whoever
// comes first in this order is believed. What workers answer from is published here (dataplane/flow/host_table.h).
// Control thread.
#pragma once

#include <rte_mbuf.h>

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "control/bridge/fdb.h"
#include "control/publish/publisher.h"
#include "dataplane/exchange.h"
#include "dataplane/flow/tables.h"

namespace causeway {

struct HostKey {
  BridgeIndex bridge = kNoBridge;
  uint16_t vlan = 0;
  IpAddress ip;
  auto operator<=>(const HostKey&) const = default;
};

class Hosts {
 public:
  using Clock = std::chrono::steady_clock;
  // Only of a host that is `known` or `probing` its questions are answered.
  enum class State : uint8_t {
    known,
    verifying,  // it has said so, and not answered a probe yet
    probing,    // it wasn't heard of for a while, or another says the same
    disputed,   // two say so, and the first is there: both may answer for themselves
  };

  // What a host says of itself. It counts once a unicast probe was answered, and as long as it is.
  struct Snooped {
    MacAddress mac;
    uint32_t nd_flags = 0;
    bool verified = false;
    unsigned probes = 0;              // sent without an answer
    std::optional<MacAddress> rival;  // says the same, and is next where this one doesn't answer
    Clock::time_point disputed_until{};
    Clock::time_point confirmed{};  // when it was heard of last
    Clock::time_point due{};        // when it is looked at again
    uint16_t seen_s = 0;            // of the published host, at the last look

    bool counts(Clock::time_point now) const { return verified && now >= disputed_until; }
  };
  struct Host {
    std::optional<MacAddress> bound;
    std::optional<MacAddress> fabric;
    std::optional<Snooped> snooped;
    std::shared_ptr<const KnownHost> published;
    std::optional<MacAddress> local;  // that was told Local

    bool is_nobody() const { return !bound && !fabric && !snooped; }
    HostSource source() const;
    MacAddress mac() const;
    State state(Clock::time_point now) const;
  };

  struct Hooks {
    std::function<rte_mbuf*()> make_frame;                     // empty; null when no buffer is left
    std::function<void(const Adjacency&, rte_mbuf*)> forward;  // a complete frame, as in the bridge, to a port
  };
  // Told of hosts on this gateway's own ports: bound ones, and those that were verified.
  using Local =
      std::function<void(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip, const MacAddress& mac, bool gone)>;

  Hosts(Tables& tables, Publisher& publisher, const Fdb& fdb, uint64_t seed, Hooks hooks);
  ~Hosts();
  Hosts(const Hosts&) = delete;
  Hosts& operator=(const Hosts&) = delete;

  // `most`: how many are snooped in it.
  void set_bridge(BridgeIndex bridge, bool suppresses, uint32_t most);
  void forget_bridge(BridgeIndex bridge);
  // Those of `bindings`, all of them: takes the place of what was bound before.
  void bind(std::map<HostKey, MacAddress> bound);
  // From type-2 routes with an address.
  void fabric_host(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip, const MacAddress& mac);
  void fabric_host_gone(BridgeIndex bridge, uint16_t vlan, const IpAddress& ip);
  // Set once; told of those that are there already.
  void tell(Local local);

  // What a worker has seen. Neither in the place of a bound host, nor of the fabric's with another MAC.
  void sighted(const HostSighting& sighting);
  // Probes, and forgets who doesn't answer. Called a few times a second.
  void tick();

  const std::map<HostKey, Host>& all() const { return hosts_; }
  struct BridgeState {
    bool suppresses = false;
    uint32_t most = 0;
    uint32_t snooped = 0;
    uint32_t published = 0;
    uint64_t refused = 0;  // snooped no more: there were too many
  };
  // Null: nobody has told of this bridge.
  const BridgeState* bridge(BridgeIndex bridge) const;

 private:
  using Item = std::map<HostKey, Host>::iterator;

  Item item_of(const HostKey& key) { return hosts_.try_emplace(key).first; }
  // Publishes and tells what follows from who says what; a host of whom nobody does goes.
  void settle(Item item);
  void publish(const HostKey& key, Host& host, bool counts);
  void show_table(uint32_t slots);
  void retire(std::shared_ptr<const KnownHost> old);
  void for_each_of(BridgeIndex bridge, const std::function<void(Item)>& visit);

  // control/hosts/snooping.cpp.
  const Adjacency* port_of(const HostKey& key, const MacAddress& mac) const;
  void begin(const HostKey& key, const HostSighting& sighting, Clock::time_point now);
  void again(Item item, const HostSighting& sighting, Clock::time_point now);
  void look(Item item, Clock::time_point now);
  void probe(const HostKey& key, Snooped& snooped, Clock::time_point now);
  void schedule(const HostKey& key, Snooped& snooped, Clock::time_point due);
  void drop_snooped(Item item);

  Tables& tables_;
  Publisher& publisher_;
  const Fdb& fdb_;
  const uint64_t seed_;
  const MacAddress prober_;  // the MAC that probes come from
  Hooks hooks_;
  Local local_;
  HostTable* table_ = nullptr;  // the published one; null: no bridge suppresses
  uint32_t used_ = 0;           // its slots that were taken once
  uint32_t published_ = 0;
  std::map<HostKey, Host> hosts_;
  std::map<HostKey, MacAddress> bound_;
  std::map<BridgeIndex, BridgeState> bridges_;
  std::set<std::pair<Clock::time_point, HostKey>> due_;
};

const char* to_string(HostSource source);
const char* to_string(Hosts::State state);

}  // namespace causeway
