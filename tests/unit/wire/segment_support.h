// What the segment tests share: scapy's frames, as mbufs with their Intent.
#pragma once

#include <string>
#include <vector>

#include "dataplane/gso/segment.h"
#include "tests/catch.h"
#include "tests/support/frames.h"
#include "tests/support/mbufs.h"

namespace causeway::test {

inline const Frames& segment_frames() {
  static const Frames frames = Frames::load(SEGMENT_FRAMES);
  return frames;
}

inline Intent written_intent(const std::string& name) {
  const auto number = [&name](const char* key) { return segment_frames().number(name, key); };
  Intent intent;
  intent.csum_start = static_cast<uint16_t>(number("csum_start"));
  intent.csum_offset = static_cast<uint8_t>(number("csum_offset"));
  intent.gso_size = static_cast<uint16_t>(number("gso_size"));
  intent.gso_type = static_cast<GsoType>(number("gso_type"));
  intent.tunnel_bytes = static_cast<uint8_t>(number("tunnel"));
  intent.set_outer(static_cast<Outer>(number("outer")));
  intent.outer_checksum = number("outer_sum") != 0 ? 1 : 0;
  return intent;
}

// Frame `name` of the file with its Intent.
inline rte_mbuf* unfinished(rte_mempool* pool, const std::string& name, const std::vector<uint16_t>& chain = {}) {
  rte_mbuf* m = to_mbuf(pool, segment_frames()[name], chain);
  const Intent intent = written_intent(name);
  set_intent(m, intent, intent.gso_size != 0 ? kNeedsChecksum | kNeedsSegment : kNeedsChecksum);
  return m;
}

inline TxCapabilities only_chains() {
  TxCapabilities caps;
  caps.multi_segment = true;
  return caps;
}

// All that comes out of a frame, fetched `room` at a time; freed here.
inline std::vector<Bytes> segmented(rte_mbuf* frame, const TxCapabilities& caps, const SegmentBuffers& buffers,
                                    uint16_t room, DropReason& reason) {
  Segmenter segmenter;
  std::vector<Bytes> out;
  std::vector<rte_mbuf*> fetched(room);
  reason = segmenter.begin(frame, caps, buffers);
  while (segmenter.pending()) {
    const uint16_t count = segmenter.next(fetched.data(), room, reason);
    for (uint16_t i = 0; i < count; ++i) {
      if (has_intent(fetched[i]) || (!caps.multi_segment && fetched[i]->nb_segs != 1)) {
        FAIL_CHECK("a segment still wants something");
      }
      out.push_back(to_bytes(fetched[i]));
      rte_pktmbuf_free(fetched[i]);
    }
    if (count == 0 && segmenter.pending()) throw std::runtime_error("next() makes no progress");
  }
  return out;
}

inline void check_same(const std::vector<Bytes>& got, const std::vector<Bytes>& expected) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    if (got[i] == expected[i]) continue;
    CAPTURE(i);
    CHECK(to_hex(got[i]) == to_hex(expected[i]));
  }
}

}  // namespace causeway::test
