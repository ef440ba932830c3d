// Software GRO where it stands: behind a tunnel, ahead of a port that takes big frames, as configured.
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

constexpr uint8_t kAll = TxCapabilities::kChecksum | TxCapabilities::kTcp;

TxCapabilities big_frames(uint8_t can = kAll, bool multi_segment = true) {
  TxCapabilities caps;
  caps.add(Outer::none, can);
  caps.multi_segment = multi_segment;
  return caps;
}

std::string with_gro(const std::string& port, const std::string& value) {
  std::string yaml = every_tunnel();
  const std::string where = port == "lan0" ? "lan0: {" : "up0:\n    ";
  const std::string key = "offloads: {gro: " + value + "}" + (port == "lan0" ? ", " : "\n    ");
  return yaml.insert(yaml.find(where) + where.size(), key);
}

const std::vector<Bytes>& wire(const std::string& name) {
  static std::map<std::string, std::vector<Bytes>> frames;
  return frames.try_emplace(name, pipeline_frames().sequence(name + "-wire")).first->second;
}

void check_merged(const Sent& sent, const std::string& name) {
  const auto number = [&](const char* key) { return pipeline_frames().number(name + "-inner", key); };
  CHECK(to_hex(sent.bytes) == to_hex(pipeline_frames()[name + "-inner"]));
  CHECK(sent.intent_flags == (kNeedsChecksum | kNeedsSegment));
  CHECK(sent.intent.csum_start == number("csum_start"));
  CHECK(sent.intent.csum_offset == number("csum_offset"));
  CHECK(sent.intent.gso_size == number("gso_size"));
  CHECK(static_cast<uint64_t>(sent.intent.gso_type) == number("gso_type"));
  CHECK(sent.segments == wire(name).size());
}

// Sends a flow of each IP version, frame by frame in turn; what comes out of lan0.
std::vector<Sent> send_flows(Bed& bed) {
  for (size_t i = 0; i < wire("rx.big4").size(); ++i) {
    bed.deliver("up0", wire("rx.big4")[i]);
    bed.deliver("up0", wire("rx.big6")[i]);
  }
  bed.run();
  return bed.take("lan0");
}

void check_balance(const Counts& counts) {
  CHECK(counts.rx + counts.from_control == counts.tx + counts.all_drops() + counts.coalesced + counts.to_control);
}

}  // namespace

TEST_CASE("coalesce: segments out of a tunnel leave as one super-packet a flow") {
  Bed bed(every_tunnel(), big_frames());
  const std::vector<Sent> sent = send_flows(bed);
  REQUIRE(sent.size() == 2);
  check_merged(sent[0], "rx.big4");
  check_merged(sent[1], "rx.big6");
  const Counts counts = bed.counts();
  CHECK(counts.rx == 10);
  CHECK(counts.coalesced == 8);
  CHECK(bed.worker().counters().gro_in.get() == 10);
  CHECK(bed.worker().counters().gro_out.get() == 2);
  const PortIndex lan0 = bed.gateway().ports().find("lan0")->index;
  CHECK(bed.worker().counters().ports[lan0].traffic.tx_packets.get() == 2);
  CHECK(bed.worker().counters().ports[lan0].traffic.tx_bytes.get() == sent[0].bytes.size() + sent[1].bytes.size());
  check_balance(counts);
}

TEST_CASE("coalesce: nothing waits for the next loop") {
  Bed bed(every_tunnel(), big_frames());
  for (const Bytes& frame : wire("rx.big4")) {
    bed.send("up0", frame);
    CHECK(bed.take("lan0").size() == 1);
  }
  CHECK(bed.counts().coalesced == 0);
}

TEST_CASE("coalesce: a port that lacks something gets the frames as they came") {
  for (const TxCapabilities& caps : {big_frames(TxCapabilities::kTcp), big_frames(kAll, false)}) {
    Bed bed(every_tunnel(), caps);
    CHECK(send_flows(bed).size() == 10);
    CHECK(bed.counts().coalesced == 0);
  }
  Bed bed(every_tunnel(), big_frames(TxCapabilities::kChecksum | TxCapabilities::kTcp4));
  CHECK(send_flows(bed).size() == 6);
}

TEST_CASE("coalesce: what leaves an underlay is left alone") {
  Bed bed(every_tunnel(), big_frames());
  // Big frames enter whole, segments one by one, and as such they leave.
  const std::vector<Bytes> segments = pipeline_frames().sequence("rx.big4-cut");
  for (Bytes frame : segments) {
    const Bytes tunnel_mac{2, 0, 0, 0, 2, 1};
    std::copy(tunnel_mac.begin(), tunnel_mac.end(), frame.begin());
    bed.deliver("lan0", frame);
  }
  bed.run();
  CHECK(bed.take("up0").size() == segments.size());
  CHECK(bed.counts().coalesced == 0);
}

TEST_CASE("coalesce: `gro` turns it off and on in place") {
  Bed bed(with_gro("lan0", "off"), big_frames());
  CHECK(send_flows(bed).size() == 10);
  const MemoryPort* const before = &bed.port("lan0");
  REQUIRE(bed.apply(with_gro("lan0", "on")).empty());
  CHECK(send_flows(bed).size() == 2);
  REQUIRE(bed.apply(with_gro("lan0", "off")).empty());
  CHECK(send_flows(bed).size() == 10);
  REQUIRE(bed.apply(every_tunnel()).empty());
  CHECK(send_flows(bed).size() == 2);
  CHECK(&bed.port("lan0") == before);
}

TEST_CASE("coalesce: `gro: on` where it can't be is an error that says why") {
  Bed bed(every_tunnel(), big_frames());
  auto errors = bed.apply(with_gro("up0", "on"));
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].what == "offloads.gro: what leaves an underlay is in tunnels");
  CHECK(send_flows(bed).size() == 2);

  const std::vector<std::pair<TxCapabilities, std::string>> rows = {
      {big_frames(TxCapabilities::kTcp), "offloads.gro: the device can't"},
      {big_frames(TxCapabilities::kChecksum), "offloads.gro: the device can't"},
      {big_frames(kAll, false), "offloads.gro: the device takes no chains of buffers"}};
  for (const auto& [caps, text] : rows) {
    Bed poor(every_tunnel(), caps);
    errors = poor.apply(with_gro("lan0", "on"));
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].what == text);
    CHECK(send_flows(poor).size() == 10);
  }
}

TEST_CASE("coalesce: a full transmit queue drops a merged frame as one") {
  Bed bed(every_tunnel(), big_frames());
  bed.port("lan0").set_room(1);
  CHECK(send_flows(bed).size() == 1);
  const Counts counts = bed.counts();
  CHECK(counts.of(DropReason::tx_full) == 1);
  CHECK(counts.tx_drops == 1);
  check_balance(counts);
}

}  // namespace causeway::test
