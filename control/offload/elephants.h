// Large flows that a NIC's switch carries by itself: who they are, which rules are installed for them, and what those
// have counted. Workers only send samples (dataplane/inspect/sample.h); a flow without a rule is theirs as always. A
// rule rests on FDB entries, tunnel, neighbor, route and ports: whenever something of these may have changed it is made
// anew in thought, and goes if it would be another one. Control thread.
#pragma once

#include <chrono>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "control/offload/elephant_plan.h"
#include "pmd/error.h"

namespace causeway {

struct FlowKeyHash {
  size_t operator()(const FlowKey& key) const noexcept { return hash_words(key.lo, key.hi, 0); }
};

// Frames that no worker saw, in the terms of TrafficCounters.
struct SwitchedTraffic {
  uint64_t rx_packets = 0;
  uint64_t rx_bytes = 0;
  uint64_t tx_packets = 0;
  uint64_t tx_bytes = 0;
};

class Elephants {
 public:
  using Clock = std::chrono::steady_clock;

  struct Limits {
    size_t rules = 1024;                 // a device; all are looked at again when something changes
    size_t changes = 64;                 // rules installed a window: a device takes a millisecond for a few
    uint32_t samples = 16;               // of a flow in a window: some 4,000 frames a second
    size_t candidates = 65536;           // flows looked at in a window
    std::chrono::seconds window{1};      // also: how often rules are asked for their counts
    std::chrono::seconds idle{10};       // a rule without frames for so long goes
    std::chrono::seconds ask_again{60};  // a device that has refused a sort of rule
  };

  Elephants(Tables& tables, const Ports& ports, const Tunnels& tunnels, const Adjacencies& adjacencies, Fdb& fdb)
      : Elephants(tables, ports, tunnels, adjacencies, fdb, Limits()) {}
  Elephants(Tables& tables, const Ports& ports, const Tunnels& tunnels, const Adjacencies& adjacencies, Fdb& fdb,
            const Limits& limits)
      : tables_(tables), ports_(ports), planner_{ports, tunnels, adjacencies, fdb}, fdb_(fdb), limits_(limits) {}

  void sampled(const FlowKey& flow);
  // Something that rules rest on may have changed: those that are wrong now go. Cheap where nothing has.
  void reconcile();
  // A few times a second: counts, ageing, new rules.
  void step(Clock::time_point now, uint16_t now_s);
  // The device is about to close.
  void forget(PortIndex port);

  const SwitchedTraffic& of_port(PortIndex port) const { return find(ports_traffic_, port); }
  const SwitchedTraffic& of_tunnel(AdjacencyIndex tunnel) const { return find(tunnels_traffic_, tunnel); }

  // Somebody wants to know the largest flows, of switches and workers: for the next ten seconds all workers send
  // samples. A flow of which none comes for as long is forgotten, which makes room for others.
  void watch(Clock::time_point now);
  struct Large {
    FlowKey flow;
    uint64_t packets;  // about so many since the watch began or it was forgotten, or since there is a rule for it
  };
  // The largest come first.
  std::vector<Large> largest(size_t most) const;

  // For `show offloads`: flows that come in by a port.
  struct Summary {
    size_t installed = 0;
    uint64_t frames = 0;                    // that rules of the port have ever carried
    std::map<std::string, size_t> refused;  // by the device or by us, in the last window
  };
  Summary summary(PortIndex port) const;
  size_t installed() const { return rules_.size(); }

 private:
  struct Rule {
    ElephantPlan plan;
    DeviceRules::Handle handle = nullptr;
    FlowCount counted;
    Clock::time_point moved;
  };
  using Rules = std::unordered_map<FlowKey, Rule, FlowKeyHash>;
  // A sort of rule to a device: the port, decap, tunnel, outer IPv6.
  using Sort = std::tuple<PortIndex, bool, TunnelType, bool>;
  struct Refusal {
    std::string reason;
    Clock::time_point when;
  };
  struct Watched {
    FlowKey flow;
    uint64_t samples = 0;
    Clock::time_point last{};
  };
  template <class Map, class Key>
  static const SwitchedTraffic& find(const Map& map, const Key& key) {
    static const SwitchedTraffic kNone;
    const auto found = map.find(key);
    return found != map.end() ? found->second : kNone;
  }

  void watch_sample(const FlowKey& flow);
  void forget_silent(Clock::time_point now);
  bool usable() const;
  SwitchRules* rules_of(PortIndex port) const;
  // True: it has moved since the last look.
  bool count(Rule& rule);
  Rules::iterator remove(Rules::iterator rule);
  void count_all(Clock::time_point now, uint16_t now_s);
  void install_largest(Clock::time_point now);
  // Fails where it isn't installed.
  Error install(const FlowKey& flow, const ElephantPlan& plan, Clock::time_point now);

  Tables& tables_;
  const Ports& ports_;
  ElephantPlanner planner_;
  Fdb& fdb_;
  Limits limits_;
  Rules rules_;
  std::unordered_map<FlowKey, uint32_t, FlowKeyHash> samples_;  // in this window
  std::list<Watched> watched_;                                  // the one sampled longest ago comes first
  std::unordered_map<FlowKey, std::list<Watched>::iterator, FlowKeyHash> watched_at_;
  Clock::time_point watched_until_{};
  bool watching_ = false;
  Clock::time_point now_{};               // of the last step, or of who has asked since
  std::map<PortIndex, Summary> devices_;  // by where flows come in
  std::map<Sort, Refusal> refusals_;
  std::unordered_map<PortIndex, SwitchedTraffic> ports_traffic_;
  std::unordered_map<AdjacencyIndex, SwitchedTraffic> tunnels_traffic_;
  uint64_t changes_ = 0;  // Tables::changes at the last look
  Clock::time_point window_{};
};

}  // namespace causeway
