// What is sent into the underlay: scapy's outer headers, byte for byte.
#include <map>
#include <set>

#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"

namespace causeway::test {
namespace {

// The frame that leaves up0 for a frame into lan0; the only thing that happens.
Bytes sent_outer(Bed& bed, const Bytes& inner, const std::vector<uint16_t>& chain = {}) {
  const Counts before = bed.counts();
  bed.send("lan0", inner, chain);
  const Counts rise = bed.counts() - before;
  CHECK(to_text(rise).empty());
  CHECK(rise.rx == 1);
  CHECK(rise.tx == 1);
  std::vector<Bytes> out = bed.take_bytes("up0");
  CHECK(bed.nothing_sent());
  REQUIRE(out.size() == 1);
  return out.front();
}

std::set<Entropy> entropies(Bed& bed, const std::string& name) {
  std::set<Entropy> all;
  for (const Bytes& inner : pipeline_frames().sequence(name)) {
    all.insert(entropy_of(sent_outer(bed, inner)));
  }
  return all;
}

}  // namespace

TEST_CASE("encap: every inner frame in every tunnel") {
  Bed bed(every_tunnel());
  const unsigned buffers = bed.buffers();
  std::map<std::string, std::set<uint16_t>> source_ports;
  for (const std::string& name : pipeline_frames().names("encap.")) {
    INFO(name);
    const std::string row = name.substr(6);
    const std::string shape = row.substr(row.find('.') + 1);
    const Bytes& inner = pipeline_frames()[name];
    const Bytes& expected = pipeline_frames()["outer." + row];
    const Entropy entropy = check_outer(sent_outer(bed, inner), expected);
    CHECK(check_outer(sent_outer(bed, inner), expected) == entropy);
    // As chains: headers together, then apart.
    if (inner.size() > 100) {
      CHECK(check_outer(sent_outer(bed, inner, {66, 1, 30, 7}), expected) == entropy);
      CHECK(check_outer(sent_outer(bed, inner, {90, 13}), expected) == entropy);
    }
    if (entropy.source_port != 0) source_ports[shape].insert(entropy.source_port);
  }
  // One flow has one port, whatever tunnel it takes, unless nothing but the MACs tell the flow.
  for (const char* shape : {"tcp4-ecn-0", "udp6-ecn-3", "tagged4-ecn-1", "sctp", "fragment", "options"}) {
    CAPTURE(shape);
    CHECK(source_ports.at(shape).size() == 1);
  }
  CHECK(bed.buffers() == buffers);
}

// What is decided once for a burst holds for each of its frames.
TEST_CASE("encap: every inner frame in one burst with others") {
  Bed bed(every_tunnel());
  std::map<std::string, std::vector<std::string>> rows;
  for (const std::string& name : pipeline_frames().names("encap.")) {
    const std::string row = name.substr(6);
    rows[row.substr(0, row.find('.'))].push_back(row);
  }
  for (const auto& [tunnel, names] : rows) {
    for (const bool mixed : {false, true}) {
      CAPTURE(tunnel, mixed);
      const Counts before = bed.counts();
      for (const std::string& row : names) {
        bed.deliver("lan0", pipeline_frames()["encap." + row]);
        // In company of another way out, and of a chain.
        if (mixed) bed.deliver("lan0", pipeline_frames()["encap.vx4.odd-size"], {66, 20});
      }
      bed.run();
      CHECK(to_text(bed.counts() - before).empty());
      const std::vector<Bytes> out = bed.take_bytes("up0");
      REQUIRE(out.size() == names.size() * (mixed ? 2 : 1));
      for (size_t i = 0; i < names.size(); ++i) {
        INFO(names[i]);
        check_outer(out[mixed ? 2 * i : i], pipeline_frames()["outer." + names[i]]);
        if (mixed) check_outer(out[2 * i + 1], pipeline_frames()["outer.vx4.odd-size"]);
      }
    }
  }
}

TEST_CASE("encap: flows get ports of their own, and a flow keeps its port") {
  Bed bed(every_tunnel());
  for (const std::string& name : pipeline_frames().names("flows.")) {
    INFO(name);
    CHECK(entropies(bed, name).size() >= 63);  // 64 flows in 28,232 ports
  }
  for (const std::string& name : pipeline_frames().names("flow.")) {
    INFO(name);
    CHECK(entropies(bed, name).size() == 1);
  }
}

TEST_CASE("encap: the largest frame that fits, and one byte more") {
  Bed bed(every_tunnel());
  for (const std::string& name : pipeline_frames().names("mtu.")) {
    if (name.substr(name.rfind('.') + 1) != "fits") continue;
    INFO(name);
    const std::string tunnel = name.substr(0, name.rfind('.'));
    const Bytes outer = sent_outer(bed, pipeline_frames()[name]);
    CHECK(outer.size() == 2000 + 14);
    check_outer(outer, pipeline_frames()[tunnel + ".outer"]);
    const Counts before = bed.counts();
    bed.send("lan0", pipeline_frames()[tunnel + ".too-big"]);
    CHECK(to_text(bed.counts() - before) == "too_big 1");
    CHECK(bed.nothing_sent());
  }
}

}  // namespace causeway::test
