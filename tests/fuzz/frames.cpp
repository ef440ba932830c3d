// Frames from the underlay, from containers (with the virtio-net header that their kernel puts in front) and from VMs:
// every stage of the packet path, and the control thread's part of it.
//
// An input is a byte that says which gateway (kBigFrames, kBound), and a list of frames. Each begins with a byte of
// flags and two of length (little-endian):
//   1: from the underlay, else from the bridge port    2: a virtio-net header of 24 bytes comes first
//   4: a NIC found its checksums right                 8: as a chain; the next byte is the first mbuf's length
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>

#include "pmd/kernel/vnet_header.h"
#include "tests/fuzz/target.h"
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {
namespace {

enum Flag : uint8_t { kUnderlay = 1, kVnetHeader = 2, kChecksumsGood = 4, kChain = 8 };
enum Which : uint8_t { kBigFrames = 16, kBound = 32 };

constexpr size_t kMaxFrames = 32;
constexpr uint16_t kMtu = 2000;  // of every_tunnel()'s ports

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "violated: %s\n", what);
  std::abort();
}

class Input {
 public:
  explicit Input(std::span<const uint8_t> bytes) : rest_(bytes) {}

  bool empty() const { return rest_.empty(); }
  std::span<const uint8_t> take(size_t bytes) {
    const auto taken = rest_.first(std::min(bytes, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  uint8_t number() {
    const auto byte = take(1);
    return byte.empty() ? 0 : byte[0];
  }

 private:
  std::span<const uint8_t> rest_;
};

// As the ports do it (pmd/kernel/kernel_queue.cpp): one that contradicts its frame costs the frame.
bool with_vnet_header(std::span<const uint8_t> bytes, rte_mbuf* m) {
  VnetHeader header;
  std::memcpy(&header, bytes.data(), std::min(bytes.size(), sizeof(header)));
  return apply_vnet_header(header, 0, m);
}

// The gateway of all tunnels, its GRE numbered, and a bridge port whose senders are bound as in
// tests/pipeline/frames/bindings_frames.py; who asks for one of these gets the answer.
std::string bound_topology() {
  std::string yaml = every_tunnel();
  const auto put_behind = [&yaml](const std::string& place, const std::string& what) {
    const size_t at = yaml.find(place);
    require(at != std::string::npos, "the topology has what is to be changed");
    yaml.insert(at + place.size(), what);
  };
  put_behind("lan0: {", R"(bindings: [{mac: 02:00:00:00:01:01, addresses: [10.0.0.5, "fd00::5", 10.9.0.0/16]},
    {mac: 02:00:00:00:01:02}, {mac: 02:00:00:00:01:03, addresses: [10.0.0.7]},
    {mac: 02:00:00:00:01:04, addresses: ["fd00::7"]}], )");
  put_behind("bridges:\n  br0:\n", "    parameters: {arp-nd-suppress: true}\n");
  for (const char* gre : {"gre4: {", "gre4nokey: {", "gre4sum: {", "gre6: {"}) put_behind(gre, "sequence: true, ");
  return yaml;
}

// One that cuts for its ports, one whose bridge port takes big frames, one with bindings.
Bed& bed_for(uint8_t which) {
  TxCapabilities big = Bed::default_capabilities();
  big.add(Outer::none, TxCapabilities::kChecksum | TxCapabilities::kTcp);
  static Bed small_bed(every_tunnel());
  static Bed big_bed(every_tunnel(), big);
  static Bed bound_bed(bound_topology());
  if ((which & kBound) != 0) return bound_bed;
  return (which & kBigFrames) != 0 ? big_bed : small_bed;
}

void check_sent(Bed& bed) {
  for (const char* name : {"lan0", "up0"}) {
    for (const Sent& sent : bed.take(name)) {
      require((sent.intent_flags & kNeedsSegment) != 0 || sent.bytes.size() <= kMtu + 18, "no frame beyond the MTU");
    }
  }
}

}  // namespace
}  // namespace causeway::test

using namespace causeway;
using namespace causeway::test;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input({data, size});
  Bed& bed = bed_for(input.number());
  const unsigned buffers = bed.buffers();
  const Counts before = bed.counts();
  uint64_t delivered = 0;
  for (size_t i = 0; i < kMaxFrames && !input.empty(); ++i) {
    const uint8_t flags = input.number();
    const uint8_t low = input.number();
    const size_t bytes = low | input.number() << 8;
    std::vector<uint16_t> chain;
    if ((flags & kChain) != 0) chain = {static_cast<uint16_t>(input.number() + 1), 100};
    const auto header = (flags & kVnetHeader) != 0 ? input.take(sizeof(VnetHeader)) : std::span<const uint8_t>{};
    const auto frame = input.take(bytes);
    rte_mbuf* const m = chain.empty() && !frame.empty() ? to_exact_mbuf(bed.pool(), frame)
                                                        : to_mbuf(bed.pool(), {frame.begin(), frame.end()}, chain);
    if ((flags & kChecksumsGood) != 0) m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    if (!header.empty() && !with_vnet_header(header, m)) {
      rte_pktmbuf_free(m);
      continue;
    }
    bed.deliver((flags & kUnderlay) != 0 ? "up0" : "lan0", m);
    ++delivered;
  }
  bed.run();
  check_sent(bed);
  const Counts rise = bed.counts() - before;
  require(rise.rx == delivered, "every frame is counted on arrival");
  require(rise.tx + rise.all_drops() + rise.coalesced + rise.to_control >= rise.rx, "no frame dies uncounted");
  require(bed.buffers() == buffers, "no buffer is lost");
  return 0;
}
