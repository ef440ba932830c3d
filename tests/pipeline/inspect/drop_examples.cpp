// Drops say who and where: the last frame that died of each reason.
#include <nlohmann/json.hpp>

#include "control/view/stats.h"
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

using nlohmann::json;

const Bytes& frame(const std::string& name) { return pipeline_frames()[name]; }

// What `causewayctl stats` has, without the times.
json examples(Bed& bed) {
  bed.gateway().take_drop_examples();
  json all = stats(bed.gateway(), false).at("examples");
  for (json& example : all) {
    CHECK_FALSE(example.at("time").get<std::string>().empty());
    example.erase("time");
  }
  return all;
}

json example_of(const std::string& name, const std::string& reason) {
  Bed bed(every_tunnel());
  bed.send("up0", frame(name));
  json all = examples(bed);
  CHECK(all.size() == 1);
  return all.value(reason, json());
}

}  // namespace

TEST_CASE("drop examples: who sent it, in which tunnel, with what inside") {
  struct Case {
    std::string frame;
    std::string reason;
    json example;  // as tests/pipeline/frames/decap_frames.py made it
  };
  const json geneve{{"mac", "02:00:00:00:00:02"}, {"source", "172.31.0.2"}, {"udp_port", 6081}, {"vni", 0x123}};
  const json vxlan{{"mac", "02:00:00:00:00:09"}, {"source", "172.31.0.9"}, {"udp_port", 4789}, {"vni", 100}};
  const json gre{{"mac", "02:00:00:00:00:09"}, {"source", "172.31.0.9"}, {"key", 7}};
  for (Case one :
       {Case{"decap.geneve.unknown-vni.", "unknown_vni", geneve},
        Case{"decap.vxlan.stranger.", "unknown_remote", vxlan}, Case{"decap.gre.stranger.", "unknown_remote", gre}}) {
    CAPTURE(one.frame);
    const std::string name = one.frame + one.reason;
    one.example.update({{"port", "up0"},
                        {"destination", "172.31.0.1"},
                        {"inner_mac", "02:00:00:00:01:51"},
                        {"bytes", frame(name).size()}});
    CHECK(example_of(name, one.reason) == one.example);
  }
}

TEST_CASE("drop examples: a frame that is cut says what it can") {
  const std::string name = "decap.geneve.header-cut.inner_too_short";
  CHECK(example_of(name, "inner_too_short") == json{{"port", "up0"},
                                                    {"mac", "02:00:00:00:00:02"},
                                                    {"source", "172.31.0.2"},
                                                    {"destination", "172.31.0.1"},
                                                    {"udp_port", 6081},
                                                    {"bytes", frame(name).size()}});
}

TEST_CASE("drop examples: the first that dies behind a look is kept until the next") {
  Bed bed(every_tunnel());
  const std::string vni = "decap.geneve.unknown-vni.unknown_vni";
  CHECK(examples(bed).empty());
  bed.send("up0", frame(vni));
  bed.send("up0", frame("decap.gre.unknown-key.unknown_vni"));
  CHECK(examples(bed)["unknown_vni"].value("vni", 0) == 0x123);
  bed.send("up0", frame("decap.gre.unknown-key.unknown_vni"));
  CHECK_FALSE(examples(bed)["unknown_vni"].contains("vni"));
  bed.send("up0", frame("decap.vxlan.stranger.unknown_remote"));
  bed.gateway().tick();
  CHECK(examples(bed).size() == 2);
}

TEST_CASE("drop examples: what dies on its way out, and on the control thread") {
  Bed bed(every_tunnel());
  bed.port("lan0").set_longest(20);
  bed.send("up0", frame("decap.geneve.right.accept"));
  const json refused = examples(bed)["tx_refused"];
  CHECK(refused.value("port", "") == "lan0");
  CHECK(refused.value("mac", "") == "02:00:00:00:01:51");
  CHECK(refused.value("source", "") == "10.0.0.1");
  Bed other(every_tunnel());
  other.send("up0", frame(pipeline_frames().names("refused-lie.").front()));
  CHECK(examples(other)["control_ignored"].value("port", "") == "up0");
}

}  // namespace causeway::test
