// The gateway behind modelled NICs: hardware and software side by side, devices that misreport, flow rules.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "control/view/view.h"
#include "dataplane/ingress/marked_tunnel.h"
#include "pmd/nic_model/nic_flows.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

// every_tunnel() with a modelled NIC as its underlay.
std::string behind_model(const std::string& settings, const std::string& offloads = "{}") {
  std::string yaml = every_tunnel();
  const size_t at = yaml.find("  up0:\n") + 7;
  return yaml.insert(at, "    nic-model: " + settings + "\n    offloads: " + offloads + "\n");
}

const Ports::Record& underlay_of(Bed& bed) { return *bed.gateway().ports().find("up0"); }
NicFlows& engine_of(Bed& bed) { return static_cast<NicFlows&>(*underlay_of(bed).port->flow_rules()); }

void deliver_big(Bed& bed, const std::string& name) {
  const auto number = [&name](const char* key) { return pipeline_frames().number(name, key); };
  Intent intent;
  intent.csum_start = static_cast<uint16_t>(number("csum_start"));
  intent.csum_offset = static_cast<uint8_t>(number("csum_offset"));
  intent.gso_size = static_cast<uint16_t>(number("gso_size"));
  intent.gso_type = static_cast<GsoType>(number("gso_type"));
  rte_mbuf* const m = to_mbuf(bed.pool(), pipeline_frames()[name]);
  set_intent(m, intent, intent.gso_size != 0 ? kIntentFlags : kNeedsChecksum);
  bed.deliver("lan0", m);
}

// Frames that reached the underlay port for one that came in, its segments on the wire held against scapy's.
uint64_t sent_for(Bed& bed, const std::string& name) {
  CAPTURE(name);
  const Counts before = bed.counts();
  deliver_big(bed, name);
  bed.run();
  const std::vector<Bytes> got = bed.take_bytes("up0");
  const std::vector<Bytes> expected = pipeline_frames().sequence("cut." + name.substr(4));
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) check_outer(got[i], expected[i]);
  const Counts rise = bed.counts() - before;
  CHECK(rise.all_drops() == 0);
  return rise.tx;
}

nlohmann::json offload_row(Bed& bed, const std::string& offload) {
  for (const auto& row : show(bed.gateway(), "offloads")) {
    if (row["port"] == "up0" && row["offload"] == offload) return row;
  }
  return {};
}

// Each frame that is accepted comes out as it does without rules.
size_t check_decap(Bed& bed) {
  size_t checked = 0;
  for (const std::string& name : pipeline_frames().names("decap.")) {
    if (!name.ends_with(".accept") || pipeline_frames().number(name, "nic") != 0) continue;
    CAPTURE(name);
    bed.send("up0", pipeline_frames()[name]);
    const std::vector<Bytes> out = bed.take_bytes("lan0");
    REQUIRE(out.size() == 1);
    CHECK(to_hex(out.front()) == to_hex(pipeline_frames()["inner." + name.substr(6, name.rfind('.') - 6)]));
    ++checked;
  }
  return checked;
}

}  // namespace

TEST_CASE("nic: super-packets go whole to a NIC that cuts them, and leave as scapy's segments") {
  Bed bed(behind_model("{}"));
  for (const std::string& name : pipeline_frames().names("big.")) {
    // No NIC fills a checksum of GRE.
    const bool software = name.starts_with("big.gre4sum") && !name.ends_with("small");
    const size_t segments = pipeline_frames().sequence("cut." + name.substr(4)).size();
    CHECK(sent_for(bed, name) == (software ? segments : 1));
  }
}

TEST_CASE("nic: one that cuts VXLAN but not GENEVE gets GENEVE cut") {
  Bed bed(behind_model("{without: [geneve-tso-ipv4, geneve-tso-ipv6]}"));
  CHECK(sent_for(bed, "big.vx4.tcp4-5500") == 1);
  CHECK(sent_for(bed, "big.vx6.tcp6-5500") == 1);
  CHECK(sent_for(bed, "big.gre4.tcp4-5500") == 1);
  CHECK(sent_for(bed, "big.gnv4.tcp4-5500") == 6);
  CHECK(sent_for(bed, "big.gnv6.tcp6-5500") == 6);
  CHECK(sent_for(bed, "big.gnv4opt.tcp4-5500") == 6);
  CHECK(offload_row(bed, "vxlan-tso-ipv4")["state"] == "hardware");
  CHECK(offload_row(bed, "geneve-tso-ipv4")["state"] == "software");
  CHECK(offload_row(bed, "geneve-tso-ipv4")["reason"] == "the device lacks RTE_ETH_TX_OFFLOAD_GENEVE_TNL_TSO");
}

