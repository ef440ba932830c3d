// Puts the outer headers in front: copies the adjacency's template and patches what differs per packet
// (lengths, checksum, source port, DSCP and ECN).
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <cstring>

#include "dataplane/batch.h"
#include "dataplane/context.h"
#include "dataplane/flow/inner_flow.h"
#include "dataplane/frame/chain.h"
#include "dataplane/frame/intent.h"
#include "dataplane/frame/move_start.h"
#include "dataplane/frame/vlan_tag.h"
#include "dataplane/wire/erspan.h"
#include "dataplane/wire/gre.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "dataplane/wire/udp.h"

namespace causeway {

// Source ports 32768 to 60999, the range Linux hands out by itself (ip_local_port_range).
inline constexpr uint32_t kFirstSourcePort = 32768;
inline constexpr uint32_t kSourcePorts = 61000 - kFirstSourcePort;

// What only some frames need once their outer headers stand: intent, UDP checksum, GRE.
void finish_outer(rte_mbuf* m, const Adjacency& to) noexcept;

// Of a frame with outer headers of ERSPAN type II.
inline ErspanHeader& erspan_header(rte_mbuf* m, const Adjacency& to) noexcept {
  return *rte_pktmbuf_mtod_offset(m, ErspanHeader*, to.outer_bytes - sizeof(ErspanHeader));
}

// Where the outer headers may be written, `bytes` of them; null when no buffer was left.
inline rte_mbuf* make_room(WorkerContext& w, rte_mbuf* frame, uint16_t bytes) noexcept {
  const bool own = RTE_MBUF_DIRECT(frame) && rte_mbuf_refcnt_read(frame) == 1;
  // The way out may be a VLAN, whose port puts its tag in front.
  if (!own || rte_pktmbuf_headroom(frame) < bytes + kVlanTagBytes) [[unlikely]] {
    return prepend_segment(w.pool, frame, bytes);
  }
  move_start(frame, -int64_t{bytes});
  return frame;
}

// What encap reads of an adjacency, by value: the stores into frames could change anything that is reached by a
// reference, for all the compiler knows.
struct EncapPlan {
  explicit EncapPlan(const Adjacency& to) noexcept
      : template_end(to.outer.data.data() + OuterTemplate::kCapacity),
        ip_start(word_of_template(to, kEthernetBytes)),
        udp_header(over_udp(to.kind) ? word_of_template(to, to.udp_offset) + (uint64_t{kFirstSourcePort} << 48) : 0),
        ip_sum(swap_bytes(to.ip_sum)),
        outer_bytes(to.outer_bytes),
        tos(to.tos),
        copied_tos((to.inherit_tos ? 0xff : kEcnMask) & ~to.tos),
        ipv6(to.ipv6),
        udp(over_udp(to.kind)),
        nvgre(to.kind == TunnelType::nvgre) {}

  const uint8_t* template_end;
  uint64_t ip_start;    // IPv4: the header's first 8 bytes, length 0; in host order, for fields to be added
  uint64_t udp_header;  // all of it, from the first source port, length 0; the same
  uint16_t ip_sum;      // in host order: RFC 1071 section 2 (B)
  uint8_t outer_bytes;
  uint8_t tos;
  uint8_t copied_tos;  // what is copied from the inner tos
  bool ipv6;
  bool udp;
  bool nvgre;

  // For who knows that it has kUsualOuterBytes over IPv4: no question any more.
  void be_usual() noexcept {
    outer_bytes = kUsualOuterBytes;
    ipv6 = false;
    udp = true;
  }

  // No VLAN tag in a template: it's the port's to put one in front.
  uint32_t l4_offset() const noexcept {
    return kEthernetBytes + static_cast<uint32_t>(ipv6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header));
  }

 private:
  static uint64_t word_of_template(const Adjacency& to, uint8_t offset) noexcept {
    return be64::from_raw(word_at<uint64_t>(to.outer.data.data() + OuterTemplate::kCapacity - to.outer_bytes + offset))
        .get();
  }
};

// What must be free in front of a frame for templates to be copied in a few vector moves of a fixed size, which write
// in front of the outer headers, too.
inline constexpr uint16_t kTemplateRoom = 96;
// And with room for a VLAN tag.
inline constexpr uint16_t kPlainHeadroom = kTemplateRoom + kVlanTagBytes;

