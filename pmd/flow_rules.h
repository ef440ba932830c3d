// What a NIC is to do with the frames of one tunnel from one VTEP as they arrive, and who takes such rules.
// Control thread only. Only pmd/ knows rte_flow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "dataplane/flow/tunnel_table.h"

namespace causeway {

struct FlowRule {
  TunnelKey tunnel;
  uint32_t mark = 0;  // what the frames carry then: the tunnel's adjacency
  bool count = true;
  uint16_t queues = 1;  // several: spread over the first so many by the inner headers
  bool operator==(const FlowRule&) const = default;
};

struct FlowCount {
  uint64_t packets = 0;
  uint64_t bytes = 0;
};

// Rules of any sort that a device took.
class DeviceRules {
 public:
  using Handle = void*;

  virtual ~DeviceRules() = default;
  virtual void remove(Handle handle) = 0;
  // False: not counted.
  virtual bool count(Handle handle, FlowCount& count) = 0;
};

// The rules of one port. Those that are left go with it.
class FlowRules : public DeviceRules {
 public:
  // Null, and one line in `error`, where the device doesn't want it.
  virtual Handle install(const FlowRule& rule, std::string& error) = 0;
};

}  // namespace causeway
