// The bridge: learning, moves, ageing, limits, flooding, isolation.
#include <algorithm>
#include <set>

#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"
#include "tests/pipeline/bed/ways.h"

namespace causeway::test {
namespace {

// Remotes 2 to 5 are static neighbors. vx0 replicates to three of them; gn1 is no isolated tunnel.
std::string topology(const std::string& parameters = "", const std::string& static_macs = "") {
  return R"(
version: 1
ethernets:
  p1: {}
  p2: {}
  p3: {}
  i1: {isolated: true}
  i2: {isolated: true}
  other: {}
  up0:
    macaddress: 02:00:00:00:00:01
    mtu: 1600
    addresses: [172.31.0.1/24]
    neighbors:
      - {to: 172.31.0.2, macaddress: 02:00:00:00:00:02}
      - {to: 172.31.0.3, macaddress: 02:00:00:00:00:03}
      - {to: 172.31.0.4, macaddress: 02:00:00:00:00:04}
      - {to: 172.31.0.5, macaddress: 02:00:00:00:00:05}
tunnels:
  vx0: {mode: vxlan, id: 10, local: 172.31.0.1, remote: [172.31.0.2, 172.31.0.3, 172.31.0.4]}
  vx1: {mode: vxlan, id: 11, local: 172.31.0.1, remote: 172.31.0.2}
  gn1: {mode: geneve, id: 12, local: 172.31.0.1, remote: 172.31.0.5, isolated: false}
bridges:
  alone: {interfaces: [other]}
  br0:
    interfaces: [p1, p2, p3, i1, i2, vx0, vx1, gn1]
)" + (parameters.empty() ? "" : "    parameters: {" + parameters + "}\n") +
         (static_macs.empty() ? "" : "    static-macs: [" + static_macs + "]\n");
}

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }

uint64_t bytes_sent(Bed& bed, const std::string& port) {
  return bed.worker().counters().ports[bed.gateway().ports().find(port)->index].traffic.tx_bytes.get();
}

// Where copies of `name` (an inner frame's name without its prefix) came out.
Ways ways_out(Bed& bed, const std::string& prefix, const std::string& name) {
  return ways_out(bed, {"p1", "p2", "p3", "i1", "i2", "other"}, frame(prefix + name),
                  {"vx0.2", "vx0.3", "vx0.4", "vx1.2", "gn1.5"}, "out.", prefix == "eth." ? name : prefix + name);
}

Ways send(Bed& bed, const std::string& port, const std::string& name) {
  bed.wait_a_tick();
  bed.send(port, frame("eth." + name));
  return ways_out(bed, "eth.", name);
}

// From a tunnel's remote: "vx0.3".
Ways receive(Bed& bed, const std::string& way, const std::string& name) {
  bed.wait_a_tick();
  bed.send("up0", frame("in." + way + "." + name));
  return ways_out(bed, "eth.", name);
}

uint64_t rises(Bed& bed, DropReason reason, const std::string& port, const Bytes& bytes) {
  const Counts before = bed.counts();
  bed.send(port, bytes);
  const Counts rise = bed.counts() - before;
  CHECK(rise.all_drops() == rise.of(reason));
  CHECK(bed.nothing_sent());
  return rise.of(reason);
}

const Ways kFromP1{"p2", "p3", "i1", "i2", "vx0.2", "vx0.3", "vx0.4", "vx1.2", "gn1.5"};
const Ways kNotIsolatedFromTunnel{"p1", "p2", "p3", "gn1.5"};

size_t fdb_entries(Bed& bed) {
  size_t count = 0;
  bed.gateway().fdb().for_each(0, [&](const Fdb::Entry&) { ++count; });
  return count;
}

}  // namespace

TEST_CASE("bridge: unknown and group destinations flood, learned ones don't") {
  Bed bed(topology());
  CHECK(send(bed, "p1", "1-2") == kFromP1);
  CHECK(send(bed, "p1", "1-all") == kFromP1);
  CHECK(send(bed, "p2", "2-1") == Ways{"p1"});
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});  // from the flow cache
  CHECK(bed.worker().counters().cache_hits.get() > 0);
  CHECK(bed.counts().all_drops() == 0);
  CHECK(send(bed, "p1", "1-all") == kFromP1);
}

