// Puts the outer headers in front: copies the adjacency's template and patches what differs per packet
// (lengths, checksum, source port, DSCP and ECN).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>

#include "dataplane/context.h"
#include "dataplane/intent.h"
#include "dataplane/parse.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/udp.h"

namespace causeway {

// Source ports 32768 to 60999, the range Linux hands out by itself (ip_local_port_range).
inline constexpr uint32_t kFirstSourcePort = 32768;
inline constexpr uint32_t kSourcePorts = 61000 - kFirstSourcePort;

// A new first segment in front of a frame whose own headroom can't be written, with the first bytes of the
// frame in it: the stages behind want the inner headers there too. Null when no buffer was left.
rte_mbuf* prepend_segment(WorkerContext& w, rte_mbuf* frame, uint16_t bytes) noexcept;

// What only some frames need once their outer headers stand: intent, UDP checksum, GRE.
void finish_outer(rte_mbuf* m, const Adjacency& to) noexcept;

// Where the outer headers may be written, `bytes` of them; null when no buffer was left.
inline rte_mbuf* make_room(WorkerContext& w, rte_mbuf* frame, uint16_t bytes) noexcept {
  const bool own = RTE_MBUF_DIRECT(frame) && rte_mbuf_refcnt_read(frame) == 1;
  if (!own || rte_pktmbuf_headroom(frame) < bytes) [[unlikely]] {
    return prepend_segment(w, frame, bytes);
  }
  frame->data_off = static_cast<uint16_t>(frame->data_off - bytes);
  frame->data_len = static_cast<uint16_t>(frame->data_len + bytes);
  frame->pkt_len += bytes;
  return frame;
}

inline void copy_template(uint8_t* outer, const Adjacency& to, uint16_t headroom) noexcept {
  const uint8_t* const end = to.outer.data.data() + OuterTemplate::kCapacity;
  uint8_t* const inner = outer + to.outer_bytes;
  // A fixed size is a few vector moves; what it writes in front of the outer headers is headroom.
  if (to.outer_bytes <= 64 && headroom + to.outer_bytes >= 64) [[likely]] {
    std::memcpy(inner - 64, end - 64, 64);
  } else {
    std::memcpy(outer, end - to.outer_bytes, to.outer_bytes);
  }
}

// Lengths, DSCP, ECN (RFC 6040 normal mode: the inner field is copied) and the IPv4 checksum. The id
// stays 0: with DF set nothing reads it (RFC 6864 section 4.1).
inline void patch_ip(uint8_t* outer, const Adjacency& to, uint32_t frame_bytes, const InnerFlow& flow) noexcept {
  const auto tos = static_cast<uint8_t>(to.tos | (flow.tos & (to.inherit_tos ? 0xff : kEcnMask)));
  uint8_t* const l3 = outer + to.ip_offset;
  if (!to.ipv6) [[likely]] {
    auto* ip = reinterpret_cast<Ipv4Header*>(l3);
    const be16 total(static_cast<uint16_t>(frame_bytes - to.ip_offset));
    // The template's sum has its tos in it already: only what is copied from the inner one comes on top.
    uint32_t sum = to.ip_sum + uint32_t{total.raw()} + be16(static_cast<uint16_t>(tos - to.tos)).raw();
    sum = (sum & 0xffff) + (sum >> 16);
    sum += sum >> 16;
    ip->tos = tos;
    ip->total_bytes = total;
    ip->checksum = be16::from_raw(static_cast<uint16_t>(~sum));
    return;
  }
  auto* ip = reinterpret_cast<Ipv6Header*>(l3);
  ip->payload_bytes.set(static_cast<uint16_t>(frame_bytes - to.ip_offset - sizeof(Ipv6Header)));
  // RFC 6437 section 3: the flow label carries the entropy for routers that don't look behind the header.
  ip->version_class_flow = Ipv6Header::version_class_flow_of(tos, flow.entropy);
}

// Returns the frame to send: `frame`, or a new first segment in front of it. Null when no buffer was left; `frame`
// is then still the caller's.
inline rte_mbuf* encap(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  const InnerFlow flow = inner_flow(frame);
  rte_mbuf* const m = make_room(w, frame, to.outer_bytes);
  if (m == nullptr) [[unlikely]] {
    return nullptr;
  }
  auto* const outer = rte_pktmbuf_mtod(m, uint8_t*);
  const uint32_t frame_bytes = rte_pktmbuf_pkt_len(m);
  copy_template(outer, to, rte_pktmbuf_headroom(m));
  patch_ip(outer, to, frame_bytes, flow);
  if (to.kind != AdjacencyKind::gretap) [[likely]] {
    auto* udp = reinterpret_cast<UdpHeader*>(outer + to.udp_offset);
    udp->source_port.set(static_cast<uint16_t>(kFirstSourcePort + (uint64_t{flow.entropy} * kSourcePorts >> 32)));
    udp->length_bytes.set(static_cast<uint16_t>(frame_bytes - to.udp_offset));
  }
  if (to.udp_checksum || has_intent(m) || to.kind == AdjacencyKind::gretap) [[unlikely]] {
    finish_outer(m, to);
  }
  return m;
}

}  // namespace causeway
