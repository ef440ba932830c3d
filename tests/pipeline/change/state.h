// What can be asked of a gateway, without what only time and traffic change.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/view/view.h"
#include "tests/pipeline/bed/bed.h"

namespace causeway::test {

inline void leave_out_counts(nlohmann::json& value) {
  if (value.is_object()) {
    for (const char* key :
         {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "rx_drops", "tx_drops", "age_s", "mac_moves",
          "macs_refused", "hosts_refused", "answered", "waiting_frames", "selected", "copies", "lost"}) {
      value.erase(key);
    }
  }
  if (!value.is_structured()) return;
  for (nlohmann::json& each : value) leave_out_counts(each);
}

inline nlohmann::json state_of(Bed& bed) {
  nlohmann::json state;
  for (const char* what :
       {"ports", "bridges", "tunnels", "fdb", "hosts", "neighbors", "offloads", "multicast", "mirrors"}) {
    nlohmann::json list = show(bed.gateway(), what);
    leave_out_counts(list);
    std::sort(list.begin(), list.end());
    state[what] = list;
  }
  return state;
}

}  // namespace causeway::test