TEST_CASE("bridge: a MAC behind a tunnel is learned with its remote") {
  Bed bed(topology());
  CHECK(receive(bed, "vx0.3", "3-1") == kNotIsolatedFromTunnel);
  CHECK(send(bed, "p1", "1-3") == Ways{"vx0.3"});
  CHECK(receive(bed, "vx0.3", "3-1") == Ways{"p1"});
  CHECK(receive(bed, "vx0.4", "4-1") == Ways{"p1"});
  CHECK(send(bed, "p1", "1-4") == Ways{"vx0.4"});
  CHECK(receive(bed, "gn1.5", "5-1") == Ways{"p1"});
  CHECK(send(bed, "p1", "1-5") == Ways{"gn1.5"});
  CHECK(receive(bed, "vx1.2", "6-5") == Ways{"gn1.5"});  // one of the two is not isolated
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("bridge: a MAC that moves takes its traffic along with its first frame") {
  Bed bed(topology());
  send(bed, "p1", "1-all");
  send(bed, "p2", "2-all");
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});
  send(bed, "p3", "2-all");
  CHECK(send(bed, "p1", "1-2") == Ways{"p3"});
  receive(bed, "vx0.4", "2-all");
  CHECK(send(bed, "p1", "1-2") == Ways{"vx0.4"});
  receive(bed, "vx0.2", "2-all");  // within one tunnel, to another remote
  CHECK(send(bed, "p1", "1-2") == Ways{"vx0.2"});
  send(bed, "p2", "2-1");
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});
  CHECK(bed.gateway().fdb().bridge(bed.gateway().bridges().find("br0")->index).moves == 4);
  // A stale source in the flow cache: the frame itself tells of the move.
  CHECK(send(bed, "p1", "2-1") == Ways{});
  CHECK(bed.counts().of(DropReason::same_port) == 1);
  CHECK(send(bed, "p3", "3-2") == Ways{"p1"});
}

TEST_CASE("bridge: learned MACs age, static ones and busy ones don't") {
  Bed bed(topology("ageing-time: 60", "{mac: 02:00:00:00:01:06, port: p3}"));
  send(bed, "p1", "1-all");
  send(bed, "p2", "2-all");
  CHECK(fdb_entries(bed) == 3);
  Gateway& gateway = bed.gateway();
  gateway.fdb().age(static_cast<uint16_t>(gateway.now_s() + 58));
  CHECK(fdb_entries(bed) == 3);
  gateway.fdb().age(static_cast<uint16_t>(gateway.now_s() + 61));
  CHECK(fdb_entries(bed) == 1);
  bed.run();
  CHECK(send(bed, "p1", "1-6") == Ways{"p3"});
  CHECK(send(bed, "p2", "2-1") == Ways{"p1"});
  // 65,536 s later the clock reads the same: ages go round, entries don't get stuck.
  gateway.fdb().age(static_cast<uint16_t>(gateway.now_s() + 40000));
  CHECK(fdb_entries(bed) == 1);
  CHECK(send(bed, "p2", "2-1").size() == kFromP1.size());
}

TEST_CASE("bridge: what the flow cache carries keeps its source young") {
  Bed bed(topology("ageing-time: 60"));
  send(bed, "p1", "1-all");
  send(bed, "p2", "2-all");
  send(bed, "p1", "1-2");
  Fdb& fdb = bed.gateway().fdb();
  const BridgeIndex bridge = bed.gateway().bridges().find("br0")->index;
  const MacVlan host = mac_vlan({{0x02, 0, 0, 0, 0x01, 0x01}}, 0);
  fdb.touch(bridge, host, static_cast<uint16_t>(bed.gateway().now_s() - 50));
  bed.begin_epoch();
  const uint64_t hits = bed.worker().counters().cache_hits.get();
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});
  CHECK(bed.worker().counters().cache_hits.get() == hits + 1);
  fdb.age(static_cast<uint16_t>(bed.gateway().now_s() + 20));
  CHECK(fdb.find(bridge, host));
}

TEST_CASE("bridge: ageing-time 0 means never") {
  Bed bed(topology("ageing-time: 0"));
  send(bed, "p1", "1-all");
  bed.gateway().fdb().age(static_cast<uint16_t>(bed.gateway().now_s() + 40000));
  CHECK(fdb_entries(bed) == 1);
}

