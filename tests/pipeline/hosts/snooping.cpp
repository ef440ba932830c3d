// Hosts that say of themselves where they are: believed once they have answered a probe, and as long as they do.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/view/view.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/icmp.h"
#include "dataplane/wire/link_local.h"
#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/stopped_clock.h"

namespace causeway::test {
namespace {

using nlohmann::json;
using Sequence = std::vector<Bytes>;

constexpr const char* kYaml = R"(version: 1
ethernets: {p1: {bindings: [{mac: 02:00:00:00:01:01, addresses: [10.0.0.1]}]}, p2: {}, p3: {}, p4: {}}
bridges: {br0: {interfaces: [p1, p2, p3, p4], parameters: {arp-nd-suppress: true}}}
)";

const Bytes& frame(const std::string& name) { return pipeline_frames()["hosts." + name]; }

struct Snooped {
  StoppedClock clock;
  Bed bed{kYaml};

  // scapy's frames have another MAC in the place of the gateway's own, and its link-local address.
  Bytes with_prober(Bytes bytes) {
    constexpr MacAddress kPlaceholder{{2, 0, 0, 0, 0x99, 0x99}};
    put_for(kPlaceholder.bytes, prober().bytes, bytes);
    const Bytes before = bytes;
    put_for(link_local_address(kPlaceholder).bytes, link_local_address(prober()).bytes, bytes);
    if (bytes != before) complete_icmpv6(bytes);
    return bytes;
  }
  static void put_for(const auto& before, const auto& after, Bytes& bytes) {
    for (auto at = bytes.begin();;) {
      at = std::search(at, bytes.end(), before.begin(), before.end());
      if (at == bytes.end()) return;
      at = std::ranges::copy(after, at).out;
    }
  }
  static void complete_icmpv6(Bytes& bytes) {
    constexpr size_t kIcmp = sizeof(EthernetHeader) + sizeof(Ipv6Header);
    const auto& ip = *reinterpret_cast<const Ipv6Header*>(bytes.data() + sizeof(EthernetHeader));
    auto& icmp = *reinterpret_cast<IcmpHeader*>(bytes.data() + kIcmp);
    const size_t count = bytes.size() - kIcmp;
    icmp.checksum = {};
    const uint32_t pseudo_sum = pseudo_header_sum(ip, kIpProtocolIcmpv6, static_cast<uint32_t>(count));
    icmp.checksum = checksum_of(sum_bytes(bytes.data() + kIcmp, count, pseudo_sum));
  }
  const MacAddress& prober() { return bed.gateway().tables().hosts.load()->prober(); }

  Sequence send(const std::string& port, const std::string& name, const std::string& look_at) {
    bed.nothing_sent();
    bed.send(port, with_prober(frame(name)));
    Sequence all = bed.take_bytes(look_at);
    // p2's host says where it is itself, too, and is asked: without that.
    if (look_at == "p2") {
      std::erase_if(all, [&](const Bytes& bytes) {
        return std::equal(bytes.begin() + 6, bytes.begin() + 12, prober().bytes.begin());
      });
    }
    return all;
  }
  // Host `number` at its port says that it has 10.0.0.3, and is asked.
  void says(int number) {
    const std::string digit = std::to_string(number);
    const std::string port = "p" + digit;
    CHECK(send(port, "says." + digit, port) == Sequence{with_prober(frame("probe." + digit))});
    bed.nothing_sent();
  }
  // It answers, which nobody else hears.
  void answers(int number) {
    const Counts before = bed.counts();
    bed.send("p" + std::to_string(number), with_prober(frame("answers." + std::to_string(number))));
    CHECK(bed.nothing_sent());
    CHECK((bed.counts() - before).to_control == 1);
    CHECK(to_text(bed.counts() - before).empty());
  }
  // Who is told for 10.0.0.3 where p2 asks: the number of a host, 0: all are asked.
  int told() {
    const Sequence at_asker = send("p2", "asks.3", "p2");
    const bool flooded = !bed.nothing_sent();
    CHECK(flooded == at_asker.empty());
    for (const int number : {3, 4}) {
      if (at_asker == Sequence{frame("told." + std::to_string(number))}) return number;
    }
    CHECK(at_asker.empty());
    return 0;
  }
  // What comes out of a port in the seconds from now on.
  Sequence wait(int seconds, const std::string& port) {
    Sequence all;
    for (int i = 0; i < seconds * 4; ++i) {
      clock.advance(std::chrono::milliseconds(250));
      bed.gateway().tick();
      bed.run();
      for (Bytes& bytes : bed.take_bytes(port)) all.push_back(std::move(bytes));
    }
    bed.nothing_sent();
    return all;
  }
  json shown() {
    for (const json& host : show(bed.gateway(), "hosts")) {
      if (host["ip"] == "10.0.0.3") return host;
    }
    return {};
  }
  std::string state() {
    const json host = shown();
    return host.is_null() ? "" : host["state"].get<std::string>() + " " + host["mac"].get<std::string>().substr(15);
  }
  std::string source() { return shown().value("source", ""); }
};

}  // namespace

