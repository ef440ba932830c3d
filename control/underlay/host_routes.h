// The host's routing tables that underlays follow (`routes: host`), as its kernel tells them:
// pmd/routes/route_socket.h. Control thread.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "pmd/routes/route_socket.h"

namespace causeway {

class HostRoutes : public RouteListener {
 public:
  struct Key {
    uint32_t table = 0;
    IpPrefix to;
    auto operator<=>(const Key&) const = default;
  };
  struct Route {
    uint32_t metric = 0;
    IpAddress source;  // unspecified: the kernel doesn't say
    bool nowhere = false;
    uint32_t next_hop = 0;  // the object that has its next hops; 0: these are `hops`
    std::vector<RouteHop> hops;
    uint32_t told = 0;  // by which dump, or since
    bool same_as(const Route& other) const;
  };
  // Those to one network, by metric; of one metric as the kernel has them, which for IPv4 uses the first alone.
  using Routes = std::map<Key, std::vector<Route>>;

  struct Found {
    int length = 0;  // of the network
    uint32_t metric = 0;
    IpAddress source;
    std::vector<RouteHop> hops;  // none: the host says that nothing goes there
  };
  struct Counts {
    uint64_t dumps = 0;   // of all that the kernel has
    uint64_t losses = 0;  // messages that found no room, whatever was in them
  };

  // What is followed from now on: tables, and interfaces that their routes count of. `fill` is called where more is
  // asked for than is known.
  void follow(std::set<uint32_t> tables, std::set<std::string> interfaces);
  void fill_by(std::function<void()> fill) { fill_ = std::move(fill); }
  const std::set<uint32_t>& tables() const { return tables_; }

  // The longest network with a route by one of these interfaces (by index), or that leads nowhere; of its routes those
  // with the lowest metric. None: there is none.
  std::optional<Found> find(uint32_t table, const IpAddress& to, const std::vector<int>& interfaces) const;
  // Of a route those by one of these interfaces.
  std::vector<RouteHop> hops_of(const Route& route, const std::vector<int>& interfaces) const;
  bool leads_nowhere(const Route& route) const;
  int index_of(const std::string& interface) const;  // 0: there is none
  const Routes& all() const { return routes_; }
  const Counts& counts() const { return counts_; }

  // Whether find() may say something else than when this was last asked.
  bool take_changes();
  // The kernel is to be asked for everything: what it has told isn't all.
  bool wants_dump() const { return wants_dump_; }
  void begin_dump();

  void route(const RouteMessage& message, bool told) override;
  void next_hop(const NextHopMessage& message, bool told) override;
  void link(const LinkMessage& message, bool told) override;
  void address_gone() override { wants_dump_ = true; }
  void interrupted() override { disturbed_ = true; }
  void lost() override;
  void all_told() override;

 private:
  struct NextHop {
    bool nowhere = false;
    std::vector<RouteHop> hops;
    std::vector<uint32_t> group;
    unsigned users = 0;  // routes
    bool known = false;  // false: routes name it, and nobody has told of it
    uint32_t told = 0;
  };
  struct Link {
    std::string name;
    bool up = false;
    uint32_t told = 0;
  };
  // All that was told before is gone.
  uint32_t oldest_told() const { return disturbed_ ? dump_ - 1 : dump_; }
  using Lengths = std::array<uint32_t, 129>;  // how many networks of each

  void add(const RouteMessage& message, bool told);
  void remove(const RouteMessage& message);
  void insert(std::vector<Route>& routes, Route route);
  Routes::iterator erase(Routes::iterator item);
  void forget(const Route& route);
  void append_hops(uint32_t object, const std::vector<int>& interfaces, std::vector<RouteHop>& hops) const;
  std::optional<Found> best_of(const Key& key, const std::vector<Route>& routes,
                               const std::vector<int>& interfaces) const;
  bool is_followed(const std::vector<RouteHop>& hops) const;
  void forget_link(std::map<int, Link>::iterator item);
  void clear();

  std::set<uint32_t> tables_;
  std::set<std::string> interfaces_;
  std::function<void()> fill_;
  Routes routes_;
  std::map<std::pair<uint32_t, bool>, Lengths> lengths_;  // by table and whether it is IPv4
  std::map<uint32_t, NextHop> next_hops_;
  std::map<int, Link> links_;         // by index
  std::map<std::string, int> index_;  // of each
  uint32_t dump_ = 0;                 // counts dumps
  bool filled_ = false;               // there was a whole one
  bool disturbed_ = false;            // this one: what it doesn't tell may be there
  bool changed_ = false;
  bool wants_dump_ = false;
  Counts counts_;
};

}  // namespace causeway