TEST_CASE("bridge: static MACs don't move") {
  Bed bed(topology("", "{mac: 02:00:00:00:01:02, port: p3}, {mac: 02:00:00:00:01:04, port: vx0}"));
  CHECK(send(bed, "p1", "1-2") == Ways{"p3"});
  send(bed, "p2", "2-all");
  CHECK(send(bed, "p1", "1-2") == Ways{"p3"});
  CHECK(send(bed, "p1", "1-4") == Ways{"vx0.2"});  // the first remote
  receive(bed, "vx0.3", "4-all");
  CHECK(send(bed, "p1", "1-4") == Ways{"vx0.2"});
  CHECK(send(bed, "p3", "2-1") == Ways{"p1"});
}

TEST_CASE("bridge: news of a MAC that comes late does not move a static one") {
  Bed bed(topology());
  bed.deliver("p2", frame("eth.2-all"));
  bed.run_worker();
  CHECK(bed.apply(topology("", "{mac: 02:00:00:00:01:02, port: p3}")).empty());
  CHECK(fdb_entries(bed) == 1);
  bed.run();
  bed.nothing_sent();
  CHECK(send(bed, "p1", "1-2") == Ways{"p3"});
}

TEST_CASE("bridge: max-macs bounds learning, not forwarding") {
  Bed bed(topology("max-macs: 2"));
  send(bed, "p1", "1-all");
  send(bed, "p2", "2-all");
  CHECK(send(bed, "p3", "3-1") == Ways{"p1"});
  CHECK(fdb_entries(bed) == 2);
  for (int i = 0; i < 64; ++i) bed.wait_a_tick();  // the worker has forgotten that it saw station 3
  CHECK(send(bed, "p1", "1-3") == kFromP1);
  CHECK(bed.gateway().fdb().bridge(bed.gateway().bridges().find("br0")->index).refused >= 1);
  send(bed, "p3", "2-all");  // a known one may still move
  CHECK(send(bed, "p1", "1-2") == Ways{"p3"});
  bed.gateway().fdb().age(static_cast<uint16_t>(bed.gateway().now_s() + 301));
  bed.run();
  send(bed, "p3", "3-all");  // room again
  CHECK(send(bed, "p1", "1-3") == Ways{"p3"});
}

TEST_CASE("bridge: each VLAN learns for itself") {
  Bed bed(topology());
  send(bed, "p2", "2-all.v10");
  send(bed, "p3", "2-all.v20");
  CHECK(send(bed, "p1", "1-2.v10") == Ways{"p2"});
  CHECK(send(bed, "p1", "1-2.v20") == Ways{"p3"});
  CHECK(send(bed, "p1", "1-2") == kFromP1);
  receive(bed, "vx0.3", "2-all");
  CHECK(send(bed, "p1", "1-2") == Ways{"vx0.3"});
  CHECK(send(bed, "p1", "1-2.v10") == Ways{"p2"});
  CHECK(fdb_entries(bed) == 6);
}

TEST_CASE("bridge: each bridge learns for itself") {
  Bed bed(topology());
  send(bed, "p1", "1-all");
  CHECK(rises(bed, DropReason::no_flood_target, "other", frame("eth.2-1")) == 1);
  send(bed, "p2", "2-all");
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});
}

TEST_CASE("bridge: isolated ports and tunnels don't reach each other") {
  Bed bed(topology());
  CHECK(send(bed, "i1", "1-all") == Ways{"p1", "p2", "p3", "gn1.5"});
  CHECK(send(bed, "i2", "2-all") == Ways{"p1", "p2", "p3", "gn1.5"});
  CHECK(receive(bed, "vx0.2", "3-all") == kNotIsolatedFromTunnel);
  CHECK(receive(bed, "vx1.2", "4-all") == kNotIsolatedFromTunnel);
  CHECK(bed.counts().all_drops() == 0);
  CHECK(rises(bed, DropReason::split_horizon, "i1", frame("eth.1-2")) == 1);
  CHECK(rises(bed, DropReason::split_horizon, "i1", frame("eth.1-3")) == 1);
  CHECK(rises(bed, DropReason::split_horizon, "up0", frame("in.vx0.2.3-4")) == 1);
  CHECK(rises(bed, DropReason::split_horizon, "up0", frame("in.vx0.3.5-3")) == 1);  // from remote to remote
  CHECK(rises(bed, DropReason::split_horizon, "up0", frame("in.vx1.2.4-1")) == 1);
  CHECK(send(bed, "p1", "6-1") == Ways{"i1"});
  CHECK(send(bed, "i1", "1-6") == Ways{"p1"});
}