TEST_CASE("nic: an honest one passes its self-test") {
  Bed bed(behind_model("{rx-queues: 4}"));
  size_t tests = 0;
  for (const OffloadVerdict& verdict : underlay_of(bed).verdicts) {
    CAPTURE(verdict.offload);
    CHECK(verdict.wrong.empty());
    ++tests;
  }
  // 7 outer headers with 5 offloads each, 4 of which have an outer checksum, filled or kept; received checksums; rules.
  CHECK(tests == 7 * 5 + 2 * 4 + 2);
}

TEST_CASE("nic: what a NIC misreports is found when it is opened, and done in software") {
  struct Case {
    std::string lie;
    std::string offload;  // a row of `show offloads` that says so
    std::string frame;    // that would have come out wrong
  };
  for (const Case& c : {Case{"checksum", "checksum", "big.vx4.tcp4-small"},
                        {"tso-ipv4", "tso-ipv4", "big.vx4.tcp4-5500"},
                        {"tso-ipv6", "tso-ipv6", "big.gnv4.tcp6-5500"},
                        {"udp-segmentation", "udp-segmentation", ""},
                        {"geneve-tso-ipv4", "geneve-tso-ipv4", "big.gnv4.tcp4-5500"},
                        {"geneve-tso-ipv6", "geneve-tso-ipv6", "big.gnv6.tcp4-5500"},
                        {"vxlan-tso-ipv4", "vxlan-tso-ipv4", "big.vx4.tcp6-5500"},
                        {"vxlan-tso-ipv6", "vxlan-tso-ipv6", "big.vx6.tcp6-5500"},
                        {"gre-tso-ipv4", "gre-tso-ipv4", "big.gre4.tcp4-5500"},
                        {"gre-tso-ipv6", "gre-tso-ipv6", "big.gre6.tcp6-5500"},
                        {"outer-checksum", "", "big.gnv4sum.tcp4-5500"},
                        {"outer-checksum-kept", "", ""},
                        {"rx-checksum", "", ""},
                        {"flow-mark", "flow", ""},
                        {"flow-count", "flow", ""},
                        {"flow-rss", "flow", ""}}) {
    CAPTURE(c.lie);
    Bed bed(behind_model("{rx-queues: 2, misreport: [" + c.lie + "]}"));
    const auto& verdicts = underlay_of(bed).verdicts;
    CHECK(std::ranges::any_of(verdicts, [](const OffloadVerdict& v) { return !v.wrong.empty(); }));
    if (!c.offload.empty()) {
      const auto row = offload_row(bed, c.offload);
      CHECK(row["state"] == "software");
      CHECK(row["reason"].get<std::string>().starts_with("the self-test found wrong "));
    }
    if (!c.frame.empty()) sent_for(bed, c.frame);
    if (c.lie == "rx-checksum") {
      uint64_t sent = 0;
      for (const std::string& name : pipeline_frames().names("decap.")) {
        if (!name.ends_with(".udp_checksum") || pipeline_frames().number(name, "nic") != 0) continue;
        bed.send("up0", pipeline_frames()[name]);
        ++sent;
      }
      CHECK(sent > 0);
      CHECK(bed.counts().of(DropReason::udp_checksum) == sent);
    }
  }
}

TEST_CASE("nic: whoever insists on an offload gets it, right or wrong") {
  Bed bed(behind_model("{misreport: [vxlan-tso-ipv4]}", "{tunnel-tso: on}"));
  CHECK(underlay_of(bed).capabilities().has(Outer::vxlan4, TxCapabilities::kTcp4));
  const std::string reason = offload_row(bed, "vxlan-tso-ipv4")["reason"];
  CHECK(reason.find("forced, though its self-test found wrong") != reason.npos);
}

TEST_CASE("nic: every tunnel has a rule, and marked frames go where unmarked ones do") {
  Bed bed(behind_model("{}"));
  CHECK(engine_of(bed).size() == 0);
  bed.gateway().tick();
  const OffloadSync& sync = bed.gateway().offload_sync();
  CHECK(sync.summary(underlay_of(bed).index).installed == 20);
  CHECK(engine_of(bed).size() == 20);
  CHECK(offload_row(bed, "flow")["reason"] == "20 of 20 rules installed, 0 frames");
  const size_t decapped = check_decap(bed);
  CHECK(decapped > 30);
  size_t without_rule = 0;  // behind a tag or an IPv6 option none matches
  for (const char* group : {"decap.nvgre.", "decap.keys.", "decap.priority.", "decap.gre.limit"}) {
    for (const std::string& name : pipeline_frames().names(group)) without_rule += name.ends_with(".accept");
  }
  CHECK(offload_row(bed, "flow")["reason"] ==
        fmt::format("20 of 20 rules installed, {} frames", decapped - without_rule));
  FlowCount count;
  const auto& vx4 = *bed.gateway().tunnels().find("vx4");
  REQUIRE(sync.count(underlay_of(bed).index, TunnelKeys::key_of(vx4.settings, vx4.endpoints[0].remote), count));
  CHECK(count.packets > 10);
}

