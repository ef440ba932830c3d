#include "pmd/nic_model/nic_transmit.h"

#include <algorithm>
#include <cstring>

namespace causeway {
namespace {

constexpr uint64_t kL4Mask = RTE_MBUF_F_TX_L4_MASK;
constexpr uint64_t kSegmentFlags = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_UDP_SEG;

bool is_tunnel(uint64_t flags) { return (flags & RTE_MBUF_F_TX_TUNNEL_MASK) != 0; }
bool is_udp(uint64_t flags) {
  return (flags & RTE_MBUF_F_TX_UDP_SEG) != 0 || (flags & kL4Mask) == RTE_MBUF_F_TX_UDP_CKSUM;
}

// RFC 1071: carries go round.
uint32_t folded(uint32_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

}  // namespace

void NicTransmit::put16(uint32_t offset, uint32_t value) {
  segment_.at(offset) = static_cast<uint8_t>(value >> 8);
  segment_.at(offset + 1) = static_cast<uint8_t>(value);
}

uint32_t NicTransmit::get16(uint32_t offset) const {
  return static_cast<uint32_t>(segment_.at(offset)) << 8 | segment_.at(offset + 1);
}

uint32_t NicTransmit::sum(uint32_t from, uint32_t to) const {
  uint32_t total = 0;
  for (uint32_t i = from; i < to; ++i) {
    total += static_cast<uint32_t>(segment_[i]) << ((i - from) % 2 == 0 ? 8 : 0);
    total = folded(total);
  }
  return total;
}

NicTransmit::Offsets NicTransmit::offsets(const rte_mbuf* frame) const {
  Offsets at;
  if (is_tunnel(frame->ol_flags)) {
    at.outer_l3 = frame->outer_l2_len;
    at.outer_l4 = at.outer_l3 + frame->outer_l3_len;
  }
  at.l3 = at.outer_l4 + frame->l2_len;
  at.l4 = at.l3 + frame->l3_len;
  at.payload = at.l4 + frame->l4_len;
  return at;
}

bool NicTransmit::transmit(rte_mbuf* frame, std::vector<rte_mbuf*>& wire) {
  const uint64_t flags = frame->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK;
  if (flags == 0) {
    wire.push_back(frame);
    return true;
  }
  whole_.resize(frame->pkt_len);
  uint8_t* to = whole_.data();
  for (const rte_mbuf* m = frame; m != nullptr; m = m->next) {
    std::memcpy(to, rte_pktmbuf_mtod(m, const void*), m->data_len);
    to += m->data_len;
  }
  const Offsets at = offsets(frame);
  const size_t before = wire.size();
  // 18: the checksum's field, whichever L4 header it is.
  bool good = at.l4 + (is_udp(flags) ? 8 : 18) <= frame->pkt_len && at.payload <= frame->pkt_len;
  if (good && (flags & kSegmentFlags) != 0 && does_cut(flags)) {
    good = frame->tso_segsz != 0 && cut(frame, at, wire);
  } else if (good) {
    segment_ = whole_;
    const bool whole = (flags & kSegmentFlags) == 0;
    if (whole && (flags & kL4Mask) != 0) finish_l4(flags, at.l4, false);
    good = emit(frame, wire);
  }
  if (!good) {
    for (size_t i = before; i < wire.size(); ++i) rte_pktmbuf_free(wire[i]);
    wire.resize(before);
  }
  rte_pktmbuf_free(frame);
  return good;
}

bool NicTransmit::does_cut(uint64_t flags) const {
  const auto lies = [&](NicFeature feature) { return misreport_.has(feature); };
  const bool outer4 = (flags & RTE_MBUF_F_TX_OUTER_IPV4) != 0;
  if (lies((flags & RTE_MBUF_F_TX_IPV4) != 0 ? NicFeature::tso_ipv4 : NicFeature::tso_ipv6)) return false;
  if (is_udp(flags) && lies(NicFeature::udp_segmentation)) return false;
  switch (flags & RTE_MBUF_F_TX_TUNNEL_MASK) {
    case RTE_MBUF_F_TX_TUNNEL_GENEVE:
      return !lies(outer4 ? NicFeature::geneve_tso_ipv4 : NicFeature::geneve_tso_ipv6);
    case RTE_MBUF_F_TX_TUNNEL_VXLAN:
      return !lies(outer4 ? NicFeature::vxlan_tso_ipv4 : NicFeature::vxlan_tso_ipv6);
    case RTE_MBUF_F_TX_TUNNEL_GRE:
      return !lies(outer4 ? NicFeature::gre_tso_ipv4 : NicFeature::gre_tso_ipv6);
    default:
      return true;
  }
}

bool NicTransmit::cut(const rte_mbuf* frame, const Offsets& at, std::vector<rte_mbuf*>& wire) {
  const auto end = static_cast<uint32_t>(whole_.size());
  uint32_t index = 0;
  for (uint32_t from = at.payload; from < end || index == 0; ++index) {
    const uint32_t to = std::min<uint32_t>(end, from + frame->tso_segsz);
    segment_.assign(whole_.begin(), whole_.begin() + at.payload);
    segment_.insert(segment_.end(), whole_.begin() + from, whole_.begin() + to);
    finish_inner(frame->ol_flags, at, index, from - at.payload, to == end);
    if (is_tunnel(frame->ol_flags)) finish_outer(frame->ol_flags, at, index);
    if (!emit(frame, wire)) return false;
    from = to;
  }
  return true;
}

void NicTransmit::finish_inner(uint64_t flags, const Offsets& at, uint32_t index, uint32_t sent, bool last) {
  const auto end = static_cast<uint32_t>(segment_.size());
  if ((flags & RTE_MBUF_F_TX_IPV4) != 0) {
    put16(at.l3 + 2, end - at.l3);
    put16(at.l3 + 4, get16(at.l3 + 4) + index);
    if ((flags & RTE_MBUF_F_TX_IP_CKSUM) != 0) put16(at.l3 + 10, ~sum(at.l3, at.l4));
  } else {
    put16(at.l3 + 4, end - at.l3 - 40);
  }
  if (is_udp(flags)) {
    put16(at.l4 + 4, end - at.l4);
  } else {
    const uint32_t sequence = (get16(at.l4 + 4) << 16 | get16(at.l4 + 6)) + sent;
    put16(at.l4 + 4, sequence >> 16);
    put16(at.l4 + 6, sequence);
    uint8_t& tcp_flags = segment_[at.l4 + 13];
    if (!last) tcp_flags &= 0xf6;       // neither FIN nor PSH
    if (index != 0) tcp_flags &= 0x7f;  // CWR once, RFC 3168 section 6.1.2
  }
  finish_l4(flags, at.l4, true);
}

// The field holds the pseudo-header's sum, for segments without the length, which differs.
void NicTransmit::finish_l4(uint64_t flags, uint32_t l4, bool add_length) {
  if (misreport_.has(NicFeature::checksum)) return;
  const auto end = static_cast<uint32_t>(segment_.size());
  const uint32_t checksum = ~folded(sum(l4, end) + (add_length ? end - l4 : 0)) & 0xffff;
  const bool udp = is_udp(flags);
  put16(l4 + (udp ? 6 : 16), udp && checksum == 0 ? 0xffff : checksum);  // RFC 768: 0 means none
}

void NicTransmit::finish_outer(uint64_t flags, const Offsets& at, uint32_t index) {
  const auto end = static_cast<uint32_t>(segment_.size());
  if ((flags & RTE_MBUF_F_TX_OUTER_IPV4) != 0) {
    put16(at.outer_l3 + 2, end - at.outer_l3);
    put16(at.outer_l3 + 4, get16(at.outer_l3 + 4) + index);
    if ((flags & RTE_MBUF_F_TX_OUTER_IP_CKSUM) != 0) put16(at.outer_l3 + 10, ~sum(at.outer_l3, at.outer_l4));
  } else {
    put16(at.outer_l3 + 4, end - at.outer_l3 - 40);
  }
  const uint64_t tunnel = flags & RTE_MBUF_F_TX_TUNNEL_MASK;
  if (tunnel == RTE_MBUF_F_TX_TUNNEL_GRE || tunnel == RTE_MBUF_F_TX_TUNNEL_IP) return;
  put16(at.outer_l4 + 4, end - at.outer_l4);
  const bool wanted = (flags & RTE_MBUF_F_TX_OUTER_UDP_CKSUM) != 0;
  if (!wanted && misreport_.has(NicFeature::outer_checksum_kept)) put16(at.outer_l4 + 6, 0);
  if (!wanted || misreport_.has(NicFeature::outer_checksum)) return;
  const uint32_t checksum = ~folded(sum(at.outer_l4, end) + end - at.outer_l4) & 0xffff;
  put16(at.outer_l4 + 6, checksum == 0 ? 0xffff : checksum);
}

bool NicTransmit::emit(const rte_mbuf* from, std::vector<rte_mbuf*>& wire) const {
  rte_mbuf* head = nullptr;
  rte_mbuf* tail = nullptr;
  size_t done = 0;
  do {
    rte_mbuf* const m = rte_pktmbuf_alloc(pool_);
    if (m == nullptr) {
      if (head != nullptr) rte_pktmbuf_free(head);
      return false;
    }
    const auto bytes = static_cast<uint16_t>(std::min<size_t>(rte_pktmbuf_tailroom(m), segment_.size() - done));
    std::memcpy(rte_pktmbuf_mtod(m, void*), segment_.data() + done, bytes);
    m->data_len = bytes;
    done += bytes;
    if (head == nullptr) {
      head = m;
      head->port = from->port;
    } else {
      tail->next = m;
      ++head->nb_segs;
    }
    tail = m;
  } while (done < segment_.size());
  head->pkt_len = static_cast<uint32_t>(segment_.size());
  wire.push_back(head);
  return true;
}

}  // namespace causeway
