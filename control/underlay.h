// The underlay's addresses and routes: which port and next hop a tunnel's outer headers go to.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/config.h"
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
  };

  void set(PortIndex index, Port port) { ports_[index] = std::move(port); }
  void remove(PortIndex index) { ports_.erase(index); }
  const Port* find(PortIndex index) const;
  const std::map<PortIndex, Port>& all() const { return ports_; }

  // Longest prefix match over connected networks and static routes; among equals the port that holds
  // `local` wins. Nothing: no route.
  std::optional<NextHop> route(const IpAddress& local, const IpAddress& remote) const;

  bool owns(PortIndex port, const IpAddress& address) const;
  // Every address of every underlay.
  std::vector<IpAddress> addresses() const;
  // An address of `port` for talking to `peer`: one in the same network if there is one.
  std::optional<IpAddress> source_for(PortIndex port, const IpAddress& peer) const;

 private:
  std::map<PortIndex, Port> ports_;
};

}  // namespace causeway