TEST_CASE("hosts: what a host says counts once it has answered a probe") {
  Snooped lab;
  CHECK(lab.told() == 0);
  lab.says(3);
  CHECK(lab.state() == "verifying 03");
  CHECK(lab.told() == 0);
  lab.answers(3);
  CHECK(lab.state() == "known 03");
  CHECK(lab.told() == 3);
  // From beside it, or of itself, it is asked itself.
  CHECK(lab.send("p3", "asks.3.beside", "p2").size() == 1);
  CHECK(lab.send("p2", "looks.3", "p4").size() == 1);
}

TEST_CASE("hosts: nobody answers a probe for another") {
  Snooped lab;
  // Its MAC can't be taken to p4.
  lab.bed.gateway().fdb().add_static(1, mac_vlan({{2, 0, 0, 0, 1, 3}}, 0),
                                     lab.bed.gateway().ports().find("p3")->adjacency);
  lab.says(3);
  const Counts before = lab.bed.counts();
  lab.bed.send("p4", lab.with_prober(frame("answers.3")));
  CHECK(lab.bed.nothing_sent());
  CHECK(to_text(lab.bed.counts() - before) == "control_ignored 1");
  CHECK(lab.state() == "verifying 03");
  lab.answers(3);
  CHECK(lab.told() == 3);
}

TEST_CASE("hosts: the MAC that probes come from lives nowhere") {
  Snooped lab;
  Bytes spoken = frame("speaks.3");
  std::ranges::copy(lab.prober().bytes, spoken.begin() + 6);
  lab.bed.send("p4", spoken);
  lab.bed.nothing_sent();
  for (const json& entry : show(lab.bed.gateway(), "fdb")) CHECK(entry["port"] != "p4");
  // Nor where the fabric says that it does.
  lab.bed.gateway().fdb().add_static(1, mac_vlan(lab.prober(), 0), lab.bed.gateway().ports().find("p4")->adjacency);
  lab.says(3);
  lab.answers(3);
  CHECK(lab.told() == 3);
}

TEST_CASE("hosts: who looks whether the prober is there costs no drop") {
  Snooped lab;
  lab.send("p3", "nd.says.3", "p3");
  lab.bed.nothing_sent();
  const Counts before = lab.bed.counts();
  lab.bed.send("p3", lab.with_prober(frame("nd.looks.3")));
  CHECK(lab.bed.nothing_sent());
  CHECK((lab.bed.counts() - before).to_control == 1);
  CHECK(to_text(lab.bed.counts() - before).empty());
}

TEST_CASE("hosts: a reply to another is heard, too") {
  Snooped lab;
  lab.send("p2", "asks.3", "p2");
  lab.bed.nothing_sent();
  lab.bed.send("p3", frame("replies.3"));
  CHECK(lab.bed.take_bytes("p3") == Sequence{lab.with_prober(frame("probe.3"))});
  CHECK(lab.bed.take_bytes("p2") == Sequence{frame("replies.3")});
  lab.answers(3);
  CHECK(lab.told() == 3);
}

