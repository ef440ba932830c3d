// The switch in a modelled NIC of several ports: does what rules say (pmd/nic_model/nic_flows.h), and hands the frame
// to another port's cable. Any thread.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "pmd/nic_model/nic_flows.h"

namespace causeway {

class NicSwitch {
 public:
  // Takes the frame; false: it was lost.
  using Cable = std::function<bool(rte_mbuf*)>;

  // The one of that name; it goes with the last port that has it.
  static std::shared_ptr<NicSwitch> of(const std::string& name);

  uint16_t add(Cable cable);
  void remove(uint16_t port);
  // Takes the frame. False: no such port, or it was lost.
  bool forward(rte_mbuf* frame, const NicFlows::Verdict& verdict);

 private:
  std::mutex lock_;
  uint16_t last_ = 0;
  std::map<uint16_t, Cable> cables_;
};

}  // namespace causeway
