// Changes of a running configuration: the end is as if it had started there, a failure as if nothing had been tried.
#include <nlohmann/json.hpp>

#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"
#include "tests/pipeline/change/state.h"

namespace causeway::test {
namespace {

using nlohmann::json;

// Steps of one gateway's life; `UP` stands for an underlay port's entry.
std::string yaml(const std::string& ethernets, const std::string& tunnels, const std::string& bridges) {
  return "version: 1\nethernets: {" + ethernets + "}\ntunnels: {" + tunnels + "}\nbridges: {" + bridges + "}\n";
}

const char* const kUp =
    "up0: {macaddress: 02:00:00:00:00:01, addresses: [172.31.0.1/24], neighbors: [{to: 172.31.0.2, macaddress: "
    "02:00:00:00:00:02}]}";
const char* const kUpOther =
    "up0: {macaddress: 02:00:00:00:00:11, mtu: 9000, addresses: [172.31.0.1/24, 10.9.0.1/16], routes: [{to: default, "
    "via: "
    "172.31.0.9}], neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:22}, {to: 172.31.0.3, macaddress: "
    "02:00:00:00:00:33}]}";

std::string gn(const std::string& name, int id, const std::string& remote = "172.31.0.2",
               const std::string& more = "") {
  return name + ": {mode: geneve, id: " + std::to_string(id) + ", local: 172.31.0.1, remote: " + remote + more + "}";
}

const std::vector<std::string>& steps() {
  static const std::vector<std::string> all{
      "version: 1\n",
      yaml("p1: {}", "", "br0: {interfaces: [p1]}"),
      yaml("p1: {}, p2: {}", "", "br0: {interfaces: [p1, p2], static-macs: [{mac: 02:00:00:00:01:02, port: p2}]}"),
      yaml("p1: {}, p2: {}, " + std::string(kUp), gn("g1", 1), "br0: {interfaces: [p1, p2, g1]}"),
      yaml("p1: {}, p2: {}, " + std::string(kUp), gn("g1", 1) + ", " + gn("g2", 2),
           "br0: {interfaces: [p1, g1], static-macs: [{mac: 02:00:00:00:01:05, port: g1}]}, br1: {interfaces: [p2, "
           "g2]}"),
      // Everything changes places: ids, bridges, remotes, the underlay's addresses.
      yaml("p1: {mtu: 3000}, p2: {isolated: true}, " + std::string(kUpOther),
           gn("g1", 2, "172.31.0.3", ", ttl: 9") + ", " + gn("g2", 1, "[172.31.0.2, 172.31.0.3, 192.0.2.7]"),
           "br0: {interfaces: [p2, g1]}, br1: {interfaces: [p1, g2], parameters: {max-macs: 5, ageing-time: 7}}"),
      // The same but for the order of remotes: a static MAC is behind the first.
      yaml("p1: {mtu: 3000}, p2: {isolated: true}, " + std::string(kUpOther),
           gn("g1", 2, "172.31.0.3", ", ttl: 9") + ", " + gn("g2", 1, "[172.31.0.3, 192.0.2.7, 172.31.0.2]"),
           "br0: {interfaces: [p2, g1]}, br1: {interfaces: [p1, g2], parameters: {max-macs: 5, ageing-time: 7}, "
           "static-macs: [{mac: 02:00:00:00:01:05, port: g2}]}"),
      yaml("p1: {mtu: 3000}, p2: {isolated: true}, " + std::string(kUpOther),
           gn("g1", 2, "172.31.0.3", ", ttl: 9") + ", " + gn("g2", 1, "[172.31.0.2, 172.31.0.3, 192.0.2.7]"),
           "br0: {interfaces: [p2, g1]}, br1: {interfaces: [p1, g2], parameters: {max-macs: 5, ageing-time: 7}, "
           "static-macs: [{mac: 02:00:00:00:01:05, port: g2}]}"),
      yaml("p1: {mtu: 3000, macaddress: 02:00:00:00:00:99}, p2: {}, " + std::string(kUpOther),
           gn("g2", 1, "[172.31.0.3]", ", isolated: false, tos: inherit"), "br1: {interfaces: [p1, p2, g2]}"),
      // A name goes from tunnel to port, a port becomes an underlay, an underlay a port.
      yaml("g2: {}, up0: {}, p1: {addresses: [172.31.0.1/24]}", gn("p2", 1, "172.31.0.4"),
           "br1: {interfaces: [g2, up0, p2]}"),
      yaml(kUp,
           "gr: {mode: gretap, local: 172.31.0.1, remote: 172.31.0.2}, gk: {mode: gretap, key: 0, local: 172.31.0.1, "
           "remote: 172.31.0.2}, vx: {mode: vxlan, id: 3, local: 172.31.0.1, remote: 172.31.0.2, checksum: true}",
           "br0: {interfaces: [gr, gk, vx]}"),
  };
  return all;
}

using Keys = std::vector<std::string>;

Keys keys_of(const std::vector<config::ApplyError>& errors) {
  Keys keys;
  for (const config::ApplyError& error : errors) keys.push_back(error.key);
  return keys;
}

// Runs `operations`, and one more that always fails: what could not be done or undone.
Keys failing_behind(Bed& bed, std::vector<config::Operation> operations) {
  operations.push_back({{config::Thing::system, config::Verb::change}, "system.workers", {}, {}});
  return keys_of(apply_operations(bed.gateway(), operations));
}

}  // namespace

TEST_CASE("apply: every change ends as a fresh start would") {
  std::vector<json> fresh;
  for (const std::string& step : steps()) {
    Bed bed(step);
    bed.run();
    fresh.push_back(state_of(bed));
  }
  for (size_t from = 0; from < steps().size(); ++from) {
    for (size_t to = 0; to < steps().size(); ++to) {
      CAPTURE(from, to);
      Bed bed(steps()[from]);
      bed.run();
      const auto errors = bed.apply(steps()[to]);
      CHECK(errors.empty());
      bed.run();
      CHECK(state_of(bed) == fresh[to]);
      CHECK(bed.apply(steps()[from]).empty());
      bed.run();
      CHECK(state_of(bed) == fresh[from]);
    }
  }
}

TEST_CASE("apply: a long life with traffic loses no buffer") {
  Bed bed(steps()[1]);
  for (int round = 0; round < 5; ++round) {
    for (size_t i = 1; i < steps().size(); ++i) {
      CHECK(bed.apply(steps()[i]).empty());
      for (const auto& [name, record] : bed.gateway().ports().all()) {
        for (const char* inner : {"eth.1-all", "eth.2-1", "eth.1-2", "eth.3-all.v10", "in.gn1.5.1-2"}) {
          bed.deliver(name, pipeline_frames()[inner]);
        }
      }
      bed.run();
      bed.nothing_sent();
      bed.gateway().tick();
    }
  }
  CHECK(bed.worker().counters().rx_packets.get() > 300);
}

TEST_CASE("apply: what was done last is undone first") {
  Bed bed(yaml("p1: {}, p2: {}, p3: {}", "", ""));
  for (const char* port : {"p1", "p2", "p3", "zz"}) bed.fail_opening(port, "gone");
  CHECK(keys_of(bed.apply(yaml("zz: {}", "", ""))) ==
        Keys{"ethernets.zz", "ethernets.p3", "ethernets.p2", "ethernets.p1"});
}

TEST_CASE("apply: a static MAC that had moved is back where it was") {
  const auto at = [](const std::string& port) {
    return yaml("p1: {}, p2: {}", "",
                "br0: {interfaces: [p1, p2], static-macs: [{mac: 02:00:00:00:01:02, port: " + port + "}]}");
  };
  Bed bed(at("p1"));
  const json before = state_of(bed);
  const config::Config from = load_yaml(at("p1"));
  const config::Config to = load_yaml(at("p2"));
  const auto operations = config::diff_config(from, to);
  REQUIRE(operations.size() == 2);
  CHECK(failing_behind(bed, operations) == Keys{"system.workers"});
  CHECK(state_of(bed) == before);
}

TEST_CASE("apply: wherever a change fails, nothing of it is left") {
  std::vector<config::Config> configs;
  for (const std::string& step : steps()) configs.push_back(load_yaml(step));
  for (size_t from = 0; from < configs.size(); ++from) {
    Bed bed(steps()[from]);
    bed.run();
    const json before = state_of(bed);
    for (size_t to = 0; to < configs.size(); ++to) {
      const auto operations = config::diff_config(configs[from], configs[to]);
      for (size_t done = 1; done <= operations.size(); ++done) {
        CAPTURE(from, to, done);
        const auto end = operations.begin() + static_cast<ptrdiff_t>(done);
        CHECK(failing_behind(bed, {operations.begin(), end}) == Keys{"system.workers"});
        bed.run();
        CHECK(state_of(bed) == before);
      }
    }
  }
}

TEST_CASE("apply: a device that can't be opened undoes the whole change") {
  for (size_t from = 0; from < steps().size(); ++from) {
    CAPTURE(from);
    Bed bed(steps()[from]);
    bed.run();
    const json before = state_of(bed);
    for (size_t to = 0; to < steps().size(); ++to) {
      CAPTURE(to);
      // The opening of a port that comes last; every other change is done by then, or comes after.
      std::string wanted = steps()[to];
      if (wanted.find("ethernets") == std::string::npos) continue;
      wanted.insert(wanted.find("ethernets: {") + 12, "zz: {}, ");
      bed.fail_opening("zz", "no such device");
      const auto errors = bed.apply(wanted);
      REQUIRE(errors.size() == 1);
      CHECK(errors.front().key == "ethernets.zz");
      CHECK(errors.front().what == "no such device");
      bed.run();
      CHECK(state_of(bed) == before);
    }
  }
}

TEST_CASE("apply: each by itself, what fails keeps nothing else, and comes with the next change") {
  for (size_t from = 0; from < steps().size(); ++from) {
    for (size_t to = 0; to < steps().size(); ++to) {
      CAPTURE(from, to);
      std::string wanted = steps()[to];
      if (wanted.find("ethernets") == std::string::npos) continue;
      wanted.insert(wanted.find("ethernets: {") + 12, "zz: {}, ");
      wanted.insert(wanted.find("interfaces: [") + 13, "zz, ");
      const config::Config before = load_yaml(steps()[from]);
      const config::Config after = load_yaml(wanted);
      Bed bed(steps()[from]);
      bed.fail_opening("zz", "no such device");
      const auto operations = config::diff_config(before, after);
      const auto failed = apply_each(bed.gateway(), operations);
      REQUIRE(failed.size() == 1);
      CHECK(failed.front().why == "no such device");
      CHECK(config::key_of(operations[failed.front().number]) == "ethernets.zz");
      const config::Config achieved = without_failed(after, operations, failed);
      CHECK(achieved == load_yaml(steps()[to]));
      bed.run();
      Bed fresh(steps()[to]);
      fresh.run();
      CHECK(state_of(bed) == state_of(fresh));

      CHECK(apply_each(bed.gateway(), config::diff_config(achieved, after)).empty());
      bed.run();
      Bed whole(wanted);
      whole.run();
      CHECK(state_of(bed) == state_of(whole));
    }
  }
}

TEST_CASE("apply: of a change that fails the settings stay as they were") {
  const std::string before = yaml("p1: {}, p2: {}", "", "br0: {interfaces: [p1, p2]}");
  const std::string after = yaml("p1: {tap: {}}, p2: {isolated: true}", "", "br0: {interfaces: [p1, p2]}");
  Bed bed(before);
  bed.fail_opening("p1", "busy");
  const config::Config old = load_yaml(before);
  const config::Config wanted = load_yaml(after);
  const auto operations = config::diff_config(old, wanted);
  const auto failed = apply_each(bed.gateway(), operations);
  REQUIRE(failed.size() == 1);
  const std::string achieved = yaml("p1: {}, p2: {isolated: true}", "", "br0: {interfaces: [p1, p2]}");
  CHECK(without_failed(wanted, operations, failed) == load_yaml(achieved));
  Bed fresh(achieved);
  CHECK(state_of(bed) == state_of(fresh));
}

TEST_CASE("apply: a reopening that fails goes back to the device as it was") {
  const std::string before = yaml("p1: {}, p2: {}", "", "br0: {interfaces: [p1, p2]}");
  const std::string after = yaml("p1: {tap: {}}, p2: {}", "", "br0: {interfaces: [p1, p2]}");
  Bed bed(before);
  const json state = state_of(bed);
  bed.fail_opening("p1", "busy");
  const auto errors = bed.apply(after);
  REQUIRE(errors.size() == 1);
  CHECK(errors.front().what == "busy");
  CHECK(state_of(bed) == state);
  bed.send("p1", pipeline_frames()["eth.1-2"]);
  CHECK(bed.take_bytes("p2").size() == 1);

  SECTION("and where even that fails, a later change brings it back") {
    bed.fail_opening("p1", "gone", 2);
    REQUIRE(!bed.apply(after).empty());
    bed.send("p2", pipeline_frames()["eth.2-1"]);
    bed.run();
    const std::string changed = yaml("p1: {mtu: 2000}, p2: {}", "", "br0: {interfaces: [p1, p2]}");
    CHECK(bed.apply(changed).empty());
    bed.send("p2", pipeline_frames()["eth.2-1"]);
    CHECK(bed.take_bytes("p1").size() == 1);
  }
}

TEST_CASE("apply: a port that could not come back is no obstacle to the next change") {
  Bed bed(yaml("p1: {}, p2: {}", "", "br0: {interfaces: [p1, p2]}"));
  bed.fail_opening("p1", "gone");
  bed.fail_opening("p3", "no such interface");
  const auto errors = bed.apply(yaml("p2: {}, p3: {}", "", "br0: {interfaces: [p2, p3]}"));
  REQUIRE(errors.size() == 3);  // the last: p1 can't join its bridge again either
  CHECK(errors[0].key == "ethernets.p3");
  CHECK(errors[1].key == "ethernets.p1");
  CHECK(bed.apply(yaml("p2: {}, p4: {}", "", "br0: {interfaces: [p2, p4]}")).empty());
  bed.send("p2", pipeline_frames()["eth.1-2"]);
  CHECK(bed.take_bytes("p4").size() == 1);
}

TEST_CASE("apply: a port whose device is gone can leave its bridge and the file") {
  Bed bed(yaml("p1: {}, p2: {}", "", "br0: {interfaces: [p1, p2]}"));
  bed.fail_opening("p1", "gone", 2);
  REQUIRE(!bed.apply(yaml("p1: {tap: {}}, p2: {}", "", "br0: {interfaces: [p1, p2]}")).empty());
  CHECK(bed.apply(yaml("p2: {}", "", "br0: {interfaces: [p2]}")).empty());
}

TEST_CASE("apply: a static MAC that was removed by hand may leave the file") {
  Bed bed(yaml("p1: {}", "", "br0: {interfaces: [p1], static-macs: [{mac: 02:00:00:00:00:77, port: p1}]}"));
  Gateway& gateway = bed.gateway();
  CHECK(gateway.fdb().remove(gateway.bridges().find("br0")->index, mac_vlan({{2, 0, 0, 0, 0, 0x77}}, 0)));
  CHECK(bed.apply(yaml("p1: {}", "", "br0: {interfaces: [p1]}")).empty());
}

TEST_CASE("apply: frames that wait for a neighbor go with their tunnel") {
  const std::string ports = "p1: {}, p2: {}, " + std::string(kUp);
  const std::string both = "br0: {interfaces: [p1, g1]}, br1: {interfaces: [p2, g2]}";
  const std::string silent = "172.31.0.5";  // never answers
  Bed bed(yaml(ports, gn("g1", 12, silent) + ", " + gn("g2", 13, silent), both));
  const Counts before = bed.counts();
  bed.send("p1", pipeline_frames()["eth.1-all"]);
  bed.run();
  bed.nothing_sent();
  CHECK(bed.apply(yaml(ports, gn("g2", 13, silent), "br0: {interfaces: [p1]}, br1: {interfaces: [p2, g2]}")).empty());
  CHECK((bed.counts() - before).of(DropReason::neighbor_unresolved) == 1);
}

TEST_CASE("apply: what was learned outlives changes it has nothing to do with") {
  const std::string ports = "p1: {}, p2: {}, " + std::string(kUp);
  Bed bed(yaml(ports, gn("g1", 12), "br0: {interfaces: [p1, p2, g1]}"));
  bed.send("p2", pipeline_frames()["eth.2-all"]);
  bed.nothing_sent();
  CHECK(
      bed.apply(yaml(ports + ", p3: {}", gn("g1", 12) + ", " + gn("g2", 13), "br0: {interfaces: [p1, p2, p3, g1, g2]}"))
          .empty());
  bed.send("p1", pipeline_frames()["eth.1-2"]);
  CHECK(bed.take_bytes("p2").size() == 1);
  CHECK(bed.nothing_sent());
  // The port leaves: what was behind it is unknown again.
  CHECK(bed.apply(yaml(ports + ", p3: {}", gn("g1", 12), "br0: {interfaces: [p1, p3, g1]}")).empty());
  bed.send("p1", pipeline_frames()["eth.1-2"]);
  CHECK(bed.take_bytes("p3").size() == 1);
  CHECK(bed.take_bytes("up0").size() == 1);
  CHECK(bed.nothing_sent());
}

TEST_CASE("apply: ports swap their devices, or hand them on") {
  const auto device = [](const std::string& name, char number, const std::string& more = "") {
    return name + ": {dpdk: {devargs: net_null" + number + "}" + more + "}";
  };
  const std::string underlay =
      ", addresses: [172.31.0.1/24, \"fd00::1/64\"], neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}]";
  const auto file = [&](const std::string& devices, const std::string& more = "") {
    return yaml(
        device("p1", devices[0]) + ", " + device("p2", devices[1]) + ", " + device("up0", devices[2], underlay) + more,
        gn("g1", 1), "br0: {interfaces: [p1, p2, g1]}");
  };
  Bed bed(file("012"));
  const auto carries = [&] {
    bed.send("p1", pipeline_frames()["eth.1-all"]);
    return bed.take("p2").size() == 1 && bed.take("up0").size() == 1;
  };
  CHECK(carries());
  const json before = state_of(bed);
  for (const char* const devices : {"102", "012", "120", "201", "345", "453", "012"}) {
    CAPTURE(devices);
    const auto errors = bed.apply(file(devices));
    for (const config::ApplyError& error : errors) UNSCOPED_INFO(error.key + ": " + error.what);
    REQUIRE(errors.empty());
    bed.run();
    bed.nothing_sent();
    CHECK(state_of(bed) == before);
    CHECK(carries());
  }
  // One that can't be opened, in the midst or behind: all have their own again.
  for (const char* const failing : {"p1", "p2", "up0", "zz"}) {
    CAPTURE(failing);
    bed.fail_opening(failing, "no such device");
    const auto errors = bed.apply(file("120", ", zz: {}"));
    REQUIRE(errors.size() == 1);
    CHECK(errors.front().what == "no such device");
    bed.run();
    bed.nothing_sent();
    CHECK(state_of(bed) == before);
    CHECK(carries());
  }
}

TEST_CASE("apply: two tunnels swap their ids, and frames go by the new ones") {
  const std::string ports = "p1: {}, p2: {}, " + std::string(kUpOther);
  const std::string bridges = "br0: {interfaces: [p1, a]}, br1: {interfaces: [p2, b]}";
  Bed bed(yaml(ports, gn("a", 1) + ", " + gn("b", 2), bridges));
  const auto received_at = [&](const std::string& id) {
    bed.send("up0", pipeline_frames()["swap." + id]);
    const size_t p1 = bed.take("p1").size();
    return p1 * 10 + bed.take("p2").size();
  };
  CHECK(received_at("1") == 10);
  CHECK(received_at("2") == 1);
  for (int round = 0; round < 50; ++round) {
    CHECK(bed.apply(yaml(ports, gn("a", 2) + ", " + gn("b", 1), bridges)).empty());
    CHECK(received_at("1") == 1);
    CHECK(received_at("2") == 10);
    CHECK(bed.apply(yaml(ports, gn("a", 1) + ", " + gn("b", 2), bridges)).empty());
    CHECK(received_at("1") == 10);
    CHECK(received_at("2") == 1);
  }
  CHECK(bed.apply(yaml(ports, gn("a", 1), "br0: {interfaces: [p1, a]}")).empty());
  const Counts before = bed.counts();
  bed.send("up0", pipeline_frames()["swap.2"]);
  CHECK(to_text(bed.counts() - before) == "unknown_vni 1");
}

TEST_CASE("apply: a GRE tunnel without a key is not the one with key 0") {
  const std::string ports = "p1: {}, " + std::string(kUp);
  const std::string keyless = "k: {mode: gretap, local: 172.31.0.1, remote: 172.31.0.2}";
  const std::string zero = "z: {mode: gretap, key: 0, local: 172.31.0.1, remote: 172.31.0.3}";
  Bed bed(yaml(ports, keyless + ", " + zero, "br0: {interfaces: [p1, k, z]}"));
  const auto dies_of = [&](const std::string& name) {
    const Counts before = bed.counts();
    bed.send("up0", pipeline_frames()["key." + name]);
    bed.nothing_sent();
    return to_text(bed.counts() - before);
  };
  CHECK(dies_of("none.2").empty());
  CHECK(dies_of("zero.3").empty());
  CHECK(dies_of("none.3") == "unknown_remote 1");
  CHECK(dies_of("zero.2") == "unknown_remote 1");
  CHECK(bed.apply(yaml(ports, zero, "br0: {interfaces: [p1, z]}")).empty());
  CHECK(dies_of("none.2") == "unknown_vni 1");
  CHECK(dies_of("zero.2") == "unknown_remote 1");
  CHECK(bed.apply(yaml(ports, "", "br0: {interfaces: [p1]}")).empty());
  CHECK(dies_of("zero.3") == "unknown_vni 1");
  CHECK(dies_of("none.3") == "unknown_vni 1");
}

}  // namespace causeway::test
