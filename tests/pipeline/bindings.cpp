// Port security: who may speak from a port, and what he may say of himself. Frames and verdicts are scapy's and
// bindings_frames.py's.
#include <nlohmann/json.hpp>

#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

using nlohmann::json;

constexpr const char* kBindings = R"(bindings: [
      {mac: 02:00:00:00:01:01, addresses: [10.0.0.5, "fd00::5", 10.9.0.0/16]},
      {mac: 02:00:00:00:01:02},
      {mac: 02:00:00:00:01:03, addresses: [10.0.0.7]},
      {mac: 02:00:00:00:01:04, addresses: ["fd00::7"]}])";

std::string topology(const std::string& port, const std::string& more = "", const std::string& members = "p1, p2") {
  return "version: 1\nethernets:\n  p1: {" + port + "}\n  p2: {}\n" + more + "bridges: {br0: {interfaces: [" + members +
         "]}}\n";
}

// "pass", or a reason.
std::string verdict_of(const std::string& name) { return name.substr(6, name.find('.', 6) - 6); }

}  // namespace

TEST_CASE("bindings: whose sender is bound passes, others die of their reason") {
  Bed bed(topology(kBindings));
  for (const bool known : {false, true}) {
    for (const std::string& name : pipeline_frames().names("bound.")) {
      CAPTURE(known, name);
      const Bytes& frame = pipeline_frames()[name];
      const std::string verdict = verdict_of(name);
      const Counts before = bed.counts();
      bed.send("p1", frame);
      if (verdict == "pass") {
        CHECK(to_text(bed.counts() - before).empty());
        CHECK(bed.take_bytes("p2") == std::vector<Bytes>{frame});
      } else {
        CHECK(to_text(bed.counts() - before) == verdict + " 1");
        CHECK(bed.nothing_sent());
      }
    }
    // From now on all are of flows that the worker knows.
    for (const std::string name :
         {"bound.pass.lldp-like", "bound.pass.lldp-like.tag", "bound.pass.lldp-like.two-tags"}) {
      Bytes answer = pipeline_frames()[name];
      std::swap_ranges(answer.begin(), answer.begin() + 6, answer.begin() + 6);
      bed.send("p2", answer);
    }
    bed.nothing_sent();
  }
}

TEST_CASE("bindings: in a burst each frame is judged by itself, as chains too") {
  for (const bool chains : {false, true}) {
    Bed bed(topology(kBindings));
    std::vector<Bytes> expected;
    for (const std::string& name : pipeline_frames().names("bound.")) {
      const Bytes& frame = pipeline_frames()[name];
      // Nothing is read across buffers: what lies in the second one counts for unreadable.
      bed.deliver("p1", frame, chains && frame.size() > 140 ? std::vector<uint16_t>{130} : std::vector<uint16_t>{});
      if (verdict_of(name) == "pass") expected.push_back(frame);
    }
    bed.run();
    CHECK(bed.take_bytes("p2") == expected);
  }
}