TEST_CASE("bridge: frames that no bridge forwards") {
  Bed bed(topology());
  send(bed, "p1", "1-all");
  CHECK(rises(bed, DropReason::same_port, "p1", frame("eth.2-1")) == 1);
  CHECK(rises(bed, DropReason::same_port, "p1", frame("eth.2-1")) == 1);  // from the flow cache
  for (const Bytes& bytes : pipeline_frames().sequence("group-source")) {
    CHECK(rises(bed, DropReason::source_multicast, "p1", bytes) == 1);
  }
  for (const char* reason : {"source_multicast", "source_zero"}) {
    for (const std::string& name : pipeline_frames().names(std::string("no-source.") + reason)) {
      CAPTURE(name);
      const bool zero = std::string_view(reason) == "source_zero";
      for (int times = 0; times < 2; ++times) {  // the second is known by its outer headers
        CHECK(rises(bed, zero ? DropReason::source_zero : DropReason::source_multicast,
                    name.find(".in.") == std::string::npos ? "p1" : "up0", frame(name)) == 1);
      }
    }
  }
  CHECK(fdb_entries(bed) == 2);
  for (const std::string& name : pipeline_frames().names("reserved.")) {
    CAPTURE(name);
    if (name == "reserved.10") continue;
    CHECK(rises(bed, DropReason::link_local_multicast, "p1", frame(name)) == 1);
  }
  bed.send("p1", frame("reserved.10"));  // the first that is no reserved one
  CHECK(bed.take_bytes("p2") == std::vector<Bytes>{frame("reserved.10")});
  for (size_t bytes = 1; bytes < 14; ++bytes) {
    bed.nothing_sent();
    const Bytes& whole = frame("eth.1-2");
    CHECK(rises(bed, DropReason::frame_too_short, "p1",
                Bytes(whole.begin(), whole.begin() + static_cast<long>(bytes))) == 1);
  }
}

// As in Linux (br_input.c, br_handle_frame_finish) and Open vSwitch (ofproto-dpif-xlate.c, xlate_normal), which learn
// before they look.
TEST_CASE("bridge: a frame to its own source never leaves") {
  for (const std::string parameters : {"", "max-macs: 1"}) {
    CAPTURE(parameters);
    Bed bed(topology(parameters, "{mac: 02:00:00:00:01:06, port: p3}"));
    for (const char* vlan : {"", ".v10"}) {
      CAPTURE(vlan);
      const auto probe = [&](const std::string& port, const std::string& name) {
        bed.wait_a_tick();
        return rises(bed, DropReason::same_port, port, frame(name + vlan));
      };
      CHECK(probe("p1", "eth.1-1") == 1);  // nobody knows it
      CHECK(probe("p1", "eth.1-1") == 1);
      CHECK(probe("up0", "in.vx0.3.2-2") == 1);
      send(bed, "p2", std::string("1-all") + vlan);  // it is elsewhere
      CHECK(probe("p1", "eth.1-1") == 1);
      CHECK(probe("p2", "eth.1-1") == 1);
      CHECK(probe("up0", "in.vx0.3.1-1") == 1);
      CHECK(probe("p1", "eth.6-6") == 1);  // and doesn't move
      CHECK(probe("up0", "in.gn1.5.6-6") == 1);
    }
    if (!parameters.empty()) continue;
    CHECK(send(bed, "p3", "3-1") == Ways{"vx0.3"});  // where its last one came from
    CHECK(send(bed, "p1", "5-6") == Ways{"p3"});
  }
}

TEST_CASE("bridge: every copy of a flood is right, whatever its size and shape") {
  for (const bool chains : {true, false}) {
    TxCapabilities capabilities;
    capabilities.multi_segment = chains;
    Bed bed(topology(), capabilities);
    const unsigned buffers = bed.buffers();
    const std::vector<std::vector<uint16_t>> shapes{{}, {14, 100}, {54, 200}, {256, 30}, {300, 40}, {600, 600}};
    for (const size_t size : {14, 60, 255, 256, 257, 511, 512, 513, 1000, 1514}) {
      for (const auto& shape : shapes) {
        CAPTURE(chains, size, shape.empty() ? 0 : shape.front());
        bed.send("p1", frame("sized." + std::to_string(size)), shape);
        CHECK(ways_out(bed, "sized.", std::to_string(size)) == kFromP1);
      }
    }
    CHECK(bed.counts().all_drops() == 0);
    CHECK(bed.buffers() == buffers);
  }
}

