// Underlays that follow routing tables of the host's (`routes: host`): tunnels go where its routes do.
#include <nlohmann/json.hpp>

#include "control/config/address_text.h"
#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"
#include "tests/pipeline/bed/stopped_clock.h"

namespace causeway::test {
namespace {

std::string topology(const std::string& up0_routes, const std::string& up1_routes) {
  return R"(
version: 1
ethernets:
  lan0: {}
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: [192.0.2.1/32, 172.31.1.1/24]
    routes: )" +
         up0_routes + R"(
    neighbors: [{to: 172.31.1.9, macaddress: 02:00:00:00:01:09}]
  up1:
    macaddress: 02:00:00:00:00:02
    addresses: [172.31.2.1/24]
    routes: )" +
         up1_routes + R"(
    neighbors: [{to: 172.31.2.9, macaddress: 02:00:00:00:02:09}]
tunnels:
  gn0: {mode: geneve, id: 50, local: 192.0.2.1, remote: 198.51.100.5}
bridges:
  br0: {interfaces: [lan0, gn0]}
)";
}

IpAddress ip(const char* text) { return *parse_ip(text); }

RouteMessage route(const char* to, std::vector<RouteHop> hops, uint32_t table = config::kMainTable) {
  RouteMessage message;
  message.table = table;
  message.to = *parse_prefix(to);
  message.metric = 20;
  message.hops = std::move(hops);
  return message;
}

const RouteHop kSpine1{7, ip("172.31.1.9")};
const RouteHop kSpine2{8, ip("172.31.2.9")};
const RouteHop kUnnumbered{7, ip("fe80::9")};

// In the place of the host's kernel: interfaces up0 (7) and up1 (8).
class Kernel {
 public:
  explicit Kernel(Bed& bed) : bed_(bed) {
    routes().begin_dump();
    routes().link({false, 7, "up0", true}, true);
    routes().link({false, 8, "up1", true}, true);
    routes().all_told();
    settle();
  }
  void add(RouteMessage message) {
    message.replaces = true;
    routes().route(message, false);
    settle();
  }
  void remove(RouteMessage message) {
    message.gone = true;
    routes().route(message, false);
    settle();
  }

 private:
  HostRoutes& routes() { return bed_.gateway().host_routes(); }
  void settle() {
    clock_.advance(std::chrono::milliseconds(20));
    bed_.run();
  }

  Bed& bed_;
  StoppedClock clock_;
};

nlohmann::json tunnel(Bed& bed) { return show(bed.gateway(), "tunnels").at(0); }

// How many of 64 flows leave by up0 and up1.
std::pair<size_t, size_t> send_flows(Bed& bed) {
  bed.take("up0");
  bed.take("up1");
  for (const Bytes& flow : pipeline_frames().sequence("flows.source-port")) bed.deliver("lan0", flow);
  bed.run();
  const size_t up0 = bed.take("up0").size();
  return {up0, bed.take("up1").size()};
}
using Shares = std::pair<size_t, size_t>;

}  // namespace

TEST_CASE("host routes: tunnels go where the host's routes do, at once") {
  Bed bed(topology("host", "host"));
  Kernel kernel(bed);
  CHECK(tunnel(bed)["state"] == "no_route");
  kernel.add(route("198.51.100.0/24", {kSpine1}));
  CHECK(send_flows(bed) == Shares{64, 0});
  kernel.add(route("198.51.100.0/24", {kSpine2}));
  CHECK(send_flows(bed) == Shares{0, 64});
  kernel.add(route("198.51.100.5/32", {kSpine1}));
  CHECK(send_flows(bed) == Shares{64, 0});
  kernel.add(route("198.51.100.5/32", {kSpine1, kSpine2}));
  const Shares both = send_flows(bed);
  CHECK(both.first > 8);
  CHECK(both.second > 8);
  CHECK(both.first + both.second == 64);
  RouteMessage nowhere = route("198.51.100.5/32", {});
  nowhere.nowhere = true;
  kernel.add(nowhere);
  CHECK(tunnel(bed)["state"] == "no_route");
  kernel.remove(nowhere);
  CHECK(send_flows(bed) == Shares{0, 64});
  kernel.remove(route("198.51.100.0/24", {kSpine2}));
  CHECK(tunnel(bed)["state"] == "no_route");
}