inline void copy_template(uint8_t* inner, const EncapPlan& plan, uint16_t room) noexcept {
  if (plan.outer_bytes == kUsualOuterBytes) [[likely]] {
    // All but the total length, which is written anyway.
    static_assert(kUsualOuterBytes == 50);
    std::memcpy(inner - 50, plan.template_end - 50, 16);
    std::memcpy(inner - 32, plan.template_end - 32, 16);
    std::memcpy(inner - 16, plan.template_end - 16, 16);
  } else if (plan.outer_bytes <= 64 && room >= 64) [[likely]] {
    std::memcpy(inner - 64, plan.template_end - 64, 64);
  } else if (plan.outer_bytes <= kTemplateRoom && room >= kTemplateRoom) {
    std::memcpy(inner - kTemplateRoom, plan.template_end - kTemplateRoom, kTemplateRoom);
  } else {
    std::memcpy(inner - plan.outer_bytes, plan.template_end - plan.outer_bytes, plan.outer_bytes);
  }
}

inline void write_word(uint8_t* at, be64 word) noexcept { std::memcpy(at, &word, sizeof(word)); }

// Lengths, DSCP, ECN (RFC 6040 normal mode: the inner field is copied) and the IPv4 checksum. The id
// stays 0: with DF set nothing reads it (RFC 6864 section 4.1).
inline void patch_ip(uint8_t* outer, const EncapPlan& plan, uint32_t frame_bytes, const InnerFlow& flow) noexcept {
  const uint32_t copied = flow.tos & plan.copied_tos;
  uint8_t* const l3 = outer + kEthernetBytes;
  if (!plan.ipv6) [[likely]] {
    const auto total = static_cast<uint16_t>(frame_bytes - kEthernetBytes);  // a super-packet's may not fit
    write_word(l3, be64(plan.ip_start + (uint64_t{copied} << 48) + (uint64_t{total} << 32)));
    // The template's sum has its tos in it already: only what is copied from the inner one comes on top.
    const uint32_t sum = plan.ip_sum + total + copied;
    reinterpret_cast<Ipv4Header*>(l3)->checksum = be16(static_cast<uint16_t>(~fold_short(sum)));
    return;
  }
  auto* ip = reinterpret_cast<Ipv6Header*>(l3);
  ip->payload_bytes.set(static_cast<uint16_t>(frame_bytes - kEthernetBytes - sizeof(Ipv6Header)));
  // RFC 6437 section 3: the flow label carries the entropy for routers that don't look behind the header.
  ip->version_class_flow = Ipv6Header::version_class_flow_of(static_cast<uint8_t>(plan.tos + copied), flow.entropy);
}

// The outer headers of a frame that `outer` starts, `frame_bytes` long, but for what finish_outer does. `room` bytes in
// front of the inner frame may be written.
inline void write_outer(uint8_t* outer, const EncapPlan& plan, uint16_t room, uint32_t frame_bytes,
                        const InnerFlow& flow) noexcept {
  copy_template(outer + plan.outer_bytes, plan, room);
  patch_ip(outer, plan, frame_bytes, flow);
  if (plan.udp) [[likely]] {
    const uint64_t port = uint64_t{flow.entropy} * kSourcePorts >> 32;
    const auto udp_bytes = static_cast<uint16_t>(frame_bytes - plan.l4_offset());
    write_word(outer + plan.l4_offset(), be64(plan.udp_header + (port << 48) + (uint64_t{udp_bytes} << 16)));
  } else if (plan.nvgre) {
    outer[plan.l4_offset() + kNvgreFlowIdOffset] = static_cast<uint8_t>(flow.entropy >> 24);
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
  if (to.udp_checksum || has_intent(m) || over_gre(to.kind)) finish_outer(m, to);
  return m;
}

// The flows of frames in a row, as columns.
struct InnerFlows {
  std::array<uint32_t, kBatch> entropy;
  std::array<uint8_t, kBatch> tos;
};

// Frames that are plain (PlainRun in output.cpp), up to kBatch of them; each stays the mbuf it is. `flows` is what
// they are seen to be; without entropy where neither the headers nor several next hops ask for it.
void encap_plain(rte_mbuf* const* frames, uint16_t count, const Adjacency& to, InnerFlows& flows) noexcept;

}  // namespace causeway
