// The mirror of the host's routing tables: what it finds, as the kernel's messages come; they are those of
// tests/unit/pmd/route_socket.cpp.
#include "control/underlay/host_routes.h"

#include <string>

#include "control/config/address_text.h"
#include "tests/catch.h"

using namespace causeway;

namespace {

constexpr uint32_t kMain = 254;
const std::vector<int> kBoth{7, 8};

IpAddress ip(const char* text) { return *parse_ip(text); }

RouteMessage route(const char* to, std::vector<RouteHop> hops, uint32_t metric = 20, uint32_t table = kMain) {
  RouteMessage message;
  message.table = table;
  message.to = *parse_prefix(to);
  message.metric = metric;
  message.hops = std::move(hops);
  return message;
}

RouteMessage by_object(const char* to, uint32_t object) {
  RouteMessage message = route(to, {});
  message.next_hop = object;
  return message;
}

RouteMessage gone(RouteMessage message) {
  message.gone = true;
  return message;
}

RouteMessage replacing(RouteMessage message) {
  message.replaces = true;
  return message;
}

// With interfaces up0 (7) and up1 (8), and all told that there is.
struct Kernel {
  HostRoutes routes;

  Kernel() {
    routes.follow({kMain, 10}, {"up0", "up1"});
    dump({});
  }
  void dump(const std::vector<RouteMessage>& all, const std::vector<NextHopMessage>& objects = {}) {
    routes.begin_dump();
    routes.link({false, 7, "up0", true}, true);
    routes.link({false, 8, "up1", true}, true);
    for (const NextHopMessage& object : objects) routes.next_hop(object, true);
    for (const RouteMessage& message : all) routes.route(message, true);
    routes.all_told();
  }
  void tell(const RouteMessage& message) { routes.route(message, false); }

  // "172.31.1.9 7, 172.31.2.9 8"; "nowhere", "none".
  std::string find(const char* to, uint32_t table = kMain, const std::vector<int>& interfaces = kBoth) const {
    const auto found = routes.find(table, ip(to), interfaces);
    if (!found) return "none";
    std::string text;
    for (const RouteHop& hop : found->hops) {
      text += (text.empty() ? "" : ", ") + to_string(hop.via) + ' ' + std::to_string(hop.interface);
    }
    return text.empty() ? "nowhere" : text;
  }
};

const RouteHop kOne{7, ip("172.31.1.9")};
const RouteHop kTwo{8, ip("172.31.2.9")};
const RouteHop kOther{99, ip("172.31.3.9")};  // of no underlay

}  // namespace

TEST_CASE("host routes: longest network, lowest metric, and only by the interfaces that count") {
  Kernel kernel;
  kernel.tell(route("0.0.0.0/0", {kOne}));
  kernel.tell(route("10.0.0.0/8", {kTwo}, 30));
  kernel.tell(route("10.0.0.0/8", {kOther}, 10));
  kernel.tell(route("10.1.0.0/16", {kOther}));
  kernel.tell(route("2001:db8::/32", {kOne}));
  CHECK(kernel.find("192.0.2.1") == "172.31.1.9 7");
  CHECK(kernel.find("10.0.0.1") == "172.31.2.9 8");
  CHECK(kernel.find("10.1.0.1") == "172.31.2.9 8");
  CHECK(kernel.find("10.0.0.1", kMain, {7}) == "172.31.1.9 7");
  CHECK(kernel.find("10.0.0.1", kMain, {}) == "none");
  CHECK(kernel.find("2001:db8::1") == "172.31.1.9 7");
  CHECK(kernel.find("2001:db9::1") == "none");
  CHECK(kernel.routes.find(kMain, ip("10.0.0.1"), kBoth)->length == 8);
  CHECK(kernel.routes.find(kMain, ip("10.0.0.1"), kBoth)->metric == 30);
}

TEST_CASE("host routes: each table for itself, and none that nobody follows") {
  Kernel kernel;
  kernel.tell(route("10.0.0.0/8", {kOne}));
  kernel.tell(route("10.0.0.0/8", {kTwo}, 20, 10));
  kernel.tell(route("10.0.0.0/8", {kTwo}, 20, 11));
  CHECK(kernel.find("10.0.0.1") == "172.31.1.9 7");
  CHECK(kernel.find("10.0.0.1", 10) == "172.31.2.9 8");
  CHECK(kernel.find("10.0.0.1", 11) == "none");
  CHECK(kernel.routes.all().size() == 2);
  kernel.routes.follow({kMain}, {"up0", "up1"});
  CHECK(kernel.find("10.0.0.1", 10) == "none");
  CHECK(kernel.routes.all().size() == 1);
  kernel.routes.follow({}, {});
  CHECK(kernel.routes.all().empty());
}

