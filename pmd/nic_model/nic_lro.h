// The LRO of a modelled NIC: segments of one TCP flow that come in together become one frame, as in hardware. Only
// length and IPv4 checksum of the merged frame are right, and its acknowledgment and window are the last one's; of IPv4
// ids and the like nothing is kept, and the TCP checksum is the first segment's.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "pmd/nic_model_settings.h"

namespace causeway {

class NicLro {
 public:
  // What is in `misreport` it does wrong: it says nothing about what it merged.
  explicit NicLro(NicFeatures misreport) : says_nothing_(misreport.has(NicFeature::lro)) {}

  // Returns how many are left of `frames`.
  uint16_t merge(rte_mbuf** frames, uint16_t count) const;

 private:
  bool says_nothing_;
};

}  // namespace causeway
