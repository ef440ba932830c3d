#include "dataplane/egress/encap.h"

#include <algorithm>
#include <array>
#include <utility>

#include "dataplane/frame/move_start.h"
#include "dataplane/gso/segment.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/erspan.h"
#include "dataplane/wire/gre.h"

namespace causeway {
namespace {

// The outer checksum's field, null where there is none.
be16* outer_checksum(rte_mbuf* m, const Adjacency& to) noexcept {
  if (over_udp(to.kind)) {
    return to.udp_checksum ? &rte_pktmbuf_mtod_offset(m, UdpHeader*, to.udp_offset)->checksum : nullptr;
  }
  const auto* gre = rte_pktmbuf_mtod_offset(m, const GreHeader*, to.udp_offset);
  return gre->has_checksum() ? rte_pktmbuf_mtod_offset(m, be16*, to.udp_offset + GreHeader::checksum_offset())
                             : nullptr;
}

// Sum of the outer L4 header and all behind it. An unfinished inner checksum is taken for the finished one: from
// its L4 header to the frame's end all sums to the complement of the pseudo-header, which stands in its field.
uint32_t sum_behind_ip(const rte_mbuf* m, uint32_t l4_offset) noexcept {
  if (!has_intent(m)) return sum_chain(m, l4_offset, rte_pktmbuf_pkt_len(m) - l4_offset);
  const Intent intent = intent_of(m);
  uint16_t copy = 0;
  const auto* pseudo_sum = static_cast<const uint16_t*>(
      rte_pktmbuf_read(m, uint32_t{intent.csum_start} + intent.csum_offset, sizeof(copy), &copy));
  if (pseudo_sum == nullptr) return 0;
  std::memcpy(&copy, pseudo_sum, sizeof(copy));
  return sum_chain(m, l4_offset, intent.csum_start - l4_offset, static_cast<uint16_t>(~copy));
}

void move_intent(rte_mbuf* m, const Adjacency& to, bool checksum) noexcept {
  Intent intent = intent_of(m);
  intent.csum_start = static_cast<uint16_t>(intent.csum_start + to.outer_bytes);
  intent.tunnel_bytes = to.outer_bytes;
  // Whole it can go only as one IP packet.
  const bool fits = rte_pktmbuf_pkt_len(m) - to.ip_offset <= 0xffff;
  intent.set_outer(intent.outer() == Outer::none && fits ? outer_of(to.kind, to.ipv6) : Outer::other);
  intent.outer_checksum = checksum ? 1 : 0;
  set_intent(m, intent, m->ol_flags & kIntentFlags);
}

// RFC 2890 section 2.2.
void write_sequence(rte_mbuf* m, const Adjacency& to) noexcept {
  const auto* gre = rte_pktmbuf_mtod_offset(m, const GreHeader*, to.udp_offset);
  auto* const field = rte_pktmbuf_mtod_offset(m, be32*, to.udp_offset + gre->sequence_offset());
  *field = be32(to.sequence->fetch_add(1, std::memory_order_relaxed));
}

// What ERSPAN's header says of the frame behind it.
void write_erspan(rte_mbuf* m, const Adjacency& to) noexcept {
  const auto* const frame = header_at<TaggedEthernet>(m, to.outer_bytes);
  if (frame == nullptr || !is_vlan_ethertype(frame->ethernet.ethertype.get())) return;
  erspan_header(m, to).set_tag(frame->tag.control.get());
}

}  // namespace

void finish_outer(rte_mbuf* m, const Adjacency& to) noexcept {
  if (to.numbered) [[unlikely]] {
    write_sequence(m, to);
    if (to.kind == TunnelType::erspan) write_erspan(m, to);
  }
  be16* const field = outer_checksum(m, to);
  if (has_intent(m)) move_intent(m, to, field != nullptr);
  if (field == nullptr) return;
  const bool udp = over_udp(to.kind);
  if ((m->ol_flags & kNeedsSegment) != 0) {
    if (udp) *field = kOuterChecksumWanted;  // one per segment: whoever cuts fills it
    return;
  }
  if (udp && !has_intent(m)) {
    *field = udp_checksum_over(m, to.ip_offset);
    return;
  }
  const uint32_t sum = sum_behind_ip(m, to.udp_offset);
  if (!udp) {
    *field = checksum_of(sum);
    return;
  }
  const uint32_t udp_bytes = rte_pktmbuf_pkt_len(m) - to.udp_offset;
  const auto* ip = rte_pktmbuf_mtod_offset(m, const void*, to.ip_offset);
  *field = udp_checksum_of(pseudo_header_sum_at(ip, kIpProtocolUdp, udp_bytes) + sum);
}

namespace {

// Whether the outer headers or the choice among next hops depend on the inner flow; GRE over IPv4 has no place for it.
bool wants_entropy(const EncapPlan& plan, const Adjacency& to) noexcept {
  return plan.udp || plan.ipv6 || plan.nvgre || to.ways != nullptr;
}

// A pass of its own, as everything here that would otherwise fight for registers.
template <uint32_t kTagBytes, bool kEntropy>
[[gnu::noinline]] void read_flows_behind(rte_mbuf* const* frames, uint16_t count, InnerFlows& flows) noexcept {
  for (uint16_t i = 0; i < count; ++i) {
    const InnerFlow flow = inner_flow<kTagBytes>(frames[i]);
    if constexpr (kEntropy) flows.entropy[i] = flow.entropy;
    flows.tos[i] = flow.tos;
  }
}

template <bool kEntropy>
void read_flows(rte_mbuf* const* frames, uint16_t count, InnerFlows& flows) noexcept {
  const auto* first = rte_pktmbuf_mtod(frames[0], const EthernetHeader*);
  first->ethertype.get() == kEtherTypeVlan ? read_flows_behind<kVlanTagBytes, kEntropy>(frames, count, flows)
                                           : read_flows_behind<0, kEntropy>(frames, count, flows);
}

template <bool kEntropy = true>
[[gnu::always_inline]] inline void write_headers(rte_mbuf* const* frames, uint16_t count, const EncapPlan& plan,
                                                 const InnerFlows& flows) noexcept {
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* const m = frames[i];
    move_start(m, -int64_t{plan.outer_bytes});
    const InnerFlow flow{kEntropy ? flows.entropy[i] : 0, flows.tos[i]};
    write_outer(rte_pktmbuf_mtod(m, uint8_t*), plan, kTemplateRoom, m->pkt_len, flow);
  }
}

[[gnu::noinline]] void write_any(rte_mbuf* const* frames, uint16_t count, EncapPlan plan,
                                 const InnerFlows& flows) noexcept {
  write_headers(frames, count, plan, flows);
}

// The usual tunnels: what is known of them is no question any more in the loop.
[[gnu::noinline]] void write_usual(rte_mbuf* const* frames, uint16_t count, EncapPlan plan,
                                   const InnerFlows& flows) noexcept {
  plan.be_usual();
  write_headers(frames, count, plan, flows);
}

[[gnu::noinline]] void write_udp_ipv4(rte_mbuf* const* frames, uint16_t count, EncapPlan plan,
                                      const InnerFlows& flows) noexcept {
  if (plan.outer_bytes <= kUsualOuterBytes || plan.outer_bytes > 64) __builtin_unreachable();
  plan.ipv6 = false;
  plan.udp = true;
  write_headers(frames, count, plan, flows);
}

// Those that want no entropy.
[[gnu::noinline]] void write_gre_ipv4(rte_mbuf* const* frames, uint16_t count, EncapPlan plan,
                                      const InnerFlows& flows) noexcept {
  if (plan.outer_bytes > 64) __builtin_unreachable();
  plan.ipv6 = false;
  plan.udp = false;
  plan.nvgre = false;
  write_headers<false>(frames, count, plan, flows);
}

[[gnu::noinline]] void write_udp_ipv6(rte_mbuf* const* frames, uint16_t count, EncapPlan plan,
                                      const InnerFlows& flows) noexcept {
  if (plan.outer_bytes <= 64 || plan.outer_bytes > kTemplateRoom) __builtin_unreachable();
  plan.ipv6 = true;
  plan.udp = true;
  write_headers(frames, count, plan, flows);
}

// UDP checksums (RFC 768) of complete datagrams in one segment: what is the same for all of a tunnel's frames has been
// summed up in the adjacency.
[[gnu::noinline]] void fill_udp_checksums(rte_mbuf* const* frames, uint16_t count, const Adjacency& to) noexcept {
  const uint32_t constant = to.l4_sum;
  const uint32_t udp_offset = to.udp_offset;
  const uint32_t inner_offset = to.outer_bytes;
  for (uint16_t i = 0; i < count; ++i) {
    auto* const outer = rte_pktmbuf_mtod(frames[i], uint8_t*);
    auto* const udp = reinterpret_cast<UdpHeader*>(outer + udp_offset);
    // The length counts in the pseudo-header, too.
    const uint32_t header = constant + udp->source_port.raw() + 2 * uint32_t{udp->length_bytes.raw()};
    const uint32_t inner_bytes = frames[i]->data_len - inner_offset;
    udp->checksum = udp_checksum_of(sum_frame(outer + inner_offset, inner_bytes, header));
  }
}

// RFC 2890 section 2.2: numbers in a row, taken at once; then the checksum over all behind the IP header, if there is
// to be one (RFC 2784 section 2.5).
[[gnu::noinline]] void finish_gre(rte_mbuf* const* frames, uint16_t count, const Adjacency& to) noexcept {
  const auto* const gre = rte_pktmbuf_mtod_offset(frames[0], const GreHeader*, to.udp_offset);
  if (to.numbered) {
    const uint32_t at = uint32_t{to.udp_offset} + gre->sequence_offset();
    uint32_t number = to.sequence->fetch_add(count, std::memory_order_relaxed);
    for (uint16_t i = 0; i < count; ++i) *rte_pktmbuf_mtod_offset(frames[i], be32*, at) = be32(number++);
  }
  if (!gre->has_checksum()) return;
  // The number is the header's last word.
  const uint32_t from = to.outer_bytes - (to.numbered ? uint32_t{sizeof(be32)} : 0);
  const uint32_t field_offset = uint32_t{to.udp_offset} + GreHeader::checksum_offset();
  const uint32_t constant = to.l4_sum;
  for (uint16_t i = 0; i < count; ++i) {
    auto* const outer = rte_pktmbuf_mtod(frames[i], uint8_t*);
    auto* const field = reinterpret_cast<be16*>(outer + field_offset);
    *field = checksum_of(sum_frame(outer + from, frames[i]->data_len - from, constant));
  }
}

}  // namespace

void encap_plain(rte_mbuf* const* frames, uint16_t count, const Adjacency& to, InnerFlows& flows) noexcept {
  const EncapPlan plan(to);
  if (!wants_entropy(plan, to)) {
    read_flows<false>(frames, count, flows);
    write_gre_ipv4(frames, count, plan, flows);
    return finish_gre(frames, count, to);
  }
  read_flows<true>(frames, count, flows);
  if (!plan.ipv6 && plan.udp && plan.outer_bytes == kUsualOuterBytes) [[likely]] {
    write_usual(frames, count, plan, flows);
  } else if (!plan.ipv6 && plan.udp && plan.outer_bytes <= 64) {
    write_udp_ipv4(frames, count, plan, flows);
  } else if (plan.ipv6 && plan.udp && plan.outer_bytes > 64 && plan.outer_bytes <= kTemplateRoom) {
    write_udp_ipv6(frames, count, plan, flows);
  } else {
    write_any(frames, count, plan, flows);
  }
  if (!plan.udp) {
    finish_gre(frames, count, to);
  } else if (to.udp_checksum) {
    fill_udp_checksums(frames, count, to);
  }
}

}  // namespace causeway
