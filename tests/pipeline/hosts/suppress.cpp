// ARP and ND suppression: who asks for a host that is known gets scapy's answer, from where it asked, and nobody else
// hears of it.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/trace/trace.h"
#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

using nlohmann::json;
using Sequence = std::vector<Bytes>;

constexpr const char* kBound = R"(bindings: [{mac: 02:00:00:00:01:01, addresses: [10.0.0.1, "fd00::1", 10.9.0.0/16]}])";

std::string topology(const std::string& p1 = kBound, const std::string& p2 = "",
                     const std::string& parameters = "arp-nd-suppress: true") {
  return "version: 1\nethernets: {p1: {" + p1 + "}, p2: {" + p2 + "}, p3: {}}\n" +
         "bridges: {br0: {interfaces: [p1, p2, p3], parameters: {" + parameters + "}}}\n";
}

const Bytes& frame(const std::string& name) { return pipeline_frames()["hosts." + name]; }

// Who asks says where it is itself, too, and gets a probe (snooping.cpp): without these.
Sequence taken(Bed& bed, const std::string& port) {
  Sequence all = bed.take_bytes(port);
  const HostTable* const hosts = bed.gateway().tables().hosts.load();
  std::erase_if(all, [&](const Bytes& bytes) {
    return hosts != nullptr && std::equal(bytes.begin() + 6, bytes.begin() + 12, hosts->prober().bytes.begin());
  });
  return all;
}

bool nothing_else(Bed& bed) {
  bool nothing = true;
  for (const auto& [name, record] : bed.gateway().ports().all()) nothing &= taken(bed, name).empty();
  return nothing;
}

json bridge(Bed& bed) { return show(bed.gateway(), "bridges").at(0); }

// What p2 asks floods as it is.
void check_floods(Bed& bed, const Bytes& question) {
  bed.send("p2", question);
  CHECK(taken(bed, "p1") == Sequence{question});
  CHECK(taken(bed, "p2").empty());
  CHECK(taken(bed, "p3") == Sequence{question});
}

void check_answered(Bed& bed, const Bytes& question, const Bytes& answer) {
  const Counts before = bed.counts();
  bed.send("p2", question);
  CHECK(taken(bed, "p2") == Sequence{answer});
  CHECK(nothing_else(bed));
  const Counts rise = bed.counts() - before;
  CHECK(to_text(rise).empty());
  CHECK((rise.rx == 1 && rise.tx - rise.from_control == 1 && rise.to_control == 0));
}

}  // namespace

TEST_CASE("hosts: who asks for a bound host gets the answer, and nobody else is asked") {
  Bed bed(topology());
  int asked = 0;
  for (const std::string& name : pipeline_frames().names("hosts.ask.")) {
    if (name.find(".tag") != std::string::npos || name.find(".priority") != std::string::npos ||
        name.find(".service-tag") != std::string::npos) {
      continue;
    }
    CAPTURE(name);
    check_answered(bed, pipeline_frames()[name], frame("answer." + name.substr(10)));
    ++asked;
  }
  CHECK(asked == 8);
  CHECK(bridge(bed)["answered"] == asked);
  CHECK(bridge(bed)["hosts"] == 2);
  // The asker was learnt as ever.
  CHECK(show(bed.gateway(), "fdb").size() == 2);
}

TEST_CASE("hosts: in a VLAN, whatever its tag is like") {
  Bed bed(topology(std::string("vlan: {mode: access, tag: 7}, ") + kBound));
  int asked = 0;
  for (const std::string kind : {"arp", "nd"}) {
    for (const std::string tag : {"tag", "priority", "service-tag"}) {
      CAPTURE(kind, tag);
      check_answered(bed, frame("ask." + kind + "." + tag), frame("answer." + kind + "." + tag));
      ++asked;
    }
    // The same address in no VLAN is nobody's.
    bed.send("p2", frame("ask." + kind));
    CHECK(taken(bed, "p3") == Sequence{frame("ask." + kind)});
    CHECK(taken(bed, "p2").empty());
  }
  CHECK(bridge(bed)["answered"] == asked);
}

TEST_CASE("hosts: an access port's question and answer have no tag") {
  Bed bed(topology(std::string("vlan: {mode: access, tag: 7}, ") + kBound, "vlan: {mode: access, tag: 7}"));
  check_answered(bed, frame("ask.arp"), frame("answer.arp"));
  check_answered(bed, frame("ask.nd"), frame("answer.nd"));
}

