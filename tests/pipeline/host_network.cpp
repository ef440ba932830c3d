// An underlay that is the host's (`addresses: host`): what its kernel has is followed, and nobody else answers for it.
#include <nlohmann/json.hpp>

#include <algorithm>

#include "control/config/address_text.h"
#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/stream.h"

namespace causeway::test {
namespace {

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }
using Sequence = std::vector<Bytes>;

constexpr const char* kTopology = R"(
version: 1
ethernets:
  lan0: {}
  up0: {macaddress: 02:00:00:00:00:01, addresses: host}
tunnels:
  gn0: {mode: geneve, id: 50, remote: 172.31.0.2}
bridges:
  br0: {interfaces: [lan0, gn0]}
)";

MacAddress sender_of(const Bytes& frame) {
  MacAddress mac;
  std::copy_n(frame.begin() + 6, mac.bytes.size(), mac.bytes.begin());
  return mac;
}

IpPrefix prefix(const char* text) { return *parse_prefix(text); }

// As `ip addr add 172.31.0.1/24` makes it.
HostNetwork usual_network(const char* address = "172.31.0.1/24") {
  HostNetwork network;
  network.addresses = {prefix(address)};
  return network;
}

// With the route that the kernel adds for its first address.
void set_network(Bed& bed, HostNetwork network) {
  HostRoutes& routes = bed.gateway().host_routes();
  routes.begin_dump();
  routes.link({false, 7, "up0", true}, true);
  if (!network.addresses.empty()) {
    RouteMessage route;
    route.table = config::kMainTable;
    route.to = prefix("172.31.0.0/24");
    route.source = network.addresses.front().address;
    route.hops = {{7, {}}};
    routes.route(route, true);
  }
  routes.all_told();
  bed.port("up0").set_host_network(std::move(network));
  bed.gateway().host_networks_changed();
  bed.gateway().tick();
  bed.run();
}

nlohmann::json tunnel(Bed& bed) { return show(bed.gateway(), "tunnels")[0]; }

void send_stream(Bed& bed, size_t first, size_t count) {
  const Sequence stream = pipeline_frames().sequence("stream");
  for (size_t i = 0; i < count; ++i) bed.send("lan0", stream.at(first + i));
}

}  // namespace

TEST_CASE("host network: a tunnel without a local address sends from the route's source, once there is one") {
  Bed bed(kTopology);
  bed.run();
  CHECK(tunnel(bed)["local"] == "none");
  CHECK(tunnel(bed)["state"] == "no_route");
  send_stream(bed, 0, 1);
  CHECK(to_text(bed.counts()) == "no_flood_target 1");
  set_network(bed, usual_network());
  CHECK(tunnel(bed)["local"] == "172.31.0.1");
  CHECK(bed.take_bytes("up0") == Sequence{frame("arp.who-is.2")});
  bed.send("up0", frame("arp.is-at.2"));
  send_stream(bed, 1, 3);
  check_stream(bed.take_bytes("up0"), "stream.to-2", 1, 3);
  set_network(bed, {});
  CHECK(tunnel(bed)["local"] == "none");
  send_stream(bed, 4, 1);
  CHECK(to_text(bed.counts()) == "no_flood_target 2");
  set_network(bed, usual_network());
  bed.take("up0");
  bed.send("up0", frame("arp.is-at.2"));
  send_stream(bed, 5, 2);
  check_stream(bed.take_bytes("up0"), "stream.to-2", 5, 2);
}

TEST_CASE("host network: what is received finds the tunnel by the address that it has now") {
  Bed bed(kTopology);
  set_network(bed, usual_network());
  bed.nothing_sent();
  bed.send("up0", frame("lie.outer"));
  CHECK(bed.take("lan0").size() == 1);
  set_network(bed, usual_network("172.31.0.7/24"));
  CHECK(tunnel(bed)["local"] == "172.31.0.7");
  const Counts before = bed.counts();
  bed.send("up0", frame("lie.outer"));
  CHECK(bed.take("lan0").empty());
  CHECK(to_text(bed.counts() - before) == "host_traffic 1");  // to an address that isn't the host's any more
}

TEST_CASE("host network: the host alone answers and announces") {
  Bed bed(kTopology);
  set_network(bed, usual_network());
  CHECK(bed.take_bytes("up0") == Sequence{frame("arp.who-is.2")});
  for (const char* asks : {"arp.asks-us.3", "arp.probe", "echo.request.56", "ignored.solicitation"}) {
    CAPTURE(asks);
    const Counts before = bed.counts();
    bed.send("up0", frame(asks));
    CHECK(bed.nothing_sent());
    CHECK(to_text(bed.counts() - before) == "host_traffic 1");
  }
}

TEST_CASE("host network: its permanent neighbors are ours, and its routers") {
  Bed bed(kTopology);
  HostNetwork network = usual_network();
  network.neighbors = {{*parse_ip("172.31.0.2"), sender_of(frame("arp.is-at.2"))}};
  set_network(bed, network);
  CHECK(bed.take("up0").empty());
  send_stream(bed, 0, 2);
  check_stream(bed.take_bytes("up0"), "stream.to-2", 0, 2);
  // Gone again: it is asked for.
  set_network(bed, usual_network());
  CHECK(show(bed.gateway(), "neighbors")[0]["state"] != "permanent");
}

TEST_CASE("host network: an underlay may become the host's and be its own again") {
  Bed bed(kTopology);
  const std::string own =
      std::string(kTopology).replace(std::string(kTopology).find("addresses: host"), 15, "addresses: [172.31.0.1/24]");
  REQUIRE(bed.apply(own).empty());
  bed.run();
  CHECK(tunnel(bed)["local"] == "172.31.0.1");
  bed.take("up0");
  bed.send("up0", frame("arp.asks-us.3"));
  CHECK(bed.take_bytes("up0") == Sequence{frame("arp.our-answer.3")});
  REQUIRE(bed.apply(kTopology).empty());
  bed.run();
  bed.take("up0");
  bed.send("up0", frame("arp.asks-us.3"));
  CHECK(bed.nothing_sent());
}

}  // namespace causeway::test
