// What a NIC's own switch is to do with one flow between a tunnel and a bridge port: take the outer headers off or put
// them on, and send the frame out of another port, all without us. Control thread only. Only pmd/ knows rte_flow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/wire/address.h"
#include "pmd/flow_rules.h"

namespace causeway {

struct SwitchRule {
  uint16_t from = 0;  // SwitchPort::id of where the frames come in
  uint16_t to = 0;
  bool decap = false;  // else encap
  TunnelKey tunnel;    // what the outer headers say as they arrive; of encap only its kind counts
  // Of the inner frame, which has no VLAN tag.
  MacAddress source;
  MacAddress destination;
  // Encap: the outer headers in front of the inner frame. Decap: headers of that length come off, and `outer_mac` is
  // their destination. Lengths and the IPv4 checksum are the device's to fill.
  std::vector<uint8_t> outer;
  MacAddress outer_mac;
  bool operator==(const SwitchRule&) const = default;
};

class SwitchRules : public DeviceRules {
 public:
  // Of frames that come in by this port. Null, and one line in `error`, where the device doesn't want it.
  virtual Handle install(const SwitchRule& rule, std::string& error) = 0;
};

}  // namespace causeway