TEST_CASE("host routes: what the file says counts before what the host says of the same network") {
  Bed bed(topology("[{table: main}, {to: 198.51.100.0/24, via: 172.31.1.9}]", "host"));
  Kernel kernel(bed);
  kernel.add(route("198.51.100.0/24", {kSpine2}));
  CHECK(send_flows(bed) == Shares{64, 0});
  kernel.add(route("198.51.100.0/25", {kSpine2}));
  CHECK(send_flows(bed) == Shares{0, 64});
  CHECK(bed.apply(topology("[{to: 198.51.100.0/24, via: 172.31.1.9}]", "[]")).empty());
  CHECK(send_flows(bed) == Shares{64, 0});
}

TEST_CASE("host routes: an underlay counts in the tables that it follows alone") {
  Bed bed(topology("{table: 10}", "[]"));
  Kernel kernel(bed);
  kernel.add(route("198.51.100.0/24", {kSpine1}));
  CHECK(tunnel(bed)["state"] == "no_route");
  kernel.add(route("198.51.100.0/24", {kSpine2}, 10));
  CHECK(tunnel(bed)["state"] == "no_route");
  kernel.add(route("198.51.100.0/24", {kSpine1}, 10));
  CHECK(send_flows(bed) == Shares{64, 0});
}

TEST_CASE("host routes: an IPv4 tunnel by an IPv6 next hop, found by neighbor discovery") {
  Bed bed(topology("host", "host"));
  Kernel kernel(bed);
  bed.take("up0");
  kernel.add(route("198.51.100.5/32", {kUnnumbered}));
  CHECK(tunnel(bed)["state"] == "neighbor_unresolved");
  CHECK(bed.take_bytes("up0") == std::vector<Bytes>{pipeline_frames()["routes.unnumbered.who-is"]});
  const auto flows = pipeline_frames().sequence("flows.source-port");
  bed.send("lan0", flows.at(0));
  CHECK(bed.nothing_sent());
  bed.send("up0", pipeline_frames()["routes.unnumbered.is-at"]);
  const auto waited = bed.take_bytes("up0");
  REQUIRE(waited.size() == 1);
  check_outer(waited.front(), pipeline_frames().sequence("routes.up0").at(0));
  for (size_t i = 1; i < flows.size(); ++i) {
    bed.send("lan0", flows[i]);
    const auto sent = bed.take_bytes("up0");
    REQUIRE(sent.size() == 1);
    check_outer(sent.front(), pipeline_frames().sequence("routes.up0").at(i));
  }
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("host routes: a next hop that stays is not asked for again") {
  Bed bed(topology("host", "host"));
  Kernel kernel(bed);
  kernel.add(route("198.51.100.5/32", {kUnnumbered, kSpine2}));
  bed.take("up0");
  bed.send("up0", pipeline_frames()["routes.unnumbered.is-at"]);
  kernel.add(route("198.51.100.5/32", {kUnnumbered}));
  CHECK(bed.nothing_sent());
  CHECK(send_flows(bed) == Shares{64, 0});
}

TEST_CASE("host routes: show routes has what tunnels are routed by") {
  Bed bed(topology("host", "[{to: 203.0.113.0/24, via: 172.31.2.9, metric: 3}]"));
  Kernel kernel(bed);
  kernel.add(route("198.51.100.0/24", {kSpine1}));
  kernel.add(route("10.0.0.0/8", {{99, ip("10.0.0.1")}}));  // by no underlay
  const nlohmann::json rows = show(bed.gateway(), "routes");
  const auto row = [&](const std::string& to) {
    for (const auto& each : rows) {
      if (each["to"] == to) return each;
    }
    return nlohmann::json();
  };
  CHECK(row("172.31.1.0/24") ==
        nlohmann::json::parse(
            R"({"to": "172.31.1.0/24", "via": ["on the link"], "ports": ["up0"], "metric": 0, "from": "connected"})"));
  CHECK(row("203.0.113.0/24")["from"] == "static");
  CHECK(row("203.0.113.0/24")["metric"] == 3);
  CHECK(
      row("198.51.100.0/24") ==
      nlohmann::json::parse(
          R"({"to": "198.51.100.0/24", "via": ["172.31.1.9"], "ports": ["up0"], "metric": 20, "from": "table main"})"));
  CHECK(row("10.0.0.0/8").is_null());
}

}  // namespace causeway::test