TEST_CASE("hosts: what is no question for a known host is flooded") {
  Bed bed(topology());
  for (const std::string& name : pipeline_frames().names("hosts.flood.")) {
    CAPTURE(name);
    check_floods(bed, pipeline_frames()[name]);
  }
  CHECK(bridge(bed)["answered"] == 0);
  // Nor is one in several buffers, or one that is addressed to the host.
  bed.send("p2", frame("ask.nd"), {40});
  CHECK(taken(bed, "p3").size() == 1);
  Bytes unicast = frame("ask.arp");
  std::ranges::copy(Bytes{2, 0, 0, 0, 1, 1}, unicast.begin());
  bed.nothing_sent();
  bed.send("p2", unicast);
  CHECK(taken(bed, "p1") == Sequence{unicast});
  CHECK(nothing_else(bed));
}

TEST_CASE("hosts: a host behind the port that asks answers for itself, and so does one that asks for itself") {
  Bed bed(topology("", kBound));
  bed.send("p2", frame("ask.arp"));  // both behind p2, whose bindings don't know the asker
  CHECK(to_text(bed.counts()) == "mac_not_bound 1");
  Bed open(topology(""));
  open.gateway().hosts().fabric_host(1, 0, IpAddress::v4(10, 0, 0, 1), {{2, 0, 0, 0, 1, 1}});
  check_floods(open, frame("ask.arp"));  // nobody knows where it lives
  open.gateway().fdb().add_static(1, mac_vlan({{2, 0, 0, 0, 1, 1}}, 0), open.gateway().ports().find("p2")->adjacency);
  check_floods(open, frame("ask.arp"));
  open.gateway().fdb().add_static(1, mac_vlan({{2, 0, 0, 0, 1, 1}}, 0), open.gateway().ports().find("p1")->adjacency);
  check_answered(open, frame("ask.arp"), frame("answer.arp"));
  // Its own MAC at another port: it has moved, and looks whether it is alone.
  open.gateway().hosts().fabric_host(1, 0, IpAddress::v4(10, 0, 0, 1), {{2, 0, 0, 0, 1, 2}});
  check_floods(open, frame("ask.arp"));
  check_floods(open, frame("ask.arp-probe"));
}

TEST_CASE("hosts: where isolated ports may not talk they aren't answered for each other") {
  Bed bed(topology(std::string("isolated: true, ") + kBound, "isolated: true"));
  bed.send("p2", frame("ask.arp"));
  CHECK(taken(bed, "p3") == Sequence{frame("ask.arp")});
  CHECK(nothing_else(bed));
}

TEST_CASE("hosts: without arp-nd-suppress all is flooded, and a change of it counts at once") {
  Bed bed(topology(kBound, "", ""));
  check_floods(bed, frame("ask.arp"));
  CHECK(bridge(bed)["answered"].is_null());
  CHECK(show(bed.gateway(), "hosts").empty());
  CHECK(bed.apply(topology()).empty());
  check_answered(bed, frame("ask.arp"), frame("answer.arp"));
  CHECK(show(bed.gateway(), "hosts").at(0) == json{{"bridge", "br0"},
                                                   {"vlan", 0},
                                                   {"ip", "10.0.0.1"},
                                                   {"mac", "02:00:00:00:01:01"},
                                                   {"port", "p1"},
                                                   {"remote", nullptr},
                                                   {"source", "binding"},
                                                   {"state", "known"},
                                                   {"age_s", 0}});
  CHECK(bed.apply(topology("")).empty());
  check_floods(bed, frame("ask.arp"));
  CHECK(bed.apply(topology()).empty());
  check_answered(bed, frame("ask.arp"), frame("answer.arp"));
  CHECK(bed.apply(topology(kBound, "", "arp-nd-suppress: false")).empty());
  check_floods(bed, frame("ask.arp"));
}

TEST_CASE("hosts: an address that two bindings name is nobody's") {
  Bed bed(
      topology("bindings: [{mac: 02:00:00:00:01:01, addresses: [10.0.0.1]}, "
               "{mac: 02:00:00:00:01:08, addresses: [10.0.0.1]}]"));
  CHECK(show(bed.gateway(), "hosts").empty());
  check_floods(bed, frame("ask.arp"));
}

