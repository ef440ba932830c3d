// What `causewayctl trace` says of a frame is what a worker does with it, and saying it changes nothing.
#include "control/trace/trace.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

// What becomes of a frame: by trace, or by a worker.
struct Outcome {
  std::map<std::string, std::vector<Bytes>> sent;  // by port
  std::array<uint64_t, kDropReasons> drops{};
  uint64_t to_control = 0;
  bool operator==(const Outcome&) const = default;
};

std::string to_text(const Outcome& outcome) {
  Counts counts;
  counts.drops = outcome.drops;
  std::string text = to_text(counts);
  for (const auto& [port, frames] : outcome.sent) {
    for (const Bytes& bytes : frames) text += "\n" + port + " " + to_hex(bytes);
  }
  return text + "\nto control " + std::to_string(outcome.to_control);
}

PortIndex index_of(Bed& bed, const std::string& port) { return bed.gateway().ports().find(port)->index; }

Outcome traced(Bed& bed, const std::string& port, const Bytes& bytes) {
  const auto trace = trace_frame(bed.gateway(), index_of(bed, port), bytes);
  REQUIRE(trace);
  Outcome outcome;
  outcome.drops = trace->drops;
  std::map<PortIndex, std::string> names;
  for (const auto& [name, record] : bed.gateway().ports().all()) names[record.index] = name;
  for (const ShadowTables::Sent& sent : trace->sent) outcome.sent[names.at(sent.port)].push_back(sent.bytes);
  // A frame that is too big is dropped, whoever hears of it.
  outcome.to_control = static_cast<uint64_t>(
      std::ranges::count_if(trace->to_control, [](const auto& frame) { return frame.kind != Punt::too_big; }));
  return outcome;
}

Outcome carried(Bed& bed, const std::string& port, const Bytes& bytes) {
  const Counts before = bed.counts();
  bed.deliver(port, bytes);
  bed.run_worker();
  const Counts rise = bed.counts() - before;
  Outcome outcome;
  outcome.drops = rise.drops;
  outcome.to_control = rise.to_control;
  for (const auto& [name, record] : bed.gateway().ports().all()) {
    if (record.settings.vlan_device() != nullptr) continue;
    if (auto frames = bed.take_bytes(name); !frames.empty()) outcome.sent[name] = std::move(frames);
  }
  return outcome;
}

// All that a trace could leave something in.
struct State {
  std::vector<uint64_t> numbers;
  unsigned buffers = 0;
  bool operator==(const State&) const = default;
};

State state_of(Bed& bed) {
  State state;
  const auto add = [&state](uint64_t number) { state.numbers.push_back(number); };
  const Tables& tables = bed.gateway().tables();
  const WorkerCounters& worker = bed.worker().counters();
  for (const Counter& count : worker.drops) add(count.get());
  for (const uint64_t count : bed.gateway().drops()) add(count);
  for (const Counter* count : {&worker.rx_packets, &worker.to_control, &worker.from_control, &worker.gro_in,
                               &worker.cache_hits, &worker.cache_misses, &worker.cache_entries}) {
    add(count->get());
  }
  for (const auto& [name, record] : bed.gateway().ports().all()) {
    const PortCounters& port = worker.ports[record.index];
    for (const Counter* count : {&port.traffic.rx_packets, &port.traffic.rx_bytes, &port.traffic.tx_packets,
                                 &port.traffic.tx_bytes, &port.rx_drops, &port.tx_drops}) {
      add(count->get());
    }
  }
  for (AdjacencyIndex i = 0; i < 64; ++i) {
    const TrafficCounters& tunnel = worker.tunnels[i];
    for (const Counter* count : {&tunnel.rx_packets, &tunnel.rx_bytes, &tunnel.tx_packets, &tunnel.tx_bytes}) {
      add(count->get());
    }
    const Adjacency* const adjacency = tables.adjacency(i);
    add(reinterpret_cast<uintptr_t>(adjacency));
    if (adjacency != nullptr && adjacency->sequence != nullptr) add(adjacency->sequence->load());
  }
  const FdbTable& fdb = *tables.fdb.load();
  for (uint32_t i = 0; i < fdb.capacity(); ++i) {
    const FdbSlot& slot = fdb.slot(i);
    for (const uint64_t word :
         {slot.key.load(), uint64_t{slot.exit.load()}, uint64_t{slot.bridge.load()}, uint64_t{slot.seen_s.load()}}) {
      add(word);
    }
  }
  add(tables.changes.load());
  add(bed.worker().mailbox().waiting_for_control());
  add(bed.worker().mailbox().waiting_for_worker());
  add(bed.gateway().neighbors().all().size());
  add(bed.worker().flow_cache().entries());
  state.buffers = bed.buffers();
  return state;
}

class Random {
 public:
  explicit Random(uint64_t seed) : random_(seed) {}
  uint32_t below(size_t limit) { return static_cast<uint32_t>(random_() % limit); }
  // Nothing, or a change of a byte, the length, or both.
  void mutate(Bytes& frame) {
    for (uint32_t changes = below(4); changes > 1 && !frame.empty(); --changes) {
      const size_t at = below(std::min<size_t>(frame.size(), 110));
      const uint32_t kind = below(8);
      if (kind < 5) {
        frame[at] ^= static_cast<uint8_t>(1U << below(8));
      } else if (kind == 5) {
        frame[at] = static_cast<uint8_t>(below(256));
      } else if (kind == 6) {
        frame.resize(std::max<size_t>(at, 1));
      } else {
        frame.insert(frame.end(), 1 + below(40), 0xa5);
      }
    }
  }