TEST_CASE("bridge: no frame that leaves has an empty buffer in its chain") {
  Bed bed(topology());
  // Some devices hang on a descriptor without bytes.
  bed.send("p1", frame("sized.1514"), {100, 1414});
  for (const char* port : {"p2", "p3", "up0"}) {
    for (const Sent& sent : bed.take(port)) {
      CAPTURE(port);
      CHECK(sent.shortest_segment > 0);
    }
  }
}

TEST_CASE("bridge: a burst of many flows, then more frames than a batch") {
  Bed bed(topology());
  send(bed, "p2", "2-all");
  const unsigned buffers = bed.buffers();
  for (int i = 0; i < 300; ++i) bed.deliver("p1", frame("eth.1-2"));
  bed.run();
  CHECK((bed.take_bytes("p2") == std::vector<Bytes>(300, frame("eth.1-2"))));
  // Floods overrun the transmit buffers of 64 in the middle of a batch.
  for (int i = 0; i < 64; ++i) bed.deliver("p1", frame("eth.1-all"));
  bed.run();
  CHECK(bed.take_bytes("p2").size() == 64);
  CHECK(bed.take_bytes("up0").size() == 5 * 64);
  for (const char* port : {"p3", "i1", "i2"}) CHECK(bed.take_bytes(port).size() == 64);
  CHECK(bed.counts().all_drops() == 0);
  CHECK(bed.buffers() == buffers);
}

TEST_CASE("bridge: three flows of one bucket are all in the flow cache") {
  Bed bed(
      "version: 1\nsystem: {flow-cache: 1024}\nethernets: {p1: {}, p2: {}}\nbridges: {br0: {interfaces: [p1, p2]}}\n");
  bed.send("p2", frame("eth.2-all"));
  bed.nothing_sent();
  std::map<const FlowBucket*, std::vector<Bytes>> flows;                                    // by bucket
  const FlowCache::View places = const_cast<FlowCache&>(bed.worker().flow_cache()).view();  // for its seed
  const AdjacencyIndex in = bed.gateway().adjacencies_of("p1").front();
  const std::vector<Bytes>* crowd = nullptr;
  for (uint16_t host = 0x200; crowd == nullptr; ++host) {
    Bytes bytes = frame("eth.1-2");
    write16(bytes, 10, host);
    auto& bucket = flows[places.bucket(FlowKey::read(bytes.data(), 0, in))];
    bucket.push_back(std::move(bytes));
    if (bucket.size() == 3) crowd = &bucket;
  }
  const auto send_all = [&] {
    for (const Bytes& bytes : *crowd) bed.send("p1", bytes);
    CHECK(bed.take_bytes("p2") == *crowd);
  };
  send_all();  // teaches the bridge who they are
  send_all();
  const uint64_t hits = bed.worker().counters().cache_hits.get();
  for (int times = 0; times < 3; ++times) send_all();
  CHECK(bed.worker().counters().cache_hits.get() == hits + 9);
}

TEST_CASE("bridge: what a port does not take is counted and freed") {
  Bed bed(topology());
  send(bed, "p2", "2-all");
  const unsigned buffers = bed.buffers();
  const uint64_t bytes = bytes_sent(bed, "p2");
  bed.port("p2").set_room(10);
  const Counts before = bed.counts();
  for (int i = 0; i < 100; ++i) bed.deliver("p1", frame("eth.1-2"));
  bed.run();
  const Counts rise = bed.counts() - before;
  CHECK(to_text(rise) == "tx_full 90");
  CHECK(rise.tx_drops == 90);
  CHECK(rise.tx == 10);
  CHECK(bytes_sent(bed, "p2") - bytes == 10 * frame("eth.1-2").size());
  CHECK(bed.take_bytes("p2").size() == 10);
  CHECK(bed.buffers() == buffers);
}