TEST_CASE("host routes: what leads nowhere hides shorter networks, and what is less preferred hides nothing") {
  Kernel kernel;
  RouteMessage blackhole = route("10.1.0.0/16", {});
  blackhole.nowhere = true;
  kernel.tell(route("10.0.0.0/8", {kOne}));
  kernel.tell(blackhole);
  CHECK(kernel.find("10.1.0.1") == "nowhere");
  CHECK(kernel.find("10.2.0.1") == "172.31.1.9 7");
  kernel.tell(route("10.1.0.0/16", {kTwo}, 5));
  CHECK(kernel.find("10.1.0.1") == "172.31.2.9 8");
  kernel.tell(gone(route("10.1.0.0/16", {kTwo}, 5)));
  kernel.tell(gone(blackhole));
  CHECK(kernel.find("10.1.0.1") == "172.31.1.9 7");
}

TEST_CASE("host routes: several next hops, replaced, and gone") {
  Kernel kernel;
  kernel.tell(route("10.0.0.0/8", {kOne, kTwo}));
  CHECK(kernel.find("10.0.0.1") == "172.31.1.9 7, 172.31.2.9 8");
  kernel.tell(replacing(route("10.0.0.0/8", {kTwo})));
  CHECK(kernel.find("10.0.0.1") == "172.31.2.9 8");
  kernel.tell(gone(route("10.0.0.0/8", {kTwo})));
  CHECK(kernel.find("10.0.0.1") == "none");
  CHECK(kernel.routes.all().empty());
  CHECK_FALSE(kernel.routes.wants_dump());
}

TEST_CASE("host routes: what a message leaves open, a dump says") {
  Kernel kernel;
  kernel.tell(route("10.0.0.0/8", {kOne}));
  SECTION("another one beside it, before or behind") {
    kernel.tell(route("10.0.0.0/8", {kTwo}));
    CHECK(kernel.routes.wants_dump());
    kernel.dump({route("10.0.0.0/8", {kTwo}), route("10.0.0.0/8", {kOne})});
    CHECK(kernel.find("10.0.0.1") == "172.31.2.9 8");  // for IPv4 the first alone
  }
  SECTION("one of several next hops is gone") {
    kernel.tell(replacing(route("10.0.0.0/8", {kOne, kTwo})));
    kernel.tell(gone(route("10.0.0.0/8", {kTwo})));
    CHECK(kernel.routes.wants_dump());
    kernel.dump({route("10.0.0.0/8", {kOne})});
    CHECK(kernel.find("10.0.0.1") == "172.31.1.9 7");
  }
  SECTION("it went with its interface, silently") {
    kernel.routes.link({false, 7, "up0", false}, false);
    CHECK(kernel.routes.wants_dump());
    kernel.dump({});
    CHECK(kernel.find("10.0.0.1") == "none");
  }
  SECTION("messages were lost") {
    kernel.routes.lost();
    CHECK(kernel.routes.wants_dump());
    kernel.dump({route("10.0.0.0/8", {kTwo})});
    CHECK(kernel.find("10.0.0.1") == "172.31.2.9 8");
    CHECK(kernel.routes.counts().losses == 1);
  }
  CHECK_FALSE(kernel.routes.wants_dump());
}

TEST_CASE("host routes: during a dump what was known stays, and what changes counts at once") {
  Kernel kernel;
  kernel.dump({route("10.0.0.0/8", {kOne}), route("10.1.0.0/16", {kOne})});
  kernel.routes.begin_dump();
  CHECK(kernel.find("10.0.0.1") == "172.31.1.9 7");
  kernel.tell(route("10.2.0.0/16", {kTwo}));
  kernel.tell(gone(route("10.1.0.0/16", {kOne})));
  CHECK(kernel.find("10.2.0.1") == "172.31.2.9 8");
  CHECK(kernel.find("10.1.0.1") == "172.31.1.9 7");  // by 10.0.0.0/8
  kernel.routes.route(route("10.0.0.0/8", {kOne}), true);
  kernel.routes.all_told();
  CHECK(kernel.routes.all().size() == 2);
  CHECK(kernel.find("10.2.0.1") == "172.31.2.9 8");
}