TEST_CASE("nic: a VTEP heard through a group has a rule until it is forgotten") {
  Bed bed(R"(
version: 1
ethernets:
  lan0: {}
  up0:
    nic-model: {}
    addresses: [172.31.0.1/24]
    neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]
tunnels:
  vx0: {mode: vxlan, id: 300, link: up0, local: 172.31.0.1, remote: 239.129.1.1}
bridges:
  br0: {interfaces: [lan0, vx0], parameters: {ageing-time: 1}}
)");
  bed.gateway().tick();
  CHECK(engine_of(bed).size() == 0);
  bed.send("up0", pipeline_frames()["group4.far-to-all"]);
  bed.gateway().tick();
  CHECK(engine_of(bed).size() == 1);
  const auto end = std::chrono::steady_clock::now() + 8s;
  while (engine_of(bed).size() != 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(50ms);
    bed.gateway().tick();
    bed.run();
  }
  CHECK(engine_of(bed).size() == 0);
}

TEST_CASE("nic: a mark is believed for its own tunnel's headers only") {
  Bed bed(every_tunnel());
  const Tables& tables = bed.gateway().tables();
  std::vector<std::pair<AdjacencyIndex, TunnelKey>> tunnels;
  for (const auto& [name, tunnel] : bed.gateway().tunnels().all()) {
    // These have no rules.
    if (tunnel.settings.mode == TunnelType::nvgre || tunnel.settings.sent_id) continue;
    for (const auto& end : tunnel.endpoints) {
      tunnels.emplace_back(end.adjacency, TunnelKeys::key_of(tunnel.settings, end.remote));
    }
  }
  REQUIRE(tunnels.size() == 21);
  rte_mbuf* const m = rte_pktmbuf_alloc(bed.pool());
  for (const auto& [index, key] : tunnels) {
    for (const auto& [mark, ignored] : tunnels) {
      m->ol_flags = RTE_MBUF_F_RX_FDIR | RTE_MBUF_F_RX_FDIR_ID;
      m->hash.fdir.hi = mark;
      const Adjacency* const found = marked_tunnel(tables, m, key);
      CHECK((found != nullptr) == (mark == index));
    }
    for (const uint32_t nonsense : {0U, 12345U, 0xffff'ffffU}) {
      m->hash.fdir.hi = nonsense;
      CHECK(marked_tunnel(tables, m, key) == nullptr);
    }
    m->ol_flags = 0;
    m->hash.fdir.hi = index;
    CHECK(marked_tunnel(tables, m, key) == nullptr);
    TunnelKey stranger = key;
    stranger.remote.bytes[15] ^= 0x40;
    m->ol_flags = RTE_MBUF_F_RX_FDIR_ID;
    CHECK(marked_tunnel(tables, m, stranger) == nullptr);
  }
  rte_pktmbuf_free(m);
}

TEST_CASE("nic: wrong marks change nothing but the time it takes") {
  Bed bed(behind_model("{misreport: [flow-mark]}", "{flow: on}"));
  bed.gateway().tick();
  CHECK(engine_of(bed).size() == 20);
  CHECK(check_decap(bed) > 30);
}

TEST_CASE("nic: rules that are refused leave forwarding as it is, and say why") {
  Bed bed(behind_model("{without: [flow-rss], rx-queues: 2}"));
  bed.gateway().tick();
  CHECK(engine_of(bed).size() == 0);
  const auto row = offload_row(bed, "flow");
  CHECK(row["state"] == "software");
  CHECK(row["reason"] == "0 of 20 rules installed; refused 20: the model can't do RSS");
  CHECK(check_decap(bed) > 30);

  Bed uncounted(behind_model("{without: [flow-count]}"));
  uncounted.gateway().tick();
  CHECK(offload_row(uncounted, "flow")["reason"] == "20 of 20 rules installed");

  Bed unmarked(behind_model("{without: [flow-mark]}"));
  unmarked.gateway().tick();
  CHECK(offload_row(unmarked, "flow")["reason"] == "the device takes no rules");

  Bed off(behind_model("{}", "{flow: off}"));
  off.gateway().tick();
  CHECK(offload_row(off, "flow")["state"] == "off");
  CHECK_THROWS(Bed(behind_model("{without: [flow-mark]}", "{flow: on}")));
}

namespace {

std::string many_tunnels(unsigned count, unsigned first_id) {
  std::string yaml = R"(
version: 1
ethernets:
  up0:
    nic-model: {flow-rules: 20000}
    addresses: [172.31.0.1/24]
    neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]
tunnels:
)";
  std::string members;
  for (unsigned i = 0; i < count; ++i) {
    const std::string name = "t" + std::to_string(i);
    yaml += "  " + name + ": {mode: vxlan, id: " + std::to_string(first_id + i) +
            ", local: 172.31.0.1, remote: 172.31.0.2}\n";
    members += (i == 0 ? "" : ", ") + name;
  }
  return yaml + "bridges:\n  br0: {interfaces: [" + members + "]}\n";
}

