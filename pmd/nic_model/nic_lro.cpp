#include "pmd/nic_model/nic_lro.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "dataplane/frame/intent.h"
#include "pmd/nic_model/nic_bytes.h"

namespace causeway {
namespace {

constexpr uint32_t kMaxMergedBytes = 255 * 256;
constexpr uint32_t kAck = 0x10;
constexpr uint32_t kPsh = 0x08;

struct Segment {
  std::vector<uint32_t> flow;  // addresses and ports; empty: no TCP that a NIC looks at
  NicHeaders at;
  uint32_t payload = 0;  // where it starts
  uint32_t bytes = 0;    // of it
  uint32_t sequence = 0;
  uint32_t flags = 0;
  bool sound = false;  // may be merged
};

Segment read(const rte_mbuf* frame) {
  const NicBytes bytes(frame);
  Segment s;
  s.at = nic_headers(bytes, 0);
  const NicHeaders& at = s.at;
  if (at.protocol != 6 || at.l4 == 0 || at.l4 + 20 > bytes.size()) return s;
  if (at.v4 && (at.l4 != at.l3 + 20 || (bytes.get16(at.l3 + 6) & 0x3fff) != 0)) return s;
  const uint32_t addresses = at.v4 ? at.l3 + 12 : at.l3 + 8;
  for (uint32_t i = addresses; i < at.l4 + 4; ++i) s.flow.push_back(bytes.get8(i));
  s.payload = at.l4 + bytes.get8(at.l4 + 12) / 16 * 4;
  s.sequence = bytes.get16(at.l4 + 4) << 16 | bytes.get16(at.l4 + 6);
  s.flags = bytes.get8(at.l4 + 13);
  if (s.payload < at.l4 + 20 || at.end != bytes.size() || s.payload >= at.end || s.payload >= frame->data_len) return s;
  s.bytes = at.end - s.payload;
  const bool ip_right = !at.v4 || bytes.sum(at.l3, at.l4) == 0xffff;
  const uint32_t pseudo = bytes.sum(addresses, at.l4, 6 + at.end - at.l4);
  s.sound = ip_right && bytes.sum(at.l4, at.end, pseudo) == 0xffff && (s.flags & ~kPsh) == kAck && !has_intent(frame);
  return s;
}

void put16(rte_mbuf* frame, uint32_t at, uint32_t value) {
  uint8_t* const to = rte_pktmbuf_mtod_offset(frame, uint8_t*, at);
  to[0] = static_cast<uint8_t>(value >> 8);
  to[1] = static_cast<uint8_t>(value);
}

// A flow that the NIC has room for.
struct Session {
  rte_mbuf* frame;  // the first
  Segment first;
  uint32_t next_sequence;
  bool open;

  bool takes(const Segment& s, const rte_mbuf* other) const {
    const uint32_t options = first.payload - first.at.l4 - 20;
    return open && s.sound && s.sequence == next_sequence && s.bytes <= first.bytes &&
           s.payload - s.at.l4 == first.payload - first.at.l4 && frame->pkt_len + s.bytes <= kMaxMergedBytes &&
           std::memcmp(rte_pktmbuf_mtod_offset(frame, void*, first.at.l4 + 20),
                       rte_pktmbuf_mtod_offset(other, void*, s.at.l4 + 20), options) == 0;
  }

  void append(const Segment& s, rte_mbuf* other) {
    // Acknowledgment, flags and window.
    std::memcpy(rte_pktmbuf_mtod_offset(frame, void*, first.at.l4 + 8),
                rte_pktmbuf_mtod_offset(other, void*, s.at.l4 + 8), 8);
    rte_pktmbuf_adj(other, static_cast<uint16_t>(s.payload));
    rte_pktmbuf_chain(frame, other);
    next_sequence += s.bytes;
    open = s.bytes == first.bytes && (s.flags & kPsh) == 0;
    const uint32_t l3 = first.at.l3;
    if (first.at.v4) {
      put16(frame, l3 + 2, frame->pkt_len - l3);
      put16(frame, l3 + 10, 0);
      put16(frame, l3 + 10, ~NicBytes(frame).sum(l3, first.at.l4));
    } else {
      put16(frame, l3 + 4, frame->pkt_len - l3 - 40);
    }
  }
};

}  // namespace

uint16_t NicLro::merge(rte_mbuf** frames, uint16_t count) const {
  std::vector<Session> sessions;
  uint16_t kept = 0;
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* const frame = frames[i];
    const Segment segment = read(frame);
    const auto known = std::ranges::find_if(sessions, [&](const Session& s) { return s.first.flow == segment.flow; });
    if (known != sessions.end() && known->takes(segment, frame)) {
      known->append(segment, frame);
      if (!says_nothing_) {
        known->frame->ol_flags |= RTE_MBUF_F_RX_LRO;
        known->frame->tso_segsz = static_cast<uint16_t>(known->first.bytes);
      }
      continue;
    }
    frames[kept++] = frame;
    if (known != sessions.end()) sessions.erase(known);
    if (!segment.sound) continue;
    const bool last = (segment.flags & kPsh) != 0;
    sessions.push_back({frame, segment, segment.sequence + segment.bytes, !last});
  }
  return kept;
}

}  // namespace causeway
