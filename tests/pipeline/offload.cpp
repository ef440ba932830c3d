// Super-packets and unfinished checksums on their way through bridge and tunnels.
#include <algorithm>

#include "tests/pipeline/bed/bed.h"
#include "tests/pipeline/bed/outer_compare.h"
#include "tests/pipeline/bed/unfinished.h"

namespace causeway::test {
namespace {

void check_intent(const Sent& sent, const std::string& name) {
  const Intent wanted = written_intent(name);
  CHECK(sent.intent_flags == (wanted.gso_size != 0 ? kNeedsChecksum | kNeedsSegment : kNeedsChecksum));
  CHECK(sent.intent.csum_start == wanted.csum_start);
  CHECK(sent.intent.csum_offset == wanted.csum_offset);
  CHECK(sent.intent.gso_size == wanted.gso_size);
  CHECK(sent.intent.gso_type == wanted.gso_type);
  CHECK(sent.intent.tunnel_bytes == 0);
  CHECK(to_hex(sent.bytes) == to_hex(pipeline_frames()[name]));
}

// All that can be done without a tunnel around.
TxCapabilities every_capability() {
  TxCapabilities all;
  all.add(Outer::none, 0xff);
  all.multi_segment = true;
  return all;
}

Outer outer_of(const std::string& tunnel) {
  const bool ipv6 = tunnel.find('6') != tunnel.npos;
  if (tunnel.starts_with("gnv")) return ipv6 ? Outer::geneve6 : Outer::geneve4;
  if (tunnel.starts_with("vx")) return ipv6 ? Outer::vxlan6 : Outer::vxlan4;
  return ipv6 ? Outer::gre6 : Outer::gre4;
}

}  // namespace

TEST_CASE("offload: super-packets leave every tunnel as scapy's segments") {
  for (const bool can : {false, true}) {  // what a port can do is of no use behind a tunnel
    TxCapabilities chains;
    chains.multi_segment = true;
    Bed bed(every_tunnel(), can ? every_capability() : chains);
    const unsigned buffers = bed.buffers();
    for (const std::string& name : pipeline_frames().names("big.")) {
      INFO(name);
      const Counts before = bed.counts();
      deliver_unfinished(bed, "lan0", name);
      if (name.find("-30000") == std::string::npos) deliver_unfinished(bed, "lan0", name, {200, 1500});
      bed.run();
      CHECK(to_text(bed.counts() - before).empty());
      const std::vector<Bytes> got = bed.take_bytes("up0");
      std::vector<Bytes> expected = pipeline_frames().sequence("cut." + name.substr(4));
      const size_t times = got.size() / expected.size();
      REQUIRE(got.size() == expected.size() * (name.find("-30000") == std::string::npos ? 2 : 1));
      REQUIRE(times >= 1);
      const Entropy entropy = entropy_of(got.front());
      for (size_t i = 0; i < got.size(); ++i) {
        CAPTURE(i);
        CHECK(check_outer(got[i], expected[i % expected.size()]) == entropy);
      }
      CHECK(bed.buffers() == buffers);
    }
  }
}

TEST_CASE("offload: super-packets that one outer IP packet could not hold leave as scapy's segments") {
  for (const bool can : {false, true}) {
    TxCapabilities all;
    if (can) all.can.fill(0xff);
    all.can[static_cast<size_t>(Outer::other)] = 0;
    all.multi_segment = true;
    Bed bed(every_tunnel(), all);
    for (const std::string& name : pipeline_frames().names("long.")) {
      INFO(name);
      deliver_unfinished(bed, "lan0", name);
      bed.run();
      const std::vector<Bytes> got = bed.take_bytes("up0");
      const std::vector<Bytes> expected = pipeline_frames().sequence("long-cut." + name.substr(5));
      REQUIRE(got.size() == expected.size());
      for (size_t i = 0; i < got.size(); ++i) {
        CAPTURE(i);
        check_outer(got[i], expected[i]);
      }
    }
  }
}

TEST_CASE("offload: a port that cuts tunnels gets frames as they are, their outer checksums right") {
  TxCapabilities all;
  all.can.fill(0xff);
  all.multi_segment = true;
  Bed bed(every_tunnel(), all);
  for (const std::string& name : pipeline_frames().names("big.")) {
    INFO(name);
    deliver_unfinished(bed, "lan0", name);
    bed.run();
    std::vector<Sent> sent = bed.take("up0");
    REQUIRE(sent.size() == 1);
    const Intent wanted = written_intent(name);
    const Intent& got = sent.front().intent;
    const std::string tunnel = name.substr(4, name.find('.', 4) - 4);
    CHECK(got.outer() == outer_of(tunnel));
    CHECK((got.outer_checksum != 0) ==
          (tunnel.ends_with("sum") ? !tunnel.ends_with("nosum") : tunnel.starts_with("gnv6") || tunnel == "vx6"));
    CHECK(got.csum_start == wanted.csum_start + got.tunnel_bytes);
    CHECK(got.gso_size == wanted.gso_size);
    CHECK(sent.front().bytes.size() == pipeline_frames()[name].size() + got.tunnel_bytes);
    if (wanted.gso_size != 0) continue;
    // But for the inner checksum, which the port is to fill, it is scapy's frame already.
    const Bytes expected = pipeline_frames().sequence("cut." + name.substr(4)).front();
    const size_t field = size_t{got.csum_start} + got.csum_offset;
    CHECK(to_hex(sent.front().bytes) != to_hex(expected));
    std::copy_n(expected.begin() + static_cast<ptrdiff_t>(field), 2,
                sent.front().bytes.begin() + static_cast<ptrdiff_t>(field));
    check_outer(sent.front().bytes, expected);
  }
}

TEST_CASE("offload: a port without chains gets segments in one buffer each") {
  Bed bed(every_tunnel(), TxCapabilities{});
  deliver_unfinished(bed, "lan0", "big.vx6.tcp4-5500");
  bed.run();
  const std::vector<Sent> sent = bed.take("up0");
  const std::vector<Bytes> expected = pipeline_frames().sequence("cut.vx6.tcp4-5500");
  REQUIRE(sent.size() == expected.size());
  for (size_t i = 0; i < sent.size(); ++i) {
    CHECK(sent[i].segments == 1);
    check_outer(sent[i].bytes, expected[i]);
  }
}

TEST_CASE("offload: what a kernel left to do stays to be done behind the tunnel") {
  Bed bed(every_tunnel(), every_capability());
  for (const char* name : {"rx.big4", "rx.big6", "rx.small4", "rx.small6"}) {
    INFO(name);
    for (const auto& chain : std::vector<std::vector<uint16_t>>{{}, {180, 999}}) {
      deliver_unfinished(bed, "up0", name, chain);
      bed.run();
      const std::vector<Sent> sent = bed.take("lan0");
      REQUIRE(sent.size() == 1);
      check_intent(sent.front(), std::string(name) + "-inner");
    }
  }
  CHECK(bed.counts().all_drops() == 0);
}

TEST_CASE("offload: a bridge port that can do nothing gets it done") {
  Bed bed(every_tunnel());
  for (const char* name : {"rx.big4", "rx.big6"}) {
    deliver_unfinished(bed, "up0", name);
    bed.run();
    CHECK((bed.take_bytes("lan0") == pipeline_frames().sequence(std::string(name) + "-cut")));
  }
  for (const char* name : {"rx.small4", "rx.small6"}) {
    deliver_unfinished(bed, "up0", name);
    bed.run();
    CHECK((bed.take_bytes("lan0") == pipeline_frames().sequence(std::string(name) + "-whole")));
  }
}

TEST_CASE("offload: a checksum that was to be filled in the outer headers dies with them") {
  Bed bed(every_tunnel(), every_capability());
  deliver_unfinished(bed, "up0", "rx.outer-sum");
  bed.run();
  const std::vector<Sent> sent = bed.take("lan0");
  REQUIRE(sent.size() == 1);
  CHECK(sent.front().intent_flags == 0);
  CHECK(sent.front().bytes == pipeline_frames()["rx.outer-sum-inner"]);
}

TEST_CASE("offload: a flooded super-packet is cut for every tunnel") {
  Bed bed(every_tunnel());
  const unsigned buffers = bed.buffers();
  const std::vector<Bytes> segments = pipeline_frames().sequence("rx.big4-cut");
  size_t tunnels = 0;
  const Tables& tables = bed.gateway().tables();
  for (const AdjacencyIndex member : tables.bridge(1)->members) {
    tunnels += tables.adjacency(member)->kind != TunnelType::none ? 1 : 0;
  }
  REQUIRE(tunnels == 24);
  for (const auto& chain : std::vector<std::vector<uint16_t>>{{}, {54, 1000}, {300, 700}}) {
    deliver_unfinished(bed, "lan0", "rx.big4-inner", chain);
    bed.run();
    std::vector<size_t> copies(segments.size());
    for (const Bytes& got : bed.take_bytes("up0")) {
      for (size_t i = 0; i < segments.size(); ++i) {
        const Bytes& inner = segments[i];
        copies[i] += got.size() > inner.size() && std::equal(inner.rbegin(), inner.rend(), got.rbegin()) ? 1 : 0;
      }
    }
    CHECK((copies == std::vector<size_t>(segments.size(), tunnels)));
    CHECK(bed.counts().all_drops() == 0);
    CHECK(bed.buffers() == buffers);
  }
}

TEST_CASE("offload: headers that contradict the intent are dropped, and counted") {
  Bed bed(every_tunnel());
  const unsigned buffers = bed.buffers();
  const std::string name = "big.vx4.tcp4-5500";
  for (const uint16_t start :
       {uint16_t{0}, uint16_t{20}, uint16_t{33}, uint16_t{38}, uint16_t{5000}, uint16_t{65535}}) {
    CAPTURE(start);
    rte_mbuf* const m = to_mbuf(bed.pool(), pipeline_frames()[name]);
    Intent intent = written_intent(name);
    intent.csum_start = start;
    set_intent(m, intent, kNeedsChecksum | kNeedsSegment);
    const Counts before = bed.counts();
    bed.deliver("lan0", m);
    bed.run();
    const Counts rise = bed.counts() - before;
    CHECK(rise.all_drops() == 1);
    CHECK(rise.of(DropReason::segment_failed) + rise.of(DropReason::too_big) == 1);
    CHECK(bed.take("up0").empty());
    bed.nothing_sent();  // its sender may be told that it is too big
  }
  CHECK(bed.buffers() == buffers);
}

TEST_CASE("offload: super-packets of segments too small or too many die before anything is cut") {
  constexpr Outer kOwn = Outer::other;  // a tunnel of the sender's
  struct Row {
    const char* name;
    GsoType type;
    Outer outer;
    uint16_t gso_size;
    bool sane;
  };
  const std::string tcp4 = "big.vx4.tcp4-30000";  // 30,000 bytes of payload
  const std::string tcp6 = "big.vx4.tcp6-30000";
  const Row rows[] = {
      {tcp4.c_str(), GsoType::tcp4, Outer::none, 1, false},  {tcp4.c_str(), GsoType::tcp4, Outer::none, 87, false},
      {tcp4.c_str(), GsoType::tcp4, Outer::none, 88, true},  {tcp6.c_str(), GsoType::tcp6, Outer::none, 87, false},
      {tcp6.c_str(), GsoType::tcp6, Outer::none, 88, true},  {tcp4.c_str(), GsoType::udp4, Outer::none, 234, false},
      {tcp4.c_str(), GsoType::udp4, Outer::none, 235, true}, {tcp6.c_str(), GsoType::udp6, Outer::none, 234, false},
      {tcp6.c_str(), GsoType::udp6, Outer::none, 235, true}, {tcp4.c_str(), GsoType::tcp4, kOwn, 234, false},
      {tcp4.c_str(), GsoType::tcp4, kOwn, 235, true},
  };
  for (const char* port : {"lan0", "up0"}) {
    Bed bed(every_tunnel());
    const unsigned buffers = bed.buffers();
    for (const Row& row : rows) {
      CAPTURE(port, row.name, row.type, row.gso_size);
      rte_mbuf* const m = to_mbuf(bed.pool(), pipeline_frames()[row.name]);
      Intent intent = written_intent(row.name);
      intent.gso_type = row.type;
      intent.gso_size = row.gso_size;
      intent.set_outer(row.outer);
      set_intent(m, intent, kIntentFlags);
      const Counts before = bed.counts();
      bed.deliver(port, m);
      bed.deliver(port, pipeline_frames()["big.vx4.tcp4-small"]);  // who comes behind it isn't held up
      bed.run();
      const Counts rise = bed.counts() - before;
      CHECK(rise.of(DropReason::segment_size) == (row.sane ? 0U : 1U));
      CHECK(rise.rx == 2);
      CHECK(rise.rx_drops + rise.tx_drops == rise.all_drops());
      if (std::string_view(port) == "lan0" && !row.sane) CHECK(bed.take("up0").size() == 1);
      bed.nothing_sent();
      CHECK(bed.buffers() == buffers);
    }
  }
}

}  // namespace causeway::test