 private:
  std::mt19937_64 random_;
};

struct Agreement {
  int frames = 0;
  std::set<size_t> reasons;
  uint64_t sent = 0;
  uint64_t to_control = 0;
};

// Traces frames and sends each, all there are of the pipeline's of these kinds and changed ones, while the gateway
// learns as ever.
Agreement check(const std::string& yaml, const std::vector<std::pair<std::string, std::string>>& kinds, int frames,
                uint64_t seed) {
  Bed bed(yaml);
  bed.run();
  bed.nothing_sent();
  std::vector<std::pair<std::string, Bytes>> pool;
  for (const auto& [port, prefix] : kinds) {
    for (const std::string& name : pipeline_frames().names(prefix)) pool.emplace_back(port, pipeline_frames()[name]);
  }
  Random random(seed);
  Agreement agreement;
  for (int i = 0; i < frames; ++i) {
    auto [port, bytes] = pool[random.below(pool.size())];
    random.mutate(bytes);
    if (bytes.empty()) continue;
    // From many hosts on the link: what one of them may ask a second is not what is looked at here.
    if (port == "up0" && bytes.size() >= 12) {
      bytes[10] = static_cast<uint8_t>(i >> 8);
      bytes[11] = static_cast<uint8_t>(i);
    }
    const State before = state_of(bed);
    const Outcome said = traced(bed, port, bytes);
    const bool untouched = state_of(bed) == before;
    CAPTURE(i, port, to_hex(bytes));
    REQUIRE(untouched);
    REQUIRE(bed.nothing_sent());
    const Outcome done = carried(bed, port, bytes);
    if (said != done) FAIL("trace:\n" << to_text(said) << "\nworker:\n" << to_text(done));
    ++agreement.frames;
    for (size_t reason = 0; reason < kDropReasons; ++reason) {
      if (done.drops[reason] != 0) agreement.reasons.insert(reason);
    }
    for (const auto& [name, out] : done.sent) agreement.sent += out.size();
    agreement.to_control += done.to_control;
    bed.run();  // what the control thread makes of it: answers, learnt MACs
    bed.nothing_sent();
  }
  return agreement;
}

// gre_sequence_frames.py and vlan_frames.py have such ports.
constexpr const char* kNumberedAndVlans = R"(
version: 1
ethernets:
  lan0: {vlan: {mode: native, tag: 10, trunks: [5, 77]}}
  lan1: {vlan: {mode: access, tag: 10}}
  lan2: {mtu: 1000}
  up0:
    macaddress: 02:00:00:00:00:01
    addresses: [172.31.0.1/24]
    neighbors: [{to: 172.31.0.2, macaddress: 02:00:00:00:00:02}, {to: 172.31.0.3, macaddress: 02:00:00:00:00:03}]
vlans:
  lan2.7: {id: 7, link: lan2}
tunnels:
  gs: {mode: gretap, key: 31, local: 172.31.0.1, remote: 172.31.0.2, sequence: true, checksum: true}
  vx: {mode: vxlan, id: 100, local: 172.31.0.1, remote: [172.31.0.2, 172.31.0.3, 172.31.0.4]}
bridges:
  br0: {interfaces: [lan0, lan1, lan2, lan2.7, gs, vx]}
)";

}  // namespace

TEST_CASE("trace: what it says is what happens in every tunnel") {
  const Agreement agreement =
      check(every_tunnel(), {{"up0", "decap."}, {"up0", "arp."}, {"up0", "echo."}, {"lan0", "encap."}}, 2000, 1);
  CHECK(agreement.frames > 1990);
  CHECK(agreement.reasons.size() > 20);
  CHECK(agreement.sent > 700);
  CHECK(agreement.to_control > 10);
}

TEST_CASE("trace: what it says is what happens in VLANs and with numbers") {
  std::vector<std::pair<std::string, std::string>> kinds;
  for (const char* port : {"lan0", "lan1", "lan2", "up0"}) {
    for (const char* prefix : {"vlan.", "encap.g", "decap.vxlan."}) kinds.emplace_back(port, prefix);
  }
  const Agreement agreement = check(kNumberedAndVlans, kinds, 1000, 2);
  CHECK(agreement.frames > 990);
  CHECK(agreement.reasons.size() > 5);
  CHECK(agreement.sent > 300);
  CHECK(agreement.to_control > 10);
}

TEST_CASE("trace: whose flow it is, and what the FDB knows of it") {
  Bed bed(every_tunnel());
  const Bytes& frame = pipeline_frames()[pipeline_frames().names("encap.g").front()];
  const auto unknown = trace_frame(bed.gateway(), index_of(bed, "lan0"), frame);
  REQUIRE((unknown && unknown->flow));
  const Ports::Record& lan0 = *bed.gateway().ports().find("lan0");
  CHECK(unknown->flow->ingress() == lan0.adjacency);
  CHECK(!unknown->source);
  REQUIRE(unknown->learnt);
  CHECK(unknown->learnt->key == unknown->flow->source());
  CHECK(unknown->learnt->exit == lan0.adjacency);
  CHECK(unknown->destination);
  bed.send("lan0", frame);
  const auto known = trace_frame(bed.gateway(), lan0.index, frame);
  REQUIRE(known);
  CHECK(known->source == lan0.adjacency);
  CHECK(!known->learnt);
}

}  // namespace causeway::test
