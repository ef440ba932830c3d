// The underlay's addresses and routes: which port and next hop a tunnel's outer headers go to.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/underlay/host_routes.h"
#include "dataplane/flow/adjacency.h"

namespace causeway {

struct NextHop {
  PortIndex port = 0;
  IpAddress address;
  auto operator<=>(const NextHop&) const = default;
};

class Underlay {
 public:
  struct Port {
    std::string name;
    MacAddress mac;
    uint16_t mtu = 1500;
    std::vector<IpPrefix> addresses;
    std::vector<config::Route> routes;
    bool link_up = true;
    // The host's, which answers for its addresses itself. Its routes are in place of `routes` and of the addresses'
    // networks, which the kernel has routes to.
    bool host = false;
    // The host has what isn't a tunnel's by a port of its own, and answers for the addresses, whosever they are.
    bool host_path = false;
    std::string interface;               // of the host's, that is this underlay to it; empty: none
    std::set<uint32_t> followed_tables;  // of the host's: their routes by `interface` count, too
  };

  // `host_routes` outlives it; null: nothing is known of the host's.
  explicit Underlay(const HostRoutes* host_routes = nullptr) : host_routes_(host_routes) {}

  void set(PortIndex index, Port port) { ports_[index] = std::move(port); }
  void remove(PortIndex index) { ports_.erase(index); }
  // Packets to these groups are ours, too, on this port (control/underlay/memberships.h).
  void join(PortIndex port, const IpAddress& group) { groups_[port].insert(group); }
  void leave(PortIndex port, const IpAddress& group) { groups_[port].erase(group); }
  const Port* find(PortIndex index) const;
  const std::map<PortIndex, Port>& all() const { return ports_; }

  // Longest prefix match, then what was configured before what is the host's, then lowest metric, over connected
  // networks, static and followed routes of ports whose link is up. A next hop may be of the other IP version (RFC
  // 8950). All that are left are of equal cost (ECMP), except where `local` is an address in a network of one of their
  // ports: then packets leave by that one. (A VTEP that is to be reached by several underlays has a host address, /32
  // or /128.) A link-local remote is on the link of `local`. Empty: no route. In a fixed order.
  std::vector<NextHop> routes(const IpAddress& local, const IpAddress& remote) const;
  // What packets to `remote` are sent from, if nobody says otherwise; null: no route.
  std::optional<IpAddress> source_to(const IpAddress& remote) const;
  // Of a route of the host's the next hops that count, their address unspecified where the destinations are on the
  // link.
  std::vector<NextHop> followed(uint32_t table, const HostRoutes::Route& route) const;
  // The port that packets to a group leave by: `link`, or the one that holds `local` if `link` is empty. One, or none.
  std::vector<NextHop> group_route(const std::string& link, const IpAddress& local, const IpAddress& group) const;

  bool owns(PortIndex port, const IpAddress& address) const;
  // Its kernel has the port's frames from the interface itself: it answers, and is the member of groups.
  bool is_host(PortIndex port) const;
  // The host answers for the port's addresses.
  bool host_answers(PortIndex port) const;
  // The port has the address, and it is ours to answer for it.
  bool answers_for(PortIndex port, const IpAddress& address) const {
    return owns(port, address) && !host_answers(port);
  }
  // What packets may be addressed to that come in by `accepting`: any underlay's addresses, of link-local ones and
  // groups the port's own.
  std::vector<IpAddress> accepted(PortIndex accepting) const;
  bool is_own(const IpAddress& address) const;
  // An address of `port` for talking to `peer`: one in the same network if there is one.
  std::optional<IpAddress> source_for(PortIndex port, const IpAddress& peer) const;

 private:
  struct Way {
    NextHop hop;
    IpAddress source;  // unspecified: whichever the port has for the hop
    auto operator<=>(const Way&) const = default;
  };
  struct Rank {
    int length = 0;  // of the network, negative: the least rank is the best
    bool host = false;
    uint32_t metric = 0;
    auto operator<=>(const Rank&) const = default;
  };
  class Best;
  // By table and interface, those whose link is up.
  std::map<uint32_t, std::map<int, PortIndex>> followers() const;
  void add_host_ways(const IpAddress& remote, Best& best) const;
  // By the best routes there are, in order.
  std::vector<Way> ways(const IpAddress& remote) const;
  // `local` is the port's, and the port has neighbors in its network.
  bool is_in_network_of(PortIndex port, const IpAddress& local) const;

  const HostRoutes* host_routes_;
  std::map<PortIndex, Port> ports_;
  std::map<PortIndex, std::set<IpAddress>> groups_;
};

}  // namespace causeway
