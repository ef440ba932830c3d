// Broken frames by the hundred thousand: nothing is read or written out of bounds (the address sanitizer looks), no
// frame is lost without a count, no buffer at all.
#include <algorithm>
#include <random>

#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

constexpr int kMutations = 200'000;
constexpr int kBurst = 50;

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  uint32_t below(size_t limit) { return static_cast<uint32_t>(random_() % limit); }

  // Most changes hit the tunnel's and the inner headers, which lie behind the most of the checks.
  void mutate(Bytes& frame) {
    for (uint32_t changes = below(4) != 0 ? 1 : 3; changes != 0 && !frame.empty(); --changes) {
      const size_t first = below(3) != 0 ? std::min<size_t>(frame.size() - 1, 42) : 0;
      const size_t at = first + below(std::min<size_t>(frame.size() - first, 70));
      const auto place = frame.begin() + static_cast<long>(at);
      const uint32_t kind = below(16);
      if (kind < 4) {
        *place = static_cast<uint8_t>(below(256));
      } else if (kind < 10) {
        *place ^= static_cast<uint8_t>(1U << below(8));
      } else if (kind < 12) {
        *place = below(2) != 0 ? 0xff : 0;
      } else if (kind == 12) {
        frame.resize(at);
      } else if (kind == 13) {
        frame.insert(frame.end(), below(40), 0xa5);
      } else if (kind == 14) {
        frame.erase(place, frame.begin() + static_cast<long>(std::min(frame.size(), at + 1 + below(8))));
      } else {
        frame.insert(place, 1 + below(8), static_cast<uint8_t>(below(256)));
      }
    }
  }

  std::vector<uint16_t> chain() {
    if (below(3) != 0) return {};
    return {static_cast<uint16_t>(1 + below(200)), static_cast<uint16_t>(1 + below(60))};
  }

 private:
  std::mt19937_64 random_;
};

// Sends kMutations variants of the frames to a port.
void check_mutations(const std::string& port, const std::vector<Bytes>& frames, bool with_intents, uint64_t seed,
                     TxCapabilities capabilities = Bed::default_capabilities(),
                     const std::string& yaml = every_tunnel()) {
  Bed bed(yaml, capabilities);
  const unsigned buffers = bed.buffers();
  Mutator mutator(seed);
  uint64_t out = 0;
  for (int sent = 0; sent < kMutations; sent += kBurst) {
    for (int i = 0; i < kBurst; ++i) {
      Bytes frame = frames[mutator.below(frames.size())];
      // From one of very many on the link, or the gateway soon hears no more of them (control_limit).
      if (port == "up0" && frame.size() >= 12) {
        frame[10] = static_cast<uint8_t>(sent >> 8);
        frame[11] = static_cast<uint8_t>(sent + i);
      }
      mutator.mutate(frame);
      const bool exact = !frame.empty() && mutator.below(2) != 0;
      rte_mbuf* const m = exact ? to_exact_mbuf(bed.pool(), frame) : to_mbuf(bed.pool(), frame, mutator.chain());
      // As if a NIC had found the checksums right, or the mutation would seldom get behind them.
      if (mutator.below(3) != 0) m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
      if (with_intents && mutator.below(2) != 0) {
        Intent intent;
        constexpr uint16_t kStarts[] = {84, 84, 34, 54};  // of inner TCP; of outer UDP, as of merged datagrams
        const auto start = mutator.below(5);
        intent.csum_start = static_cast<uint16_t>(start != 4 ? kStarts[start] : mutator.below(200));
        intent.csum_offset = mutator.below(2) != 0 ? 16 : 6;
        intent.gso_type = static_cast<GsoType>(mutator.below(5));
        intent.gso_size = static_cast<uint16_t>(80 + mutator.below(100));
        set_intent(m, intent, mutator.below(2) != 0 ? kNeedsChecksum : kNeedsChecksum | kNeedsSegment);
      }
      bed.deliver(port, m);
    }
    bed.run();
    for (const char* name : {"lan0", "up0"}) out += bed.take(name).size();
  }
  const Counts counts = bed.counts();
  INFO(to_text(counts));
  // Merged datagrams count one by one.
  CHECK((port == "up0" && with_intents ? counts.rx > kMutations : counts.rx == kMutations));
  CHECK(counts.tx == out);
  CHECK(out > kMutations / 100);
  CHECK(counts.all_drops() > kMutations / 20);
  CHECK(bed.buffers() == buffers);
  // One in is one out or one drop, but for ARP and echo requests (consumed and answered), floods and segments.
  if (port == "up0" && !with_intents)
    CHECK(counts.rx == counts.tx - counts.from_control + counts.all_drops() + counts.coalesced + counts.to_control -
                           bed.gateway().drops()[static_cast<size_t>(DropReason::control_ignored)]);
  CHECK((counts.coalesced != 0) == capabilities.has(Outer::none, TxCapabilities::kTcp));
}

