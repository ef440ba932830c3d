// Port security: who may speak from a port, and what he may say of himself. Frames and verdicts are scapy's and
// bindings_frames.py's.
#include <nlohmann/json.hpp>

#include "control/show.h"
#include "tests/pipeline/bed.h"

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
  CHECK(show(bed.gateway(), "fdb").empty());
  const json port = show(bed.gateway(), "ports").at(0);
  CHECK(port["bindings"].at(0) ==
        json{{"mac", "02:00:00:00:01:01"}, {"addresses", {"10.0.0.5/32", "fd00::5/128", "10.9.0.0/16"}}});
  CHECK(port["bindings"].at(1) == json{{"mac", "02:00:00:00:01:02"}, {"addresses", json::array()}});
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
