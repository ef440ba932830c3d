// Puts the outer headers in front: copies the adjacency's template and patches what differs per packet
// (lengths, checksum, source port, DSCP and ECN).
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>

#include "dataplane/context.h"
#include "dataplane/intent.h"
#include "dataplane/parse.h"
#include "dataplane/vlan_tag.h"
#include "dataplane/wire/gre.h"
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
  // The way out may be a VLAN, whose port puts its tag in front.
  if (!own || rte_pktmbuf_headroom(frame) < bytes + kVlanTagBytes) [[unlikely]] {
    return prepend_segment(w, frame, bytes);
  }
  frame->data_off = static_cast<uint16_t>(frame->data_off - bytes);
  frame->data_len = static_cast<uint16_t>(frame->data_len + bytes);
  frame->pkt_len += bytes;
  return frame;
}

// What encap reads of an adjacency, by value: the stores into frames could change anything that is reached by a
// reference, for all the compiler knows.
struct EncapPlan {
  explicit EncapPlan(const Adjacency& to) noexcept
      : template_end(to.outer.data.data() + OuterTemplate::kCapacity),
        ip_sum(to.ip_sum),
        outer_bytes(to.outer_bytes),
        ip_offset(to.ip_offset),
        udp_offset(to.udp_offset),
        tos(to.tos),
        tos_mask(to.inherit_tos ? 0xff : kEcnMask),
        ipv6(to.ipv6),
        udp(!is_gre(to.kind)),
        nvgre(to.kind == AdjacencyKind::nvgre) {}

  const uint8_t* template_end;
  uint16_t ip_sum;
  uint8_t outer_bytes;
  uint8_t ip_offset;
  uint8_t udp_offset;
  uint8_t tos;
  uint8_t tos_mask;  // what is copied from the inner tos
  bool ipv6;
  bool udp;
  bool nvgre;
};

// What must be free in front of a frame for templates to be copied in a few vector moves of a fixed size, which write
// in front of the outer headers, too.
inline constexpr uint16_t kTemplateRoom = 96;
// And with room for a VLAN tag.
inline constexpr uint16_t kPlainHeadroom = kTemplateRoom + kVlanTagBytes;

inline void copy_template(uint8_t* inner, const EncapPlan& plan, uint16_t room) noexcept {
  if (plan.outer_bytes <= 64 && room >= 64) [[likely]] {
    std::memcpy(inner - 64, plan.template_end - 64, 64);
  } else if (plan.outer_bytes <= kTemplateRoom && room >= kTemplateRoom) {
    std::memcpy(inner - kTemplateRoom, plan.template_end - kTemplateRoom, kTemplateRoom);
  } else {
    std::memcpy(inner - plan.outer_bytes, plan.template_end - plan.outer_bytes, plan.outer_bytes);
  }
}

// Lengths, DSCP, ECN (RFC 6040 normal mode: the inner field is copied) and the IPv4 checksum. The id
// stays 0: with DF set nothing reads it (RFC 6864 section 4.1).
inline void patch_ip(uint8_t* outer, const EncapPlan& plan, uint32_t frame_bytes, const InnerFlow& flow) noexcept {
  const auto copied = static_cast<uint8_t>(flow.tos & plan.tos_mask & ~plan.tos);
  const auto tos = static_cast<uint8_t>(plan.tos + copied);
  uint8_t* const l3 = outer + plan.ip_offset;
  if (!plan.ipv6) [[likely]] {
    auto* ip = reinterpret_cast<Ipv4Header*>(l3);
    const be16 total(static_cast<uint16_t>(frame_bytes - plan.ip_offset));
    // The template's sum has its tos in it already: only what is copied from the inner one comes on top.
    uint32_t sum = plan.ip_sum + uint32_t{total.raw()} + be16(copied).raw();
    sum = (sum & 0xffff) + (sum >> 16);
    sum += sum >> 16;
    const uint32_t first = Ipv4Header::kVersionIhl | uint32_t{tos} << 8 | uint32_t{total.raw()} << 16;
    std::memcpy(l3, &first, sizeof(first));
    ip->checksum = be16::from_raw(static_cast<uint16_t>(~sum));
    return;
  }
  auto* ip = reinterpret_cast<Ipv6Header*>(l3);
  ip->payload_bytes.set(static_cast<uint16_t>(frame_bytes - plan.ip_offset - sizeof(Ipv6Header)));
  // RFC 6437 section 3: the flow label carries the entropy for routers that don't look behind the header.
  ip->version_class_flow = Ipv6Header::version_class_flow_of(tos, flow.entropy);
}

// The outer headers of a frame that `outer` starts, `frame_bytes` long, but for what finish_outer does. `room` bytes in
// front of the inner frame may be written.
inline void write_outer(uint8_t* outer, const EncapPlan& plan, uint16_t room, uint32_t frame_bytes,
                        const InnerFlow& flow) noexcept {
  copy_template(outer + plan.outer_bytes, plan, room);
  patch_ip(outer, plan, frame_bytes, flow);
  if (plan.udp) [[likely]] {
    auto* udp = reinterpret_cast<UdpHeader*>(outer + plan.udp_offset);
    udp->source_port.set(static_cast<uint16_t>(kFirstSourcePort + (uint64_t{flow.entropy} * kSourcePorts >> 32)));
    udp->length_bytes.set(static_cast<uint16_t>(frame_bytes - plan.udp_offset));
  } else if (plan.nvgre) {
    outer[plan.udp_offset + kNvgreFlowIdOffset] = static_cast<uint8_t>(flow.entropy >> 24);
  }
}

// Returns the frame to send: `frame`, or a new first segment in front of it. Null when no buffer was left; `frame`
// is then still the caller's.
inline rte_mbuf* encap(WorkerContext& w, rte_mbuf* frame, const Adjacency& to) noexcept {
  const InnerFlow flow = inner_flow(frame);
  rte_mbuf* const m = make_room(w, frame, to.outer_bytes);
  if (m == nullptr) [[unlikely]] {
    return nullptr;
  }
  const auto room = static_cast<uint16_t>(rte_pktmbuf_headroom(m) + to.outer_bytes);
  write_outer(rte_pktmbuf_mtod(m, uint8_t*), EncapPlan(to), room, rte_pktmbuf_pkt_len(m), flow);
  if (to.udp_checksum || has_intent(m) || is_gre(to.kind)) finish_outer(m, to);
  return m;
}

// Frames that are plain (PlainRun in forward.cpp), up to kBatch of them; each stays the mbuf it is.
void encap_plain(rte_mbuf* const* frames, uint16_t count, const Adjacency& to) noexcept;

}  // namespace causeway
