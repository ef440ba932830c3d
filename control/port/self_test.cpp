#include "control/port/self_test.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <set>

#include "control/port/probe.h"
#include "dataplane/gso/segment.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ipv4.h"
#include "pmd/flow_rules.h"

namespace causeway {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes bytes_of(const rte_mbuf* frame) {
  Bytes bytes;
  for (const rte_mbuf* m = frame; m != nullptr; m = m->next) {
    const auto* from = rte_pktmbuf_mtod(m, const uint8_t*);
    bytes.insert(bytes.end(), from, from + m->data_len);
  }
  return bytes;
}

// Null when the pool is empty.
rte_mbuf* frame_of(const Bytes& bytes, rte_mempool* pool) {
  rte_mbuf* const frame = rte_pktmbuf_alloc(pool);
  if (frame == nullptr) return nullptr;
  std::memcpy(rte_pktmbuf_append(frame, static_cast<uint16_t>(bytes.size())), bytes.data(), bytes.size());
  return frame;
}

// What the segment stage makes of a frame, for a port that can do so much. Takes it. None: there were no buffers.
std::vector<rte_mbuf*> segmented(rte_mbuf* frame, const TxCapabilities& caps, rte_mempool* pool) {
  std::vector<rte_mbuf*> frames;
  if (frame == nullptr) return frames;
  Segmenter segmenter;
  DropReason reason = segmenter.begin(frame, caps, {pool, pool});
  while (segmenter.pending()) {
    std::array<rte_mbuf*, size_t{2} * kProbeSegments> out;
    const uint16_t count = segmenter.next(out.data(), out.size(), reason);
    frames.insert(frames.end(), out.begin(), out.begin() + count);
  }
  if (reason == DropReason::none) return frames;
  for (rte_mbuf* segment : frames) rte_pktmbuf_free(segment);
  return {};
}

// The same for one that can't do anything.
std::vector<Bytes> in_software(rte_mbuf* frame, rte_mempool* pool) {
  std::vector<Bytes> frames;
  for (rte_mbuf* segment : segmented(frame, TxCapabilities{}, pool)) {
    frames.push_back(bytes_of(segment));
    rte_pktmbuf_free(segment);
  }
  return frames;
}

// What the port makes of a frame; false: it has no loop.
bool through_port(Port& port, rte_mbuf* frame, std::vector<Port::Received>& received) {
  if (frame == nullptr || port.loop(frame, received)) return frame != nullptr;
  rte_pktmbuf_free(frame);
  return false;
}

// A device may number its IPv4 packets as it likes (RFC 6864), but their checksum must be right. Both are 0 then.
bool take_out_id(Bytes& frame, size_t l3) {
  if (frame.size() < l3 + sizeof(Ipv4Header) || frame[l3] != Ipv4Header::kVersionIhl) return true;
  auto& ip = *reinterpret_cast<Ipv4Header*>(&frame[l3]);
  const bool right = ipv4_checksum_valid(ip);
  ip.id = be16{};
  ip.checksum = be16{};
  return right;
}

// How the port's segment differs from ours; empty: not at all.
std::string difference(Bytes got, Bytes wanted, const Intent& intent, size_t number) {
  const std::string where = " of segment " + std::to_string(number + 1);
  if (got.size() != wanted.size()) {
    return std::to_string(got.size()) + " bytes instead of " + std::to_string(wanted.size()) + where;
  }
  std::vector<size_t> headers{size_t{intent.tunnel_bytes} + 14};
  if (intent.tunnel_bytes != 0) headers.push_back(14);
  for (const size_t l3 : headers) {
    if (!take_out_id(got, l3)) return "wrong IPv4 header checksum" + where;
    take_out_id(wanted, l3);
  }
  const auto at = static_cast<size_t>(std::ranges::mismatch(got, wanted).in1 - got.begin());
  if (at == got.size()) return {};
  if (at / 2 * 2 == size_t{intent.csum_start} + intent.csum_offset) return "wrong TCP or UDP checksum" + where;
  const size_t outer_udp = size_t{intent.tunnel_bytes} - 16;  // behind it 8 bytes of VXLAN or GENEVE
  if (intent.tunnel_bytes != 0 && at / 2 * 2 == outer_udp + 6) return "wrong outer checksum" + where;
  return "wrong byte " + std::to_string(at) + where;
}

// Empty: the port does with the probe what the segment stage does. `partly`: that leaves the port what it takes of it.
std::string ask(Port& port, const OffloadProbe& probe, rte_mempool* pool,
                const std::optional<TxCapabilities>& partly = std::nullopt) {
  const std::vector<Bytes> wanted = in_software(make_probe(probe, pool), pool);
  rte_mbuf* const frame = make_probe(probe, pool);
  if (frame == nullptr || wanted.empty()) return {};  // no buffers: nothing is known
  const Intent intent = intent_of(frame);
  std::vector<Port::Received> received;
  const std::vector<rte_mbuf*> sent = partly ? segmented(frame, *partly, pool) : std::vector<rte_mbuf*>{frame};
  bool loops = !sent.empty();
  for (rte_mbuf* part : sent) loops &= through_port(port, part, received);
  if (!loops) return {};
  std::string wrong;
  if (received.size() != wanted.size()) {
    wrong = std::to_string(received.size()) + " frames instead of " + std::to_string(wanted.size());
  }
  for (size_t i = 0; i < received.size() && wrong.empty(); ++i) {
    wrong = difference(bytes_of(received[i].frame), wanted[i], intent, i);
  }
  for (const Port::Received& back : received) rte_pktmbuf_free(back.frame);
  return wrong;
}

constexpr std::array<const char*, kOuters> kOuterNames{"",           "geneve-ipv4", "geneve-ipv6", "vxlan-ipv4",
                                                       "vxlan-ipv6", "gre-ipv4",    "gre-ipv6",    ""};
struct Asked {
  uint8_t bits;
  GsoType cut;
  const char* name;
};
constexpr std::array<Asked, 5> kAsked{{{TxCapabilities::kChecksum, GsoType::none, "checksum"},
                                       {TxCapabilities::kTcp4, GsoType::tcp4, "tso (TCP over IPv4)"},
                                       {TxCapabilities::kTcp6, GsoType::tcp6, "tso (TCP over IPv6)"},
                                       {TxCapabilities::kUdp4, GsoType::udp4, "udp-segmentation (IPv4)"},
                                       {TxCapabilities::kUdp6, GsoType::udp6, "udp-segmentation (IPv6)"}}};

std::string name_of(Outer outer, const char* offload) {
  const std::string tunnel = kOuterNames[static_cast<size_t>(outer)];
  return tunnel.empty() ? offload : tunnel + " " + offload;
}

void test_transmit(Port& port, Outer outer, rte_mempool* pool, std::vector<OffloadVerdict>& verdicts) {
  const TxCapabilities caps = port.capabilities();
  std::optional<GsoType> good;
  for (const Asked& asked : kAsked) {
    if (!caps.has(outer, asked.bits)) continue;
    const std::string wrong = ask(port, {outer, asked.cut, false, 0}, pool);
    if (wrong.empty() && asked.cut != GsoType::none) good = asked.cut;
    verdicts.push_back({name_of(outer, asked.name), outer, asked.bits, false, false, wrong});
  }
  if (good && caps.has(outer, TxCapabilities::kKeepsOuterChecksum)) {
    TxCapabilities without_sum = caps;
    without_sum.can[static_cast<size_t>(outer)] &= static_cast<uint8_t>(~TxCapabilities::kOuterChecksum);
    const std::string wrong = ask(port, {outer, *good, true, 0}, pool, without_sum);
    verdicts.push_back(
        {name_of(outer, "outer-checksum kept"), outer, TxCapabilities::kKeepsOuterChecksum, false, false, wrong});
  }
  if (!good || !caps.has(outer, TxCapabilities::kOuterChecksum)) return;
  const std::string wrong = ask(port, {outer, *good, true, 0}, pool);
  verdicts.push_back({name_of(outer, "outer-checksum"), outer, TxCapabilities::kOuterChecksum, false, false, wrong});
}

// A complete VXLAN frame of an inner flow with a UDP checksum, right or not.
rte_mbuf* complete_frame(bool right, rte_mempool* pool, uint8_t flow = 0) {
  std::vector<Bytes> frames = in_software(make_probe({Outer::vxlan4, GsoType::none, true, flow}, pool), pool);
  if (frames.empty()) return nullptr;
  if (!right) frames.front().back() ^= 1;
  return frame_of(frames.front(), pool);
}

// What a frame comes back with.
struct Seen {
  uint64_t flags = 0;
  uint32_t mark = 0;
  uint16_t queue = 0;
};
std::optional<Seen> seen(Port& port, rte_mbuf* frame) {
  std::vector<Port::Received> received;
  if (!through_port(port, frame, received)) return std::nullopt;
  std::optional<Seen> result;
  if (received.size() == 1) {
    const auto& [back, queue] = received.front();
    result = Seen{back->ol_flags, back->hash.fdir.hi, queue};
  }
  for (const Port::Received& back : received) rte_pktmbuf_free(back.frame);
  return result;
}

void test_rx_checksum(Port& port, rte_mempool* pool, std::vector<OffloadVerdict>& verdicts) {
  const auto right = seen(port, complete_frame(true, pool));
  const auto wrong = seen(port, complete_frame(false, pool));
  if (!right || !wrong) return;
  const uint64_t on_right = right->flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  const uint64_t on_wrong = wrong->flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  if (on_right == 0 && on_wrong == 0) return;  // it has no opinion
  OffloadVerdict verdict{"rx-checksum", Outer::none, 0, true, false, {}};
  if (on_right == RTE_MBUF_F_RX_L4_CKSUM_BAD) verdict.wrong = "a right UDP checksum is called bad";
  if (on_wrong == RTE_MBUF_F_RX_L4_CKSUM_GOOD) verdict.wrong = "a wrong UDP checksum is called good";
  verdicts.push_back(verdict);
}

// How segments differ that the port has merged and we have cut again; empty: not at all.
std::string merged_and_cut(Port& port, GsoType cut, rte_mempool* pool) {
  const OffloadProbe probe{Outer::none, cut, false, 0};
  const std::vector<Bytes> sent = in_software(make_probe(probe, pool), pool);
  std::vector<rte_mbuf*> frames;
  for (const Bytes& bytes : sent) frames.push_back(frame_of(bytes, pool));
  if (std::ranges::find(frames, nullptr) != frames.end()) {
    for (rte_mbuf* frame : frames) rte_pktmbuf_free(frame);
    return {};
  }
  const auto count = static_cast<uint16_t>(frames.size());
  frames.resize(port.merge(frames.data(), count));
  std::vector<Bytes> back;
  for (rte_mbuf* frame : frames) {
    for (Bytes& bytes : in_software(frame, pool)) back.push_back(std::move(bytes));
  }
  if (frames.size() == count) return "nothing is merged";
  if (back.size() != sent.size()) {
    return std::to_string(back.size()) + " segments instead of " + std::to_string(sent.size());
  }
  std::string wrong;
  for (size_t i = 0; i < back.size() && wrong.empty(); ++i) wrong = difference(back[i], sent[i], Intent{}, i);
  return wrong;
}

void test_lro(Port& port, rte_mempool* pool, std::vector<OffloadVerdict>& verdicts) {
  if (!port.lro()) return;
  for (const GsoType cut : {GsoType::tcp4, GsoType::tcp6}) {
    const char* const name = cut == GsoType::tcp4 ? "lro (TCP over IPv4)" : "lro (TCP over IPv6)";
    verdicts.push_back({name, Outer::none, 0, false, false, merged_and_cut(port, cut, pool), true});
  }
}

// Whether frames with the same outer headers come in by several queues, as a rule tells the device to spread them.
bool spreads(Port& port, rte_mempool* pool) {
  constexpr uint8_t kFlows = 32;  // all by one of two queues: once in 2^31
  std::set<uint16_t> queues;
  for (uint8_t flow = 0; flow < kFlows; ++flow) {
    if (const auto back = seen(port, complete_frame(true, pool, flow))) queues.insert(back->queue);
  }
  return queues.size() != 1;
}

void test_flow(Port& port, rte_mempool* pool, std::vector<OffloadVerdict>& verdicts) {
  constexpr uint32_t kMark = 0xa5a5;
  FlowRules* const rules = port.flow_rules();
  if (rules == nullptr) return;
  FlowRule rule;
  rule.tunnel = probe_tunnel(Outer::vxlan4);
  rule.mark = kMark;
  rule.queues = port.rx_queues();
  std::string error;
  FlowRules::Handle handle = rules->install(rule, error);
  if (handle == nullptr) {
    rule.count = false;
    handle = rules->install(rule, error);
  }
  if (handle == nullptr) return;  // refusing is no lie
  const auto with = seen(port, complete_frame(true, pool));
  FlowCount count;
  const bool counted = rules->count(handle, count);
  const bool spread = rule.queues == 1 || spreads(port, pool);
  rules->remove(handle);
  const auto without = seen(port, complete_frame(true, pool));
  if (!with || !without) return;
  OffloadVerdict verdict{"flow", Outer::none, 0, false, true, {}};
  if ((with->flags & RTE_MBUF_F_RX_FDIR_ID) == 0) {
    verdict.wrong = "a rule does not mark";
  } else if (with->mark != kMark) {
    verdict.wrong = "a rule marks with another number";
  } else if (counted && count.packets != 1) {
    verdict.wrong = "a rule counts " + std::to_string(count.packets) + " frames instead of 1";
  } else if (!spread) {
    verdict.wrong = "a rule does not spread by inner headers";
  } else if ((without->flags & RTE_MBUF_F_RX_FDIR_ID) != 0) {
    verdict.wrong = "a removed rule still marks";
  }
  verdicts.push_back(verdict);
}

}  // namespace

std::vector<OffloadVerdict> test_offloads(Port& port, rte_mempool* pool) {
  std::vector<OffloadVerdict> verdicts;
  if (!untestable(port, pool).empty()) return verdicts;
  for (size_t outer = 0; outer < kOuters; ++outer) {
    if (static_cast<Outer>(outer) != Outer::other) test_transmit(port, static_cast<Outer>(outer), pool, verdicts);
  }
  test_rx_checksum(port, pool, verdicts);
  test_lro(port, pool, verdicts);
  test_flow(port, pool, verdicts);
  return verdicts;
}

std::string untestable(Port& port, rte_mempool* pool) {
  rte_mbuf* const frame = complete_frame(true, pool);
  if (frame == nullptr) return "no buffers are left";
  return seen(port, frame) ? "" : "the device does not give its frames back: nothing can be tested";
}

}  // namespace causeway