TEST_CASE("hosts: who doesn't answer is asked three times, and forgotten") {
  Snooped lab;
  lab.says(3);
  const Sequence probes = lab.wait(5, "p3");
  CHECK(probes == Sequence(2, lab.with_prober(frame("probe.3"))));
  CHECK(lab.state().empty());
  CHECK(show(lab.bed.gateway(), "bridges").at(0)["hosts"] == 1);
}

TEST_CASE("hosts: one that is silent for a minute is asked, and stays while it answers") {
  Snooped lab;
  lab.says(3);
  lab.answers(3);
  for (int round = 0; round < 3; ++round) {
    CAPTURE(round);
    CHECK(lab.wait(59, "p3").empty());
    CHECK(lab.wait(1, "p3") == Sequence{lab.with_prober(frame("probe.3"))});
    CHECK(lab.state() == "probing 03");
    CHECK(lab.told() == 3);
    lab.answers(3);
    CHECK(lab.state() == "known 03");
  }
  CHECK(lab.wait(65, "p3").size() == 3);
  CHECK(lab.state().empty());
  CHECK(lab.told() == 0);
}

TEST_CASE("hosts: one that is heard meanwhile isn't asked") {
  Snooped lab;
  lab.says(3);
  lab.answers(3);
  lab.wait(59, "p3");
  lab.bed.send("p3", frame("says.3"));
  CHECK(lab.wait(2, "p3").empty());
  CHECK(lab.state() == "known 03");
}

TEST_CASE("hosts: where two say the same the first is asked; if it answers both answer for themselves") {
  Snooped lab;
  lab.says(3);
  lab.answers(3);
  CHECK(lab.send("p4", "says.4", "p3") == Sequence{frame("says.4"), lab.with_prober(frame("probe.3"))});
  lab.bed.nothing_sent();
  CHECK(lab.told() == 3);
  lab.answers(3);
  CHECK(lab.state() == "disputed 03");
  CHECK(lab.told() == 0);
  CHECK(lab.wait(179, "p3").empty());
  CHECK(lab.wait(1, "p3") == Sequence{lab.with_prober(frame("probe.3"))});
  lab.answers(3);
  CHECK(lab.told() == 3);
}

TEST_CASE("hosts: where the first is gone the second takes its place, once it has answered") {
  Snooped lab;
  lab.says(3);
  lab.answers(3);
  lab.send("p4", "says.4", "p3");
  const Sequence asked = lab.wait(3, "p4");
  CHECK(asked == Sequence{lab.with_prober(frame("probe.4"))});
  CHECK(lab.told() == 0);
  lab.answers(4);
  CHECK(lab.told() == 4);
}

TEST_CASE("hosts: nobody takes the place of a bound one, nor of the fabric's") {
  Snooped lab;
  CHECK(lab.send("p3", "says.bound", "p3").empty());
  CHECK(lab.send("p2", "ask.arp", "p2") == Sequence{frame("answer.arp")});
  Hosts& hosts = lab.bed.gateway().hosts();
  const IpAddress address = IpAddress::v4(10, 0, 0, 3);
  hosts.fabric_host(1, 0, address, {{2, 0, 0, 0, 1, 4}});
  CHECK(lab.send("p3", "says.3", "p3").empty());
  CHECK(lab.state() == "known 04");
  // The fabric's own host has come to a port of ours: it is verified, and told.
  std::vector<std::string> told;
  hosts.tell([&](BridgeIndex, uint16_t, const IpAddress& ip, const MacAddress& mac, bool gone) {
    if (ip == address) told.push_back((gone ? "- " : "+ ") + std::to_string(mac.bytes[5]));
  });
  lab.says(4);
  CHECK(told.empty());
  lab.answers(4);
  CHECK(told == std::vector<std::string>{"+ 4"});
  CHECK(lab.told() == 4);
  CHECK(lab.source() == "snooped");  // the fabric's word was of another place
  // Its MAC goes elsewhere: it is nobody's here.
  lab.bed.gateway().fdb().remove(1, mac_vlan({{2, 0, 0, 0, 1, 4}}, 0));
  CHECK(lab.told() == 0);
  lab.wait(61, "p4");
  CHECK(told == std::vector<std::string>{"+ 4", "- 4"});
  CHECK(lab.state().empty());
}

