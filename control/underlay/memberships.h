// The groups we are in on the underlay, as a host: joins, answers queries, leaves (RFC 3376 section 5, RFC 3810
// section 6), and speaks the older version while an older querier is about (RFC 3376 section 7.2.1, RFC 3810 section
// 8.2.1). Reports of others suppress none of ours: switches that snoop want to hear each host.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "control/underlay/membership_messages.h"
#include "control/underlay/underlay.h"

namespace causeway {

class Memberships {
 public:
  using Clock = std::chrono::steady_clock;

  struct Group {
    unsigned users = 0;         // who joined and hasn't left; 0: it is being left
    unsigned changes_left = 0;  // how often the change is still to be told
    Clock::time_point next_change{};
    std::optional<Clock::time_point> answer;  // to a query
  };
  // What was heard of queriers, by port and IP version.
  struct Querier {
    std::optional<IpAddress> address;
    Clock::time_point old_until{};
    bool old(Clock::time_point now) const { return now < old_until; }
  };
  struct Hooks {
    std::function<rte_mbuf*()> make_frame;
    std::function<void(PortIndex, rte_mbuf*)> send;
    std::function<void(PortIndex)> changed;  // what the port listens to
    // On an underlay of the host's the kernel is the member, and speaks for both of us.
    std::function<void(PortIndex, const IpAddress& group)> join_as_host;
    std::function<void(PortIndex, const IpAddress& group)> leave_as_host;
  };

  Memberships(Underlay& underlay, Hooks hooks);

  // Counted: the last one who leaves a group leaves it for all.
  void join(PortIndex port, const IpAddress& group);
  void leave(PortIndex port, const IpAddress& group);
  void remove_port(PortIndex port);
  // On the way out: tells the routers at once.
  void leave_all();
  // True if the frame was a query. It stays the caller's.
  bool receive(PortIndex port, const rte_mbuf* frame);
  // Sends what is due. Called a few times a second.
  void tick() { tick(Clock::now()); }
  void tick(Clock::time_point now);

  const std::map<std::pair<PortIndex, IpAddress>, Group>& all() const { return groups_; }
  Querier querier(PortIndex port, bool ipv6) const;

 private:
  Clock::duration random_delay(Clock::duration longest);
  void report(PortIndex port, const std::vector<MembershipRecord>& records, Clock::time_point now);

  Underlay& underlay_;
  Hooks hooks_;
  std::minstd_rand random_;
  std::map<std::pair<PortIndex, IpAddress>, Group> groups_;
  std::map<std::pair<PortIndex, bool>, Querier> queriers_;
};

}  // namespace causeway
