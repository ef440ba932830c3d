// What the coalesce tests share.
#pragma once

#include <string>
#include <vector>

#include "dataplane/egress/coalesce.h"
#include "dataplane/frame/intent.h"
#include "dataplane/gso/segment.h"
#include "tests/catch.h"
#include "tests/support/frames.h"
#include "tests/support/mbufs.h"

namespace causeway::test {

inline const Frames& coalesce_frames() {
  static const Frames frames = Frames::load(COALESCE_FRAMES);
  return frames;
}

inline TxCapabilities takes_big_frames() {
  TxCapabilities caps;
  caps.add(Outer::none, TxCapabilities::kChecksum | TxCapabilities::kTcp);
  caps.multi_segment = true;
  return caps;
}

// What the segment stage makes of a frame, as bytes; frees it.
inline std::vector<Bytes> cut(rte_mbuf* frame, rte_mempool* pool) {
  TxCapabilities chains;
  chains.multi_segment = true;
  if (port_takes(frame, chains)) {
    const Bytes bytes = to_bytes(frame);
    rte_pktmbuf_free(frame);
    return {bytes};
  }
  std::vector<Bytes> segments;
  Segmenter segmenter;
  DropReason reason = segmenter.begin(frame, chains, {pool, pool});
  while (segmenter.pending()) {
    std::array<rte_mbuf*, 64> out;
    const uint16_t count = segmenter.next(out.data(), out.size(), reason);
    for (uint16_t i = 0; i < count; ++i) segments.push_back(to_bytes(out[i]));
    rte_pktmbuf_free_bulk(out.data(), count);
  }
  CHECK(reason == DropReason::none);
  return segments;
}

}  // namespace causeway::test