TEST_CASE("bindings: a port without any takes everything, and so does one that loses them") {
  Bed bed(topology(kBindings));
  const auto all_pass = [&](const std::string& from, const std::string& to) {
    for (const std::string& name : pipeline_frames().names("bound.")) {
      if (name.find(".group") != std::string::npos) continue;
      CAPTURE(name);
      bed.send(from, pipeline_frames()[name]);
      CHECK(bed.take_bytes(to) == std::vector<Bytes>{pipeline_frames()[name]});
    }
  };
  all_pass("p2", "p1");
  CHECK(bed.counts().all_drops() == 0);
  CHECK(bed.apply(topology("")).empty());
  bed.gateway().fdb().remove_if([](const Fdb::Entry&) { return true; });
  all_pass("p1", "p2");
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("bindings: those that come later make a port forget whom it knew") {
  Bed bed(topology(""));
  bed.send("p1", pipeline_frames()["bound.mac_not_bound.stranger"]);
  CHECK(show(bed.gateway(), "fdb").size() == 1);
  CHECK(bed.apply(topology(kBindings)).empty());
  for (const json& entry : show(bed.gateway(), "fdb")) CHECK(entry["type"] == "static");  // the bound ones
  const json port = show(bed.gateway(), "ports").at(0);
  CHECK(port["bindings"].at(0) ==
        json{{"mac", "02:00:00:00:01:01"}, {"addresses", {"10.0.0.5/32", "fd00::5/128", "10.9.0.0/16"}}});
  CHECK(port["bindings"].at(1) == json{{"mac", "02:00:00:00:01:02"}, {"addresses", json::array()}});
}

namespace {

constexpr const char* kMac = "02:00:00:00:01:02";  // bound at p1, with any address
const MacAddress kBound{{2, 0, 0, 0, 1, 2}};
const MacAddress kOther{{2, 0, 0, 0, 1, 9}};
const MacAddress kAll{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

Bytes speaks(const MacAddress& source, const MacAddress& destination, uint16_t vlan = 0) {
  Bytes frame(60);
  std::ranges::copy(destination.bytes, frame.begin());
  std::ranges::copy(source.bytes, frame.begin() + 6);
  size_t at = 12;
  if (vlan != 0) {
    for (const uint8_t byte :
         {uint8_t{0x81}, uint8_t{0}, static_cast<uint8_t>(vlan >> 8), static_cast<uint8_t>(vlan)}) {
      frame[at++] = byte;
    }
  }
  frame[at] = 0x88;
  frame[at + 1] = 0xb5;  // IEEE 802 local experiments
  return frame;
}

// "p1 static", "" where it lives nowhere.
std::string home(Bed& bed, unsigned vlan = 0, const std::string& mac = kMac) {
  for (const json& entry : show(bed.gateway(), "fdb")) {
    if (entry["mac"] == mac && entry["vlan"] == vlan) {
      return entry["port"].get<std::string>() + " " + entry["type"].get<std::string>();
    }
  }
  return "";
}

std::string three_ports(const std::string& p1, const std::string& static_macs = "") {
  return "version: 1\nethernets:\n  p1: {" + p1 + "}\n  p2: {}\n  p3: {}\n" +
         "bridges: {br0: {interfaces: [p1, p2, p3], static-macs: [" + static_macs + "]}}\n";
}

// Whether a frame of p3 to the bound MAC comes out of p1, and nowhere else.
bool reaches_only_p1(Bed& bed, uint16_t vlan = 0) {
  const Bytes frame = speaks(kOther, kBound, vlan);
  bed.send("p3", frame);
  const bool at_p1 = bed.take_bytes("p1") == std::vector<Bytes>{frame};
  return at_p1 && bed.nothing_sent();
}

}  // namespace

TEST_CASE("bindings: a bound MAC lives at its port, whoever speaks with it") {
  const std::string bound = std::string("bindings: [{mac: ") + kMac + "}]";
  Bed bed(three_ports(bound));
  CHECK(home(bed) == "p1 static");
  CHECK(reaches_only_p1(bed));  // before it has said a word
  bed.send("p2", speaks(kBound, kAll));
  CHECK(bed.take_bytes("p1").size() == 1);
  CHECK(bed.take_bytes("p3").size() == 1);
  CHECK(home(bed) == "p1 static");
  CHECK(reaches_only_p1(bed));
  // In other VLANs it is learnt, but at its port as well.
  for (const bool again : {false, true}) {
    bed.send("p2", speaks(kBound, kAll, 5));
    bed.nothing_sent();
    CHECK(home(bed, 5) == "p1 dynamic");
    CHECK(reaches_only_p1(bed, 5));
    if (!again) bed.send("p1", speaks(kBound, kAll, 5));
    bed.nothing_sent();
  }
  CHECK(show(bed.gateway(), "bridges").at(0)["mac_moves"] == 0);
  // Without the binding it is as any other.
  CHECK(bed.apply(three_ports("")).empty());
  CHECK(home(bed).empty());
  bed.send("p2", speaks(kBound, kAll));
  bed.nothing_sent();
  CHECK(home(bed) == "p2 dynamic");
  // One that has been stolen before comes back.
  CHECK(bed.apply(three_ports(bound)).empty());
  CHECK(home(bed) == "p1 static");
  CHECK(reaches_only_p1(bed));
}

TEST_CASE("bindings: a static MAC goes before a bound one, and gives way when it goes") {
  const std::string bound = std::string("bindings: [{mac: ") + kMac + "}]";
  Bed bed(three_ports(bound, std::string("{mac: ") + kMac + ", port: p2}"));
  CHECK(home(bed) == "p2 static");
  CHECK(bed.apply(three_ports(bound)).empty());
  CHECK(home(bed) == "p1 static");
  CHECK(bed.apply(three_ports("", std::string("{mac: ") + kMac + ", port: p1}")).empty());
  CHECK(home(bed) == "p1 static");
  CHECK(bed.apply(three_ports("")).empty());
  CHECK(home(bed).empty());
}

TEST_CASE("bindings: a MAC of two ports moves between these, and to no other") {
  Bed bed("version: 1\nethernets: {p1: {bindings: [{mac: " + std::string(kMac) + "}]}, p2: {bindings: [{mac: " + kMac +
          "}]}, p3: {}}\nbridges: {br0: {interfaces: [p1, p2, p3]}}\n");
  CHECK(home(bed).empty());
  for (const char* port : {"p2", "p1", "p2"}) {
    bed.send(port, speaks(kBound, kAll));
    CHECK(home(bed) == std::string(port) + " dynamic");
    bed.wait_a_tick();
    bed.send("p3", speaks(kBound, kAll));
    CHECK(home(bed) == std::string(port) + " dynamic");
    bed.wait_a_tick();
  }
}

TEST_CASE("bindings: in a VLAN that its port doesn't carry a bound MAC is another's") {
  Bed bed(three_ports(std::string("vlan: {mode: access, tag: 30}, bindings: [{mac: ") + kMac + "}]"));
  CHECK(home(bed, 30) == "p1 static");
  bed.send("p2", speaks(kBound, kAll, 30));
  bed.send("p2", speaks(kBound, kAll, 31));
  CHECK(home(bed, 30) == "p1 static");
  CHECK(home(bed, 31) == "p2 dynamic");
}

TEST_CASE("bindings: neither access mode nor a VLAN of the port is a way around") {
  const std::string vlans = "vlans: {p1.7: {id: 7, link: p1}}\n";
  Bed bed(topology(kBindings, vlans, "p1, p1.7, p2"));
  Bed access(topology(std::string(kBindings) + ", vlan: {mode: access, tag: 30}"));
  for (const std::string& name : pipeline_frames().names("bound.")) {
    CAPTURE(name);
    const std::string verdict = verdict_of(name);
    for (Bed* const one : {&bed, &access}) {
      const Counts before = one->counts();
      one->send("p1", pipeline_frames()[name]);
      const std::string died = to_text(one->counts() - before);
      if (verdict == "pass") {
        CHECK((died.empty() || died == "vlan_not_member 1"));  // tagged, at the access port
      } else {
        CHECK(died == verdict + " 1");
      }
      one->nothing_sent();
    }
  }
}

}  // namespace causeway::test
