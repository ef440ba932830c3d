// Which rules live in the NICs, and why the others don't. For each tunnel end behind a port that takes rules there
// ought to be one: it marks the tunnel's frames with their adjacency and spreads them by their inner headers. Workers
// never wait for any of this: a frame without a mark, or with one that is out of date, is looked up as always
// (dataplane/ingress/marked_tunnel.h). Control thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/port/ports.h"
#include "control/tunnel/tunnels.h"
#include "pmd/flow_rules.h"

namespace causeway {

struct TunnelKeyHash {
  size_t operator()(const TunnelKey& key) const noexcept;
};

class OffloadSync {
 public:
  using Clock = std::chrono::steady_clock;

  struct Limits {
    size_t rules = 65536;  // a port
    size_t changes = 500;  // a step, installed and removed: a device takes a millisecond for a few
    // A device that refuses so many of a kind in a row gets no more of them until it is asked again.
    unsigned refusals = 8;
    std::chrono::seconds ask_again{60};
    std::chrono::seconds look{10};  // for rules without traffic, where others have no room
    size_t asked_for_counts = 256;  // rules that a summary asks: each is a question to the device
  };
  // Frames that came in through an adjacency so far, with or without a rule.
  using Traffic = std::function<uint64_t(AdjacencyIndex)>;

  OffloadSync(const Ports& ports, const Tunnels& tunnels, Traffic traffic)
      : OffloadSync(ports, tunnels, std::move(traffic), Limits()) {}
  OffloadSync(const Ports& ports, const Tunnels& tunnels, Traffic traffic, const Limits& limits)
      : ports_(ports), tunnels_(tunnels), traffic_(std::move(traffic)), limits_(limits) {}

  // Tunnels, routes or ports are not what they were.
  void changed() { changed_ = true; }
  // A few times a second: does a part of what is to be done.
  void step(Clock::time_point now);
  // The device is about to close.
  void forget(PortIndex port);

  // For `show offloads`.
  struct Summary {
    size_t wanted = 0;
    size_t installed = 0;
    size_t removing = 0;                    // still there, of tunnels that are not
    size_t refused = 0;                     // of those wanted
    std::map<std::string, size_t> reasons;  // of refusals
    // Frames that the rules saw; nothing: none counts, or they are too many to ask one by one.
    std::optional<uint64_t> frames;
  };
  Summary summary(PortIndex port) const;
  // What the device has counted for a tunnel; nothing: it has no such rule.
  bool count(PortIndex port, const TunnelKey& tunnel, FlowCount& count) const;

 private:
  struct Rule {
    FlowRule rule;
    FlowRules::Handle handle = nullptr;  // null: not installed
    bool wanted = false;
    std::string refused{};  // why
    uint64_t traffic = 0;   // at the last look
    bool busy = false;      // had some between the last two
  };
  using Rules = std::unordered_map<TunnelKey, Rule, TunnelKeyHash>;
  struct Kind {
    unsigned refusals = 0;  // in a row
    bool accepted = false;  // once: what it refuses now it has no room for
    std::string reason{};
  };
  struct Device {
    Rules rules;
    size_t installed = 0;
    std::map<std::pair<TunnelType, bool>, Kind> kinds;  // and whether the outer header is IPv6
  };

  void want();
  void want_rules(const Tunnels::Tunnel& tunnel, const Tunnels::Endpoint& end);
  void want_rule(const Ports::Record& port, const FlowRule& wanted);
  bool remove_stale(Device& device, FlowRules& rules, size_t& budget);
  bool install_missing(Device& device, FlowRules& rules, size_t& budget);
  static void ask_again(Device& device);
  bool install(Device& device, FlowRules& rules, Rule& rule);
  void make_room(Device& device, FlowRules& rules);
  FlowRules* rules_of(PortIndex port) const;

  const Ports& ports_;
  const Tunnels& tunnels_;
  Traffic traffic_;
  Limits limits_;
  std::map<PortIndex, Device> devices_;
  bool changed_ = false;
  bool unfinished_ = false;  // the last step's budget was not enough
  Clock::time_point asked_{};
  Clock::time_point looked_{};
};

}  // namespace causeway
