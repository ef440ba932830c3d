// Changes by chance, one after the other, with frames under way: each ends as a fresh start from the same file would,
// and what two of them have in common carries on.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/change/state.h"

namespace causeway::test {
namespace {

using nlohmann::json;

class RandomFile {
 public:
  explicit RandomFile(uint32_t seed) : random_(seed) {}

  // lan0 and lan1 in br0, and the tunnel g1 with them, whatever else there is.
  std::string next() {
    free_.clear();
    std::string ethernets = "  lan0: {}\n  lan1: {}\n" + underlay();
    std::string vlans;
    for (int i = 0; i < 4; ++i) {
      if (!chance(70)) continue;
      const std::string name = fmt::format("p{}", i);
      const bool plain = chance(40);
      ethernets += fmt::format("  {}: {}\n", name, plain ? "{}" : port());
      free_.push_back(name);
      if (!plain || !chance(60)) continue;
      vlans += fmt::format("  {0}.7: {{id: {1}, link: {0}}}\n", name, below(2) + 7);
      free_.push_back(name + ".7");
    }
    std::string text = "version: 1\nethernets:\n" + ethernets;
    if (!vlans.empty()) text += "vlans:\n" + vlans;
    text += "tunnels:\n  g1: {mode: geneve, id: 1, local: 172.31.0.1, remote: 172.31.0.2}\n" + tunnels();
    text += bridges();
    text += mirrors();  // last: of what is in no bridge
    return text;
  }

 private:
  bool chance(uint32_t percent) { return random_() % 100 < percent; }
  uint32_t below(uint32_t count) { return random_() % count; }
  template <class T>
  T one_of(std::initializer_list<T> all) {
    return *(all.begin() + below(static_cast<uint32_t>(all.size())));
  }

  std::string underlay() {
    return fmt::format(
        "  up0: {{macaddress: 02:00:00:00:00:01, addresses: [172.31.0.1/24{}], neighbors: [{{to: 172.31.0.2, "
        "macaddress: 02:00:00:00:00:02}}, {{to: 172.31.0.3, macaddress: 02:00:00:00:00:{:02}}}]{}}}\n",
        chance(50) ? ", 10.9.0.1/16" : "", below(2) + 3, chance(30) ? ", mtu: 9000" : "");
  }

  std::string port() {
    switch (below(7)) {
      case 0:
        return fmt::format("{{mtu: {}}}", one_of({1400, 3000}));
      case 1:
        return "{isolated: true}";
      case 2:
        return fmt::format("{{vlan: {{mode: access, tag: {}}}}}", below(2) + 20);
      case 3:
        return "{vlan: {mode: trunk, trunks: [0, 20, 21]}}";
      case 4:
        return "{tap: {}, max-macs: 7}";
      case 5:
        return fmt::format("{{group: g{}}}", below(2));
      default:
        return "{bindings: [{mac: \"02:00:00:00:01:03\"}]}";
    }
  }

  std::string tunnels() {
    std::string lines;
    for (uint32_t i = 0; i < 6; ++i) {
      if (!chance(60)) continue;
      const std::string mode = one_of<std::string>({"geneve", "vxlan", "gretap", "nvgre"});
      std::string more;
      if (chance(30)) more += fmt::format(", ttl: {}", below(3) + 9);
      if (chance(20)) more += ", isolated: false";
      if (chance(30)) more += fmt::format(", group: g{}", below(2));
      if (chance(20)) more += ", vlan: {mode: access, tag: 20}";
      lines += fmt::format("  t{}: {{mode: {}, id: {}, local: 172.31.0.1, remote: {}{}}}\n", i, mode,
                           5000 + 4 * i + below(4),
                           one_of<std::string>({"172.31.0.2", "172.31.0.3", "[172.31.0.3, 172.31.0.2]"}), more);
      free_.push_back(fmt::format("t{}", i));
    }
    return lines;
  }

  std::string bridges() {
    std::vector<std::vector<std::string>> members(1 + below(4));
    members[0] = {"lan0", "lan1", "g1"};
    std::shuffle(free_.begin(), free_.end(), random_);
    while (!free_.empty() && !chance(15)) {
      members[below(static_cast<uint32_t>(members.size()))].push_back(free_.back());
      free_.pop_back();
    }
    std::string lines = "bridges:\n";
    for (size_t i = 0; i < members.size(); ++i) {
      std::string more;
      if (chance(40)) {
        more += fmt::format(", parameters: {{ageing-time: {}, max-macs: 1000, arp-nd-suppress: {}}}", below(2) + 300,
                            chance(50));
      }
      if (!members[i].empty() && chance(60)) {
        more += fmt::format(", static-macs: [{{mac: \"02:00:00:00:07:0{}\", port: {}}}]", below(3),
                            members[i][below(static_cast<uint32_t>(members[i].size()))]);
      }
      lines += fmt::format("  br{}: {{interfaces: [{}]{}}}\n", i, fmt::join(members[i], ", "), more);
    }
    return lines;
  }

  // Copies go to what is in no bridge.
  std::string mirrors() {
    if (free_.empty() || !chance(60)) return {};
    return fmt::format(
        "mirrors:\n  m0: {{{}, output-port: {}}}\n",
        one_of<std::string>({"select-all: true", "select-src-port: [lan0]", "select-dst-port: [lan0, g1]"}),
        free_.front());
  }

  std::mt19937 random_;
  std::vector<std::string> free_;  // interfaces in no bridge
};

// What is learnt differs: frames have passed.
json configured(Bed& bed) {
  json state = state_of(bed);
  for (json& bridge : state.at("bridges")) bridge.erase("macs");
  auto& macs = state.at("fdb").get_ref<json::array_t&>();
  std::erase_if(macs, [](const json& mac) { return mac.at("type") != "static"; });
  return state;
}

}  // namespace

TEST_CASE("change: a hundred by chance, under traffic, each as a fresh start") {
  const uint32_t seed = GENERATE(1U, 2U);
  RandomFile file(seed);
  std::string text = file.next();
  Bed bed(text);
  for (int i = 0; i < 50; ++i) {
    CAPTURE(seed, i);
    bed.run();
    bed.send("lan1", pipeline_frames()["eth.2-all"]);
    bed.nothing_sent();
    const std::string before = text;
    text = file.next();
    INFO("from\n" << before << "to\n" << text);
    for (const config::ApplyError& error : bed.apply(text)) FAIL_CHECK(error.key << ": " << error.what);
    // Both ends are as they were: the MAC is known, and the tunnel gets what goes to all.
    bed.send("lan0", pipeline_frames()["eth.1-2"]);
    CHECK(bed.take_bytes("lan1").size() == 1);
    bed.nothing_sent();
    bed.send("lan0", pipeline_frames()["eth.1-all"]);
    CHECK(bed.take_bytes("lan1").size() == 1);
    CHECK(!bed.take_bytes("up0").empty());
    bed.nothing_sent();
    Bed fresh(text);
    fresh.run();
    REQUIRE(configured(bed) == configured(fresh));
  }
}

}  // namespace causeway::test