TEST_CASE("bridge: what a kernel refuses is counted for what it is, and holds up nothing") {
  Bed bed(topology());
  send(bed, "p2", "2-all");
  const unsigned buffers = bed.buffers();
  const uint64_t bytes = bytes_sent(bed, "p2");
  Bytes longer = frame("eth.1-2");
  longer.resize(longer.size() + 100);
  bed.port("p2").set_longest(static_cast<uint32_t>(longer.size() - 1));
  const Counts before = bed.counts();
  for (int i = 0; i < 40; ++i) bed.deliver("p1", i % 4 == 0 ? longer : frame("eth.1-2"));
  bed.run();
  const Counts rise = bed.counts() - before;
  CHECK(to_text(rise) == "tx_refused 10");
  CHECK(rise.tx_drops == 10);
  CHECK(rise.tx == 30);
  CHECK(bytes_sent(bed, "p2") - bytes == 30 * frame("eth.1-2").size());
  CHECK((bed.take_bytes("p2") == std::vector<Bytes>(30, frame("eth.1-2"))));
  CHECK(bed.buffers() == buffers);
}

TEST_CASE("bridge: a port that is down, and one in no bridge") {
  Bed bed(topology());
  send(bed, "p2", "2-all");
  bed.port("p2").set_link(false);
  bed.gateway().tick();
  bed.run();
  bed.nothing_sent();  // but announcements
  CHECK(rises(bed, DropReason::port_down, "p1", frame("eth.1-2")) == 1);
  bed.port("p2").set_link(true);
  bed.gateway().tick();
  CHECK(send(bed, "p1", "1-2") == Ways{"p2"});
}

TEST_CASE("bridge: too big for the way out") {
  Bed bed(topology());
  send(bed, "p2", "2-all");
  CHECK(rises(bed, DropReason::too_big, "p1", frame("jumbo")) == 1);
}

TEST_CASE("bridge: no buffer for copies") {
  Bed bed(topology());
  std::vector<rte_mbuf*> taken;
  rte_mbuf* const m = to_mbuf(bed.pool(), frame("eth.1-all"));
  while (rte_mbuf* spare = rte_pktmbuf_alloc(bed.pool())) taken.push_back(spare);
  rte_pktmbuf_free(taken.back());
  taken.pop_back();
  const Counts before = bed.counts();
  bed.deliver("p1", m);
  bed.run();
  const Counts rise = bed.counts() - before;
  // One copy, and the frame itself for the last of nine.
  CHECK(rise.of(DropReason::mbuf_alloc) == 7);
  CHECK(rise.tx == 2);
  for (rte_mbuf* spare : taken) rte_pktmbuf_free(spare);
  CHECK(bed.buffers() == 4095);
}

TEST_CASE("show flows: what the cache holds, as long as its ends are where they were") {
  Bed bed(topology());
  const auto flows = [&] { return show(bed.gateway(), "flows").at("flows"); };
  const auto flow = [](const char* from, const nlohmann::json& from_remote, int source, const char* to,
                       const nlohmann::json& to_remote, int destination) {
    const auto mac = [](int host) { return "02:00:00:00:01:0" + std::to_string(host); };
    return nlohmann::json{{"worker", 0},
                          {"bridge", "br0"},
                          {"vlan", 0},
                          {"from", from},
                          {"from_remote", from_remote},
                          {"source", mac(source)},
                          {"destination", mac(destination)},
                          {"to", to},
                          {"to_remote", to_remote}};
  };
  CHECK(flows().empty());
  for (int round = 0; round < 2; ++round) {
    bed.send("p1", frame("eth.1-2"));
    bed.send("p2", frame("eth.2-1"));
    bed.send("up0", frame("in.vx0.3.5-1"));
    bed.send("p1", frame("eth.1-5"));
    bed.send("p1", frame("eth.1-all"));
  }
  nlohmann::json all = flows();
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.dump() < b.dump(); });
  nlohmann::json expected{flow("p1", {}, 1, "p2", {}, 2), flow("p2", {}, 2, "p1", {}, 1),
                          flow("vx0", "172.31.0.3", 5, "p1", {}, 1), flow("p1", {}, 1, "vx0", "172.31.0.3", 5)};
  std::sort(expected.begin(), expected.end(), [](const auto& a, const auto& b) { return a.dump() < b.dump(); });
  CHECK(all == expected);
  CHECK(show(bed.gateway(), "flows").at("cached") == 4);
  // Host 2 moves, and with it the flow to it; the one from it has an end where nobody is.
  bed.send("p3", frame("eth.2-all"));
  CHECK(flows().size() == 3);
  CHECK(std::ranges::count(flows(), flow("p1", {}, 1, "p3", {}, 2)) == 1);
}

}  // namespace causeway::test