TEST_CASE("hosts: an IPv6 host is answered for with its own flags") {
  Snooped lab;
  const Sequence sent = lab.send("p3", "nd.says.3", "p3");
  REQUIRE(sent.size() == 1);  // a solicitation to it alone
  CHECK(sent[0].size() == 86);
  CHECK(Bytes(sent[0].begin(), sent[0].begin() + 6) == Bytes{2, 0, 0, 0, 1, 3});
  CHECK(Bytes(sent[0].begin() + 62, sent[0].begin() + 78) ==
        Bytes(frame("nd.asks.3").begin() + 62, frame("nd.asks.3").begin() + 78));
  CHECK(lab.send("p2", "nd.asks.3", "p2").empty());
  CHECK(lab.send("p3", "nd.answers.3", "p3").empty());
  CHECK(lab.bed.nothing_sent());
  CHECK(lab.send("p2", "nd.asks.3", "p2") == Sequence{frame("nd.told.3")});
  CHECK(lab.bed.nothing_sent());
}

TEST_CASE("hosts: a DHCP lease is verified once its client has had time to look whether it is alone") {
  Snooped lab;
  lab.bed.send("p3", frame("speaks.3"));
  lab.bed.send("p2", frame("dhcp.nak"));
  CHECK(lab.state().empty());
  lab.bed.send("p2", frame("dhcp.ack"));
  CHECK(lab.state() == "verifying 03");
  lab.bed.nothing_sent();
  CHECK(lab.wait(9, "p3").empty());
  CHECK(lab.wait(1, "p3") == Sequence{lab.with_prober(frame("probe.3"))});
  lab.answers(3);
  CHECK(lab.told() == 3);
}

TEST_CASE("hosts: a flood of claims costs no more than its measure") {
  Snooped lab;
  constexpr int kClaims = 2000;
  const uint16_t began_s = lab.bed.gateway().now_s();
  for (int i = 0; i < kClaims; ++i) {
    Bytes claim = frame("says.3");
    claim[29] = 2;
    claim[30] = static_cast<uint8_t>(i >> 8);
    claim[31] = static_cast<uint8_t>(i);
    lab.bed.deliver("p3", claim);
    if (i % 50 == 0) {
      lab.bed.run();
      lab.bed.nothing_sent();
    }
  }
  lab.bed.run();
  lab.bed.nothing_sent();
  const unsigned seconds = static_cast<uint16_t>(lab.bed.gateway().now_s() - began_s) + 1U;
  const json bridge = show(lab.bed.gateway(), "bridges").at(0);
  const size_t verifying = show(lab.bed.gateway(), "hosts").size() - 1;
  CHECK(verifying >= 256);
  CHECK(verifying <= size_t{kSightingsPerSecond} * seconds);
  CHECK(bridge["hosts"] == 1);  // none of them is answered for
  lab.wait(5, "p3");
  CHECK(show(lab.bed.gateway(), "hosts").size() == 1);
}

TEST_CASE("hosts: of a bridge no more are snooped than it has MACs") {
  Snooped lab;
  std::string yaml = kYaml;
  yaml.insert(yaml.find("arp-nd"), "max-macs: 2, ");
  CHECK(lab.bed.apply(yaml).empty());
  for (uint8_t i = 0; i < 5; ++i) {
    Bytes claim = frame("says.3");
    claim[30] = i;
    lab.bed.send("p3", claim);
  }
  lab.bed.nothing_sent();
  CHECK(show(lab.bed.gateway(), "bridges").at(0)["hosts_refused"] == 3);
}

}  // namespace causeway::test
