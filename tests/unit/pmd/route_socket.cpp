// The kernel's routes as its own messages tell them: `ip` makes what is read here.
#include "pmd/routes/route_socket.h"

#include <net/if.h>

#include <algorithm>
#include <map>
#include <string>

#include "tests/catch.h"
#include "tests/unit/pmd/bed.h"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t kMain = 254;

IpAddress v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) { return IpAddress::v4(a, b, c, d); }

IpAddress link_local(uint8_t last) {
  IpAddress address;
  address.bytes[0] = 0xfe;
  address.bytes[1] = 0x80;
  address.bytes[15] = last;
  return address;
}

// What was told, the last of each.
struct Told : RouteListener {
  std::map<std::pair<uint32_t, IpPrefix>, RouteMessage> routes;
  std::map<uint32_t, NextHopMessage> next_hops;
  std::map<std::string, LinkMessage> links;
  unsigned addresses_gone = 0;
  unsigned losses = 0;
  unsigned answers = 0;
  unsigned interruptions = 0;
  bool last_told = false;  // whether the last route was an answer

  void route(const RouteMessage& message, bool told) override {
    routes[{message.table, message.to}] = message;
    last_told = told;
  }
  void next_hop(const NextHopMessage& message, bool) override { next_hops[message.id] = message; }
  void link(const LinkMessage& message, bool) override { links[message.name] = message; }
  void address_gone() override { ++addresses_gone; }
  void lost() override { ++losses; }
  void interrupted() override { ++interruptions; }
  void all_told() override { ++answers; }

  const RouteMessage* to(const IpAddress& network, uint8_t length, uint32_t table = kMain) const {
    const auto found = routes.find({table, {network, length}});
    return found != routes.end() ? &found->second : nullptr;
  }
};

// A host with an interface d0 of 172.31.1.1/24, and a socket there.
struct Host {
  Namespace space;
  Told told;
  RouteSocket socket{told};
  int d0 = 0;

  Host() {
    space.run("ip link add d0 type veth peer name d1 && ip link set d1 up && ip link set d0 up");
    space.run("ip addr add 172.31.1.1/24 dev d0");
    space.inside([&] {
      d0 = static_cast<int>(if_nametoindex("d0"));
      const Error error = socket.open();
      REQUIRE(error.text().empty());
    });
  }
  void ip(const std::string& line) { space.run("ip " + line); }
  // Until it has become so.
  bool until(const std::function<bool()>& so) {
    const auto end = RouteSocket::Clock::now() + 5s;
    while (!so() && RouteSocket::Clock::now() < end) {
      socket.wait(RouteSocket::Clock::now() + 100ms);
      socket.read(end);
    }
    return so();
  }
  void ask(const std::set<uint32_t>& tables) {
    const unsigned before = told.answers;
    socket.ask(tables);
    REQUIRE(until([&] { return told.answers == before + 1; }));
    CHECK_FALSE(socket.asks());
  }
};

}  // namespace