TEST_CASE("host routes: what a dump leaves out beside which something goes may be there") {
  Kernel kernel;
  const auto disturbed_dump = [&] {
    kernel.routes.begin_dump();
    kernel.routes.route(route("10.0.0.0/8", {kOne}), true);
    SECTION("a route") { kernel.tell(gone(route("10.9.0.0/16", {kOne}))); }
    SECTION("the kernel says so") { kernel.routes.interrupted(); }
    kernel.routes.all_told();
  };
  kernel.dump({route("10.0.0.0/8", {kOne}), route("10.1.0.0/16", {kTwo})});
  disturbed_dump();
  CHECK(kernel.find("10.1.0.1") == "172.31.2.9 8");
  CHECK(kernel.find("10.0.0.1") == "172.31.1.9 7");  // so are the links
  CHECK(kernel.routes.wants_dump());
  disturbed_dump();
  CHECK(kernel.find("10.1.0.1") == "none");
}

TEST_CASE("host routes: what comes and goes beside those that are followed changes nothing") {
  Kernel kernel;
  kernel.routes.take_changes();
  kernel.routes.link({false, 99, "veth9", true}, false);
  kernel.routes.next_hop({false, 9, false, {kOther}, {}}, false);
  kernel.routes.next_hop({true, 9, false, {}, {}}, false);
  kernel.routes.link({true, 99, "veth9", false}, false);
  CHECK_FALSE(kernel.routes.take_changes());
  kernel.routes.next_hop({false, 9, false, {kOne}, {}}, false);
  CHECK(kernel.routes.take_changes());
  kernel.routes.link({true, 7, "up0", false}, false);
  CHECK(kernel.routes.take_changes());
}

TEST_CASE("host routes: next-hop objects are what they are now") {
  Kernel kernel;
  kernel.routes.next_hop({false, 5, false, {kOne}, {}}, false);
  kernel.routes.next_hop({false, 6, false, {kTwo}, {}}, false);
  kernel.routes.next_hop({false, 7, false, {}, {5, 6}}, false);
  kernel.tell(by_object("10.0.0.0/8", 7));
  CHECK(kernel.find("10.0.0.1") == "172.31.1.9 7, 172.31.2.9 8");
  kernel.routes.next_hop({false, 7, false, {}, {6}}, false);
  CHECK(kernel.find("10.0.0.1") == "172.31.2.9 8");
  kernel.routes.next_hop({false, 6, false, {kOne}, {}}, false);
  CHECK(kernel.find("10.0.0.1") == "172.31.1.9 7");
  SECTION("nowhere") {
    kernel.routes.next_hop({false, 7, true, {}, {}}, false);
    CHECK(kernel.find("10.0.0.1") == "nowhere");
  }
  SECTION("gone, and the routes with it, silently; another one may have its number") {
    kernel.routes.next_hop({true, 7, false, {}, {}}, false);
    CHECK(kernel.find("10.0.0.1") == "none");
    CHECK(kernel.routes.wants_dump());
    kernel.dump({}, {{false, 7, false, {kTwo}, {}}});
    CHECK(kernel.find("10.0.0.1") == "none");
    CHECK(kernel.routes.all().empty());
  }
}

TEST_CASE("host routes: IPv6 routes of one metric are one, wherever they were told") {
  Kernel kernel;
  kernel.dump({route("fe80::/64", {{7, {}}}, 256), route("fe80::/64", {{8, {}}}, 256)});
  CHECK(kernel.find("fe80::9") == ":: 7, :: 8");
  CHECK(kernel.find("fe80::9", kMain, {8}) == ":: 8");
}

TEST_CASE("host routes: changes are told once, and not before all is known") {
  HostRoutes routes;
  routes.follow({kMain}, {"up0"});
  CHECK(routes.wants_dump());
  routes.begin_dump();
  routes.route(route("10.0.0.0/8", {kOne}), true);
  CHECK_FALSE(routes.take_changes());
  routes.all_told();
  CHECK(routes.take_changes());
  CHECK_FALSE(routes.take_changes());
  routes.route(route("10.0.0.0/8", {kOne}), false);  // nothing new
  CHECK_FALSE(routes.take_changes());
  routes.route(gone(route("10.0.0.0/8", {kOne})), false);
  CHECK(routes.take_changes());
}