std::vector<Bytes> all_of(const std::vector<std::string>& prefixes) {
  std::vector<Bytes> frames;
  for (const std::string& prefix : prefixes) {
    for (const std::string& name : pipeline_frames().names(prefix)) frames.push_back(pipeline_frames()[name]);
  }
  return frames;
}

}  // namespace

TEST_CASE("mutations: broken underlay frames") {
  check_mutations("up0",
                  all_of({"decap.ipv4.", "decap.ipv6.", "decap.udp.", "decap.geneve.", "decap.gre.", "decap.vxlan.",
                          "echo.request.", "arp."}),
                  false, 1);
}

TEST_CASE("mutations: broken underlay frames with something left to do") {
  check_mutations("up0", all_of({"decap.geneve.", "decap.gre.", "decap.vxlan.", "rx.small"}), true, 2);
}

TEST_CASE("mutations: broken underlay frames for a port that takes big ones") {
  std::vector<Bytes> frames;
  for (const char* name : {"rx.big4-wire", "rx.big6-wire"}) {
    for (Bytes& frame : pipeline_frames().sequence(name)) frames.push_back(std::move(frame));
  }
  TxCapabilities big;
  big.add(Outer::none, TxCapabilities::kChecksum | TxCapabilities::kTcp);
  big.multi_segment = true;
  check_mutations("up0", frames, false, 4, big);
}

TEST_CASE("mutations: broken frames of a port with bindings") {
  std::string yaml = every_tunnel();
  yaml.replace(yaml.find("lan0: {"), 7,
               "lan0: {bindings: [{mac: 02:00:00:00:01:01, addresses: [10.0.0.5, \"fd00::5\"]}], ");
  check_mutations("lan0", all_of({"bound."}), false, 7, Bed::default_capabilities(), yaml);
}

TEST_CASE("mutations: broken words of neighbors and routers") {
  check_mutations("up0", all_of({"nd.", "nd-ignored.", "echo6.request.", "pmtu", "told-remote.frame"}), false, 5);
}

TEST_CASE("mutations: broken frames too big, broken SYNs") {
  std::string yaml = every_tunnel();
  yaml.replace(yaml.find("    mtu: 2000"), 13, "    mtu: 1400");
  yaml.replace(yaml.find("lan0: {"), 7, "lan0: {mss-clamp: 1000, ");
  std::vector<Bytes> frames = all_of({"told.", "silent.", "syn."});
  for (Bytes& frame : frames) {  // to whom gnv4 leads
    frame[4] = 2;
    frame[5] = 1;
  }
  check_mutations("lan0", frames, true, 6, Bed::default_capabilities(), yaml);
}

TEST_CASE("mutations: broken frames into tunnels") {
  check_mutations("lan0", all_of({"encap.g", "big.vx4.tcp4-small"}), true, 3);
}

}  // namespace causeway::test
