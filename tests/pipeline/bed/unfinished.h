// Frames with an Intent, as scapy's numbers say it.
#pragma once

#include "tests/pipeline/bed/bed.h"

namespace causeway::test {

inline Intent written_intent(const std::string& name) {
  const auto number = [&name](const char* key) { return pipeline_frames().number(name, key); };
  Intent intent;
  intent.csum_start = static_cast<uint16_t>(number("csum_start"));
  intent.csum_offset = static_cast<uint8_t>(number("csum_offset"));
  intent.gso_size = static_cast<uint16_t>(number("gso_size"));
  intent.gso_type = static_cast<GsoType>(number("gso_type"));
  return intent;
}

inline rte_mbuf* unfinished(Bed& bed, const std::string& name, const std::vector<uint16_t>& chain = {}) {
  rte_mbuf* const m = to_mbuf(bed.pool(), pipeline_frames()[name], chain);
  const Intent intent = written_intent(name);
  set_intent(m, intent, intent.gso_size != 0 ? kNeedsChecksum | kNeedsSegment : kNeedsChecksum);
  return m;
}

inline void deliver_unfinished(Bed& bed, const std::string& port, const std::string& name,
                               const std::vector<uint16_t>& chain = {}) {
  bed.deliver(port, unfinished(bed, name, chain));
}

}  // namespace causeway::test