TEST_CASE("hosts: a bound one goes before the fabric's, and both are told apart") {
  Bed bed(topology());
  Hosts& hosts = bed.gateway().hosts();
  std::vector<std::string> told;
  hosts.tell([&](BridgeIndex, uint16_t, const IpAddress& ip, const MacAddress& mac, bool gone) {
    if (ip.is_v4()) told.push_back((gone ? "- " : "+ ") + std::to_string(mac.bytes[5]));
  });
  CHECK(told == std::vector<std::string>{"+ 1"});
  const IpAddress address = IpAddress::v4(10, 0, 0, 1);
  hosts.fabric_host(1, 0, address, {{2, 0, 0, 0, 1, 9}});
  check_answered(bed, frame("ask.arp"), frame("answer.arp"));
  CHECK(bed.apply(topology("")).empty());
  CHECK(told == std::vector<std::string>{"+ 1", "- 1"});
  CHECK(show(bed.gateway(), "hosts").at(0)["mac"] == "02:00:00:00:01:09");
  CHECK(show(bed.gateway(), "hosts").at(0)["source"] == "fabric");
  CHECK(bridge(bed)["hosts"] == 1);
  hosts.fabric_host_gone(1, 0, address);
  hosts.fabric_host_gone(1, 0, address);
  CHECK(bridge(bed)["hosts"] == 0);
}

TEST_CASE("hosts: a question from a tunnel is answered into it") {
  Bed bed(std::string("version: 1\nethernets:\n  up0: {addresses: [172.31.0.1/24], macaddress: 02:00:00:00:00:01, "
                      "neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]}\n  p1: {") +
          kBound + "}\n  p2: {}\ntunnels: {vx0: {mode: vxlan, id: 100, local: 172.31.0.1, remote: 172.31.0.2}}\n" +
          "bridges: {br0: {interfaces: [p1, p2, vx0], parameters: {arp-nd-suppress: true}}}\n");
  bed.nothing_sent();
  bed.send("up0", frame("tunnel.asks"));
  const Sequence sent = taken(bed, "up0");
  CHECK(nothing_else(bed));
  REQUIRE(sent.size() == 1);
  const Bytes& inner = frame("answer.arp");
  REQUIRE(sent[0].size() == 50 + inner.size());
  CHECK(Bytes(sent[0].begin() + 50, sent[0].end()) == inner);
  CHECK(show(bed.gateway(), "tunnels").at(0)["tx_packets"] == 1);
}

TEST_CASE("hosts: a thousand, that come and go") {
  std::string bindings;
  for (int i = 0; i < 1000; ++i) bindings += ", 10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
  Bed bed(topology("bindings: [{mac: 02:00:00:00:01:01, addresses: [" + bindings.substr(2) + "]}]"));
  const auto ask = [&](int i) {
    Bytes question = frame("ask.arp");
    question[39] = 1;
    question[40] = static_cast<uint8_t>(i / 250);
    question[41] = static_cast<uint8_t>(i % 250 + 1);
    bed.send("p2", question);
  };
  for (int i = 0; i < 1000; ++i) ask(i);
  CHECK(taken(bed, "p2").size() == 1000);
  CHECK(nothing_else(bed));
  CHECK(bridge(bed)["hosts"] == 1000);
  for (int round = 0; round < 5; ++round) {
    CHECK(bed.apply(topology("bindings: [{mac: 02:00:00:00:01:01, addresses: [10.1.0.1]}]")).empty());
    CHECK(bed.apply(topology("bindings: [{mac: 02:00:00:00:01:01, addresses: [" + bindings.substr(2) + "]}]")).empty());
  }
  for (int i = 0; i < 1000; ++i) ask(i);
  CHECK(taken(bed, "p2").size() == 1000);
  CHECK(nothing_else(bed));
}

TEST_CASE("hosts: a trace says what is answered, and changes nothing") {
  Bed bed(topology());
  bed.send("p2", frame("speaks.3"));
  bed.nothing_sent();
  const PortIndex port = bed.gateway().ports().find("p2")->index;
  for (const std::string kind : {"arp", "nd", "dad-nonce"}) {
    CAPTURE(kind);
    const Counts before = bed.counts();
    const auto trace = trace_frame(bed.gateway(), port, frame("ask." + kind));
    REQUIRE(trace);
    REQUIRE(trace->answer);
    CHECK(trace->answer->mac == MacAddress{{2, 0, 0, 0, 1, 1}});
    REQUIRE(trace->sent.size() == 1);
    CHECK(trace->sent[0].port == port);
    CHECK(trace->sent[0].bytes == frame("answer." + kind));
    CHECK((bed.counts() - before).rx == 0);
  }
  const auto flooded = trace_frame(bed.gateway(), port, frame("flood.unknown"));
  REQUIRE(flooded);
  CHECK_FALSE(flooded->answer);
  CHECK(flooded->sent.size() == 2);
  CHECK(bridge(bed)["answered"] == 0);
}

}  // namespace causeway::test
