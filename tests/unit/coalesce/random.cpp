// Any mixture of flows, broken in every way: what comes out, cut again, is what went in, each flow in its order.
#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/tcp.h"
#include "tests/unit/coalesce/support.h"

using namespace causeway;
using namespace causeway::test;

namespace {

constexpr int kRounds = 20'000;

class Mixture {
 public:
  Mixture(rte_mempool* pool, uint64_t seed) : pool_(pool), random_(seed) {
    for (const std::string& name : coalesce_frames().names("stream.")) {
      streams_.push_back(coalesce_frames().sequence(name));
    }
  }

  size_t below(size_t limit) { return random_() % limit; }

  // So many frames of a few flows, mostly in order.
  std::vector<Bytes> frames(size_t count) {
    std::vector<Bytes> mixed;
    std::vector<size_t> next(streams_.size());
    for (size_t& n : next) n = below(30);
    const size_t flows = 1 + below(streams_.size());
    size_t flow = 0;
    while (mixed.size() < count) {
      if (below(3) != 0) flow = below(flows);
      const std::vector<Bytes>& stream = streams_[flow];
      mixed.push_back(stream[next[flow] % stream.size()]);
      const size_t kind = below(24);
      if (kind == 0) {
        next[flow] += below(3);  // a gap, or the same again
      } else {
        ++next[flow];
      }
      if (kind == 1 && mixed.size() > 1) std::swap(mixed.back(), mixed[mixed.size() - 2]);
      if (kind == 2) mutate(mixed.back());
    }
    return mixed;
  }

  // As one piece or several, with its checksum or without.
  rte_mbuf* to_frame(const Bytes& bytes) {
    std::vector<uint16_t> chain;
    if (below(4) == 0) chain = {static_cast<uint16_t>(14 + below(110)), static_cast<uint16_t>(1 + below(90))};
    return to_mbuf(pool_, bytes, chain);
  }

 private:
  void mutate(Bytes& frame) {
    const size_t at = below(std::min<size_t>(frame.size(), 100));
    switch (below(5)) {
      case 0:
        frame[at] = static_cast<uint8_t>(below(256));
        break;
      case 1:
        frame.resize(std::max<size_t>(14, at));
        break;
      case 2:
        frame.insert(frame.end(), 1 + below(20), uint8_t{0});
        break;
      default:
        frame[at] ^= static_cast<uint8_t>(1U << below(8));
        break;
    }
    if (below(4) != 0) repair(frame);
  }

  // Right checksums in spite of the change, or it would stop at those.
  void repair(Bytes& frame) {
    rte_mbuf* const m = to_mbuf(pool_, frame);
    const auto [ethertype, l3] = behind_tags(m);
    auto* const ip4 = ethertype == kEtherTypeIpv4 ? writable_header_at<Ipv4Header>(m, l3) : nullptr;
    auto* const ip6 = ethertype == kEtherTypeIpv6 ? writable_header_at<Ipv6Header>(m, l3) : nullptr;
    const uint32_t l4 = l3 + (ip4 != nullptr ? 20U : 40U);
    auto* const tcp = writable_header_at<TcpHeader>(m, l4);
    if (tcp != nullptr && (ip4 != nullptr || ip6 != nullptr)) {
      const uint32_t bytes =
          std::min<uint32_t>(m->pkt_len - l4, ip4 != nullptr ? std::max(ip4->total_bytes.get(), uint16_t{20}) - 20U
                                                             : ip6->payload_bytes.get());
      if (ip4 != nullptr && ip4->header_bytes() == 20) ip4->checksum = ipv4_checksum(*ip4);
      tcp->checksum = be16{};
      tcp->checksum = checksum_of(sum_chain(
          m, l4, bytes, ip4 != nullptr ? pseudo_header_sum(*ip4, 6, bytes) : pseudo_header_sum(*ip6, 6, bytes)));
    }
    frame = to_bytes(m);
    rte_pktmbuf_free(m);
  }

  rte_mempool* pool_;
  std::mt19937_64 random_;
  std::vector<std::vector<Bytes>> streams_;
};

// Addresses, ports and what else a flow has; all other frames are one flow.
std::string flow_of(const Bytes& frame) {
  size_t l3 = 14;
  if (frame.size() > 18 && frame[12] == 0x81) l3 += 4;
  const bool v4 = frame[l3 - 2] == 8 && frame[l3 - 1] == 0;
  const bool v6 = frame[l3 - 2] == 0x86 && frame[l3 - 1] == 0xdd;
  const size_t addresses = l3 + (v4 ? 12 : 8);
  const size_t ports = l3 + (v4 ? 20 : 40);
  if ((!v4 && !v6) || frame.size() < ports + 4) return {};
  const size_t protocol = l3 + (v4 ? 9 : 6);
  std::string flow(frame.begin() + static_cast<long>(addresses), frame.begin() + static_cast<long>(ports + 4));
  flow.push_back(static_cast<char>(frame[protocol]));
  return flow;
}

// An IPv4 packet's id, which may change where DF is set, and the checksum over it.
Bytes without_id(Bytes frame) {
  const size_t l3 = frame.size() > 18 && frame[12] == 0x81 ? 18 : 14;
  if (frame.size() < l3 + 20 || frame[l3 - 2] != 8 || (frame[l3 + 6] & 0x40) == 0) return frame;
  for (const size_t at : {4, 5, 10, 11}) frame[l3 + at] = 0;
  return frame;
}

std::map<std::string, std::vector<Bytes>> by_flow(const std::vector<Bytes>& frames) {
  std::map<std::string, std::vector<Bytes>> flows;
  for (const Bytes& frame : frames) flows[flow_of(frame)].push_back(without_id(frame));
  return flows;
}

}  // namespace

TEST_CASE("coalesce: any mixture of frames, cut again, is the same one") {
  MbufPool pool(4095);
  Mixture mixture(pool, 64);
  uint64_t merged = 0;
  for (int round = 0; round < kRounds; ++round) {
    CAPTURE(round);
    const std::vector<Bytes> given = mixture.frames(1 + mixture.below(kMaxCoalesced));
    std::vector<rte_mbuf*> frames;
    for (const Bytes& bytes : given) frames.push_back(mixture.to_frame(bytes));
    const Coalesced result = coalesce(frames.data(), static_cast<uint16_t>(frames.size()), takes_big_frames());
    REQUIRE(given.size() - result.in + result.out == result.frames);
    merged += result.in;
    std::vector<Bytes> got;
    for (uint16_t i = 0; i < result.frames; ++i) {
      for (Bytes& segment : cut(frames[i], pool)) got.push_back(std::move(segment));
    }
    REQUIRE(got.size() == given.size());
    const auto was = by_flow(given);
    const auto is = by_flow(got);
    if (is == was) continue;
    for (const auto& [flow, frames_of_flow] : was) {
      const auto found = is.find(flow);
      REQUIRE(found != is.end());
      REQUIRE(found->second.size() == frames_of_flow.size());
      for (size_t i = 0; i < frames_of_flow.size(); ++i) {
        CAPTURE(i);
        REQUIRE(to_hex(found->second[i]) == to_hex(frames_of_flow[i]));
      }
    }
  }
  // It would prove little if nothing was merged.
  CHECK(merged > uint64_t{kRounds} * 10);
}