TEST_CASE("routes of the kernel: next hops, several of them, other families', nowhere, by tables") {
  Host host;
  host.ip("route add 10.1.0.0/16 via 172.31.1.9 metric 5 src 172.31.1.1");
  host.ip("route add blackhole 10.2.0.0/16");
  host.ip("route add unreachable default metric 4278198272");
  host.ip("route add 10.3.0.0/16 nexthop via 172.31.1.8 weight 3 nexthop via 172.31.1.9");
  host.ip("route add 10.4.0.0/16 via inet6 fe80::9 dev d0");
  host.ip("route add 10.5.0.0/16 via 172.31.1.9 table 77");
  host.ip("route add 10.6.0.0/16 via 172.31.1.9 table 78");
  host.ip("-6 route add 2001:db8::/32 via fe80::9 dev d0");
  IpAddress documentation;
  documentation.bytes = {0x20, 0x01, 0x0d, 0xb8};
  Told& told = host.told;
  REQUIRE(host.until([&] { return told.to(documentation, 32) != nullptr; }));
  told.routes.clear();  // which came as changes, whatever their table
  host.ask({kMain, 77, 79});

  const RouteMessage* const plain = told.to(v4(10, 1, 0, 0), 16);
  REQUIRE(plain != nullptr);
  CHECK(plain->hops == std::vector<RouteHop>{{host.d0, v4(172, 31, 1, 9)}});
  CHECK(plain->metric == 5);
  CHECK(plain->source == v4(172, 31, 1, 1));
  CHECK_FALSE(plain->nowhere);
  CHECK_FALSE(plain->gone);
  CHECK(told.last_told);

  REQUIRE(told.to(v4(10, 2, 0, 0), 16) != nullptr);
  CHECK(told.to(v4(10, 2, 0, 0), 16)->nowhere);
  REQUIRE(told.to(v4(0, 0, 0, 0), 0) != nullptr);
  CHECK(told.to(v4(0, 0, 0, 0), 0)->nowhere);
  REQUIRE(told.to(v4(10, 3, 0, 0), 16) != nullptr);
  CHECK(told.to(v4(10, 3, 0, 0), 16)->hops ==
        std::vector<RouteHop>{{host.d0, v4(172, 31, 1, 8)}, {host.d0, v4(172, 31, 1, 9)}});
  REQUIRE(told.to(v4(10, 4, 0, 0), 16) != nullptr);
  CHECK(told.to(v4(10, 4, 0, 0), 16)->hops == std::vector<RouteHop>{{host.d0, link_local(9)}});
  REQUIRE(told.to(v4(172, 31, 1, 0), 24) != nullptr);
  CHECK(told.to(v4(172, 31, 1, 0), 24)->hops == std::vector<RouteHop>{{host.d0, {}}});
  REQUIRE(told.to(documentation, 32) != nullptr);
  CHECK(told.to(documentation, 32)->hops == std::vector<RouteHop>{{host.d0, link_local(9)}});

  CHECK(told.to(v4(10, 5, 0, 0), 16, 77) != nullptr);
  CHECK(told.to(v4(10, 6, 0, 0), 16, 78) == nullptr);     // nobody has asked for it
  CHECK(told.to(v4(172, 31, 1, 1), 32, 255) == nullptr);  // an address of the host's own
  REQUIRE(told.links.contains("d0"));
  CHECK(told.links.at("d0").index == host.d0);
  CHECK(told.links.at("d0").up);
}

TEST_CASE("routes of the kernel: next-hop objects and their groups") {
  Host host;
  host.ip("nexthop add id 5 via fe80::9 dev d0");
  host.ip("nexthop add id 6 via 172.31.1.8 dev d0");
  host.ip("nexthop add id 7 group 5/6,3");
  host.ip("nexthop add id 8 blackhole");
  host.ip("route add 10.6.0.0/16 nhid 7");
  host.ask({kMain});
  const Told& told = host.told;
  REQUIRE(told.next_hops.contains(5));
  CHECK(told.next_hops.at(5).hops == std::vector<RouteHop>{{host.d0, link_local(9)}});
  CHECK(told.next_hops.at(6).hops == std::vector<RouteHop>{{host.d0, v4(172, 31, 1, 8)}});
  CHECK(told.next_hops.at(7).group == std::vector<uint32_t>{5, 6});
  CHECK(told.next_hops.at(7).hops.empty());
  CHECK(told.next_hops.at(8).nowhere);
  REQUIRE(told.to(v4(10, 6, 0, 0), 16) != nullptr);
  CHECK(told.to(v4(10, 6, 0, 0), 16)->next_hop == 7);
  CHECK(told.to(v4(10, 6, 0, 0), 16)->hops.empty());

  host.ip("nexthop replace id 7 group 6");
  CHECK(host.until([&] { return told.next_hops.at(7).group == std::vector<uint32_t>{6}; }));
  host.ip("nexthop del id 7");
  CHECK(host.until([&] { return told.next_hops.at(7).gone; }));
}

TEST_CASE("routes of the kernel: what changes is told") {
  Host host;
  host.ask({kMain});
  const Told& told = host.told;
  const auto route = [&] { return told.to(v4(10, 1, 0, 0), 16); };
  host.ip("route add 10.1.0.0/16 via 172.31.1.9");
  CHECK(host.until([&] { return route() != nullptr; }));
  CHECK_FALSE(told.last_told);
  host.ip("route replace 10.1.0.0/16 via 172.31.1.8");
  CHECK(host.until([&] { return route()->hops == std::vector<RouteHop>{{host.d0, v4(172, 31, 1, 8)}}; }));
  CHECK(route()->replaces);
  host.ip("route del 10.1.0.0/16");
  CHECK(host.until([&] { return route()->gone; }));
  host.ip("addr del 172.31.1.1/24 dev d0");
  CHECK(host.until([&] { return told.addresses_gone != 0; }));
  host.ip("link set d0 down");
  CHECK(host.until([&] { return !told.links.at("d0").up; }));
  host.ip("link del d0");
  CHECK(host.until([&] { return told.links.at("d0").gone; }));
  CHECK(told.losses == 0);
}

}  // namespace causeway::test