// Until nothing is left to do.
void settle(Bed& bed) {
  for (int i = 0; i < 100; ++i) bed.gateway().tick();
  bed.run();
}

}  // namespace

TEST_CASE("nic: ten thousand tunnels come, change and go without a stale rule") {
  constexpr unsigned kTunnels = 10000;
  Bed bed(many_tunnels(kTunnels, 1));
  const PortIndex port = underlay_of(bed).index;
  const OffloadSync& sync = bed.gateway().offload_sync();
  bed.gateway().tick();
  CHECK(engine_of(bed).size() <= 500);  // a bounded piece of work at a time
  settle(bed);
  CHECK(engine_of(bed).size() == kTunnels);

  // Half of the ids are others' now, half are new.
  REQUIRE(bed.apply(many_tunnels(kTunnels, 1 + kTunnels / 2)).empty());
  settle(bed);
  CHECK(engine_of(bed).size() == kTunnels);
  CHECK(sync.summary(port).installed == kTunnels);
  for (const auto& [name, tunnel] : bed.gateway().tunnels().all()) {
    FlowCount count;
    REQUIRE(sync.count(port, TunnelKeys::key_of(tunnel.settings, tunnel.endpoints[0].remote), count));
  }

  REQUIRE(bed.apply(many_tunnels(3, 1)).empty());
  bed.gateway().tick();
  CHECK(sync.summary(port).removing > kTunnels / 2);
  settle(bed);
  CHECK(engine_of(bed).size() == 3);
  CHECK(sync.summary(port).removing == 0);
}

TEST_CASE("nic: where rules have no room, those without traffic make some") {
  Bed bed(behind_model("{}"));
  std::map<AdjacencyIndex, uint64_t> traffic;
  OffloadSync::Limits limits;
  limits.rules = 4;
  OffloadSync sync(
      bed.gateway().ports(), bed.gateway().tunnels(), [&](AdjacencyIndex index) { return traffic[index]; }, limits);
  const auto key_of = [&](const char* name) {
    const Tunnels::Tunnel& tunnel = *bed.gateway().tunnels().find(name);
    return std::pair(tunnel.endpoints[0].adjacency, TunnelKeys::key_of(tunnel.settings, tunnel.endpoints[0].remote));
  };
  const PortIndex port = underlay_of(bed).index;
  const OffloadSync::Clock::time_point start{1h};
  sync.changed();
  sync.step(start);
  CHECK(sync.summary(port).installed == 4);
  CHECK(engine_of(bed).size() == 4);
  FlowCount count;
  std::vector<std::pair<AdjacencyIndex, TunnelKey>> waiting;
  for (const char* name : {"gnv4", "gnv6", "vx4", "vx6", "gnv4port", "gnv4sum", "gre4", "gre6"}) {
    if (!sync.count(port, key_of(name).second, count)) waiting.push_back(key_of(name));
  }
  REQUIRE(waiting.size() >= 4);
  const auto installed_of = [&] {
    size_t installed = 0;
    for (const auto& [index, key] : waiting) installed += sync.count(port, key, count) ? 1 : 0;
    return installed;
  };
  CHECK(installed_of() == 0);
  for (auto& [index, key] : waiting) traffic[index] = 7;
  sync.step(start + 11s);
  CHECK(installed_of() > 0);
  CHECK(engine_of(bed).size() == 4);
  sync.forget(port);
  CHECK(engine_of(bed).size() == 0);
}

}  // namespace causeway::test
