// The receive side of a modelled NIC: what it thinks of checksums, what a flow rule says, and to which queue a frame
// goes. One thread at a time.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "pmd/nic_model/nic_flows.h"
#include "pmd/nic_model_settings.h"

namespace causeway {

class NicReceive {
 public:
  NicReceive(const NicModelSettings& settings, uint16_t queues) : misreport_(settings.misreport), queues_(queues) {}

  // What the NIC knows about a frame goes into its rx flags: a verdict on its outermost checksums (if it is to
  // `judge`), and a rule's mark. Returns its queue.
  uint16_t look_at(rte_mbuf* frame, bool judge, NicFlows* flows) const;
  // False: the queue is full; the frame stays the caller's.
  bool enqueue(uint16_t queue, rte_mbuf* frame);
  uint16_t take(uint16_t queue, rte_mbuf** frames, uint16_t count);
  void drop_all();
  uint16_t queues() const { return static_cast<uint16_t>(queues_.size()); }

 private:
  static constexpr size_t kDepth = 4096;  // frames a queue

  NicFeatures misreport_;
  std::vector<std::deque<rte_mbuf*>> queues_;
};

}  // namespace causeway
